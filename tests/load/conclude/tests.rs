#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::checks::Counts;
use crate::checks::revocation::How;
use crate::cli::units::Sizes;
use crate::operations::Signing;
use crate::scene::pool::{Pool, Sample};
use crate::scene::{Kind, Ledger};
use crate::wire::{Answer, Place};

fn scene(watch: Option<Watch>) -> Scene {
    let key = Key {
        id: "1234abcd".to_owned(),
        arn: "arn:aws:kms:us-east-1:111122223333:key/1234abcd".to_owned(),
        account: 0,
        kind: Kind::Symmetric,
        pool: Pool::default(),
        public: None,
        policy: String::new(),
        watch,
    };
    Scene {
        run: "test".to_owned(),
        accounts: Arc::default(),
        keys: vec![key],
        payload: Sizes::OneOf(vec![32]),
        context_pairs: 0,
        signing: Signing::P256,
        counts: Counts::default(),
        ledger: Arc::new(Ledger::default()),
    }
}

fn decrypt() -> Ask {
    let sample = Arc::new(Sample::new("blob".to_owned(), "aGVsbG8=".into(), "{}".into()));
    Ask {
        operation: Operation::Decrypt,
        account: 0,
        key: Some(0),
        body: r#"{"CiphertextBlob":"blob"}"#.into(),
        expect: Expect::Plaintext(sample),
    }
}

/// A call that began and ended so many milliseconds after `start`.
fn called(start: Instant, begun: u64, ended: u64, status: u16, body: &'static str) -> Called {
    let answer = Answer { status, body: body.into(), request_id: Some("r-1".to_owned()), retry_after: None };
    let error = (!answer.is_success()).then(|| answer.code().into());
    Called {
        answer: Some(answer),
        error,
        failed_before: Vec::new(),
        begun: start + Duration::from_millis(begun),
        ended: start + Duration::from_millis(ended),
        endpoint: 0,
        unanswered: false,
        bytes_sent: 1,
        bytes_received: 1,
    }
}

fn conclude(scene: &Scene, start: Instant, ask: &Ask, called: &Called) -> Conclusion {
    let endpoints = [Place::parse("https://127.0.0.1:8443").unwrap()];
    Judge { scene, endpoints: &endpoints, start }.conclude(ask, called, true)
}

const HELLO: &str = r#"{"Plaintext":"aGVsbG8="}"#;
const DISABLED: &str = r#"{"__type":"DisabledException"}"#;

/// Revoked from 100 (sent) and 110 (answered), and not restored.
fn revoked(start: Instant) -> Watch {
    let watch = Watch::new(How::Disable);
    watch.asked(start + Duration::from_millis(100), true);
    watch.revoked(start + Duration::from_millis(110));
    watch
}

#[test]
fn a_wrong_plaintext_is_a_violation_with_its_evidence() {
    let start = Instant::now();
    let scene = scene(None);
    let wrong = called(start, 5, 7, 200, r#"{"Plaintext":"d3Jvbmc="}"#);
    let Conclusion::Broken(violation) = conclude(&scene, start, &decrypt(), &wrong) else { panic!("it passed") };
    assert!(violation.what.contains("something else than what went in"), "{}", violation.what);
    for (name, value) in [
        ("operation", "Decrypt"),
        ("key", "arn:aws:kms:us-east-1:111122223333:key/1234abcd"),
        ("endpoint", "https://127.0.0.1:8443"),
        ("request id", "r-1"),
        ("call began", "0.005000 s after the start"),
        ("answer", r#"{"Plaintext":"d3Jvbmc="}"#),
    ] {
        assert_eq!(violation.evidence[name], value);
    }
}

#[test]
fn a_success_after_a_revocation_is_a_violation_with_its_times() {
    let start = Instant::now();
    let scene = scene(Some(revoked(start)));
    let after = called(start, 111, 120, 200, HELLO);
    let Conclusion::Broken(violation) = conclude(&scene, start, &decrypt(), &after) else { panic!("it passed") };
    assert!(violation.what.contains("began after DisableKey had been answered"), "{}", violation.what);
    assert_eq!(violation.evidence["revocation answered"], "0.110000 s after the start");
    assert_eq!(violation.evidence["restoring sent"], "-");
}

#[test]
fn a_success_that_began_before_the_answer_is_none() {
    let start = Instant::now();
    let scene = scene(Some(revoked(start)));
    let before = called(start, 109, 120, 200, HELLO);
    assert!(matches!(conclude(&scene, start, &decrypt(), &before), Conclusion::Succeeded { .. }));
}

#[test]
fn a_refusal_counts_apart_while_the_key_is_revoked_and_as_a_failure_otherwise() {
    let start = Instant::now();
    let watched = scene(Some(revoked(start)));
    let refused = called(start, 111, 120, 400, DISABLED);
    assert!(matches!(conclude(&watched, start, &decrypt(), &refused), Conclusion::Refused));
    let early = called(start, 10, 20, 400, DISABLED);
    assert!(matches!(conclude(&watched, start, &decrypt(), &early), Conclusion::Failed));
    assert!(matches!(conclude(&scene(None), start, &decrypt(), &refused), Conclusion::Failed));
}

#[test]
fn a_ciphertext_that_is_not_one_any_more_is_a_violation() {
    let start = Instant::now();
    for code in [r#"{"__type":"InvalidCiphertextException"}"#, r#"{"__type":"NotFoundException"}"#] {
        let lost = called(start, 1, 2, 400, code);
        assert!(matches!(conclude(&scene(None), start, &decrypt(), &lost), Conclusion::Broken(_)), "{code}");
    }
    let throttled = called(start, 1, 2, 400, r#"{"__type":"ThrottlingException"}"#);
    assert!(matches!(conclude(&scene(None), start, &decrypt(), &throttled), Conclusion::Failed));
}

#[test]
fn an_alias_that_an_unanswered_attempt_made_is_there_and_is_deleted() {
    let start = Instant::now();
    let scene = scene(None);
    let ask = Ask { operation: Operation::CreateAlias, expect: Expect::Alias("alias/a".to_owned()), ..decrypt() };
    let mut exists = called(start, 1, 2, 400, r#"{"__type":"AlreadyExistsException"}"#);
    assert!(matches!(conclude(&scene, start, &ask, &exists), Conclusion::Failed));
    exists.unanswered = true;
    let Conclusion::Succeeded { next: Some(next) } = conclude(&scene, start, &ask, &exists) else { panic!("failed") };
    assert_eq!(next.operation, Operation::DeleteAlias);
    assert_eq!(scene.ledger.take().1, [(0, "alias/a".to_owned())]);
}
