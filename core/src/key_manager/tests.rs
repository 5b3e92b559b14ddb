//! What holds between a judgement and its answer, however the region moves on meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::operation::{CreateGrant, DisableKey, Encrypt, RevokeGrant, Spec};
use crate::scene::{Scene, arn, play};

/// Judges and plans a write, lets `change` be answered, and then lets the write go on.
async fn overtaken<Op: Operation>(
    scene: &Scene,
    mut request: Execute<Op>,
    change: (&str, &str, Value),
) -> Result<Op::Output, KmsError> {
    let judged = judge::all(Op::SPEC, &request.view, &request.asked, &*request.input, &request.targets).unwrap();
    let (authorized, _) = Authorized::<Op>::new(&scene.region, &request, judged);
    let planned = Op::plan(authorized).unwrap();
    let (who, name, body) = change;
    scene.ask(who, name, body).await.unwrap();
    let outcome = planned.await;
    request.entry.decided(judge::Trace::default());
    outcome
}

#[test]
fn a_child_of_a_revoked_grant_is_not_committed() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let parent = scene.grant(&key, "nobody", &["CreateGrant", "Encrypt"]).await;
        let body = json!({ "KeyId": key, "GranteePrincipal": arn("someone"), "Operations": ["Encrypt"] });
        let request = scene.execute::<CreateGrant>("nobody", body);
        let revoke = json!({ "KeyId": key, "GrantId": parent["GrantId"] });
        let outcome = overtaken(&scene, request, ("admin", "RevokeGrant", revoke)).await;
        assert_eq!(outcome.unwrap_err(), KmsError::Conflict);
    });
}

#[test]
fn a_write_is_not_committed_once_the_policy_that_allowed_it_is_another() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let made = scene.grant(&key, "nobody", &["Encrypt"]).await;
        let request = scene.execute::<RevokeGrant>("admin", json!({ "KeyId": key, "GrantId": made["GrantId"] }));
        let policy = json!({ "Statement": [
            { "Effect": "Allow", "Principal": { "AWS": "111122223333" }, "Action": "kms:*", "Resource": "*" },
            { "Effect": "Deny", "Principal": "*", "Action": "kms:RevokeGrant", "Resource": "*" },
        ] });
        let put = json!({ "KeyId": key, "Policy": policy.to_string() });
        let outcome = overtaken(&scene, request, ("admin", "PutKeyPolicy", put)).await;
        assert_eq!(outcome.unwrap_err(), KmsError::Conflict);
    });
}

#[test]
fn a_read_that_was_overtaken_by_a_refusal_is_refused() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let mut request = scene.execute::<Encrypt>("admin", json!({ "KeyId": key, "Plaintext": "eA==" }));
        assert_eq!(still_allowed(&scene.region, &mut request), Ok(()));
        scene.ask("admin", "DisableKey", json!({ "KeyId": key })).await.unwrap();
        assert_eq!(still_allowed(&scene.region, &mut request), Err(KmsError::Disabled { arn: key.clone() }));
    });
}

#[test]
fn a_read_whose_alias_has_moved_is_done_again() {
    play(async |scene| {
        let (one, two) = (scene.key(json!({})).await, scene.key(json!({})).await);
        let alias = json!({ "AliasName": "alias/moving", "TargetKeyId": one });
        scene.ask("admin", "CreateAlias", alias).await.unwrap();
        let mut request = scene.execute::<Encrypt>("admin", json!({ "KeyId": "alias/moving", "Plaintext": "eA==" }));
        let alias = json!({ "AliasName": "alias/moving", "TargetKeyId": two });
        scene.ask("admin", "UpdateAlias", alias).await.unwrap();
        assert_eq!(still_allowed(&scene.region, &mut request), Err(KmsError::Conflict));
        let answered = execute(scene.region.clone(), Rc::default(), request).await;
        let reply: Value = serde_json::from_slice(&answered.outcome.unwrap().body).unwrap();
        assert_eq!(reply["KeyId"], two);
    });
}

#[test]
fn a_write_that_comes_too_late_is_dropped() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let mut request = scene.execute::<DisableKey>("admin", json!({ "KeyId": key }));
        let mut asked = (*request.asked).clone();
        asked.meta.deadline = std::time::Instant::now();
        request.asked = Arc::new(asked);
        let revision = scene.region.revision();
        assert_eq!(
            execute(scene.region.clone(), Rc::default(), request).await.outcome.unwrap_err(),
            KmsError::TimedOut
        );
        assert_eq!(scene.region.revision(), revision);
    });
}

#[test]
fn every_row_of_a_write_names_what_it_relies_on() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let request = scene.execute::<RevokeGrant>("admin", json!({ "KeyId": key, "GrantId": "a".repeat(64) }));
        let spec: &Spec = RevokeGrant::SPEC;
        assert_eq!(spec.effect, Effect::Write);
        let rows = judge::relied_on(&request.view, &request.asked, &request.targets, None);
        let mut rows: Vec<String> = rows.into_iter().map(|compare| compare.key.to_string()).collect();
        rows.sort();
        let key = key.rsplit('/').next().unwrap();
        let expected = [
            "identity/access-key/AKIA111122223333admin".to_owned(),
            "identity/user/111122223333/admin".to_owned(),
            format!("key/{key}"),
        ];
        assert_eq!(rows, expected);
    });
}
