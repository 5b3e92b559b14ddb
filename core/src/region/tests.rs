//! First starts and second ones, and what happens as the days go by.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;

use serde_json::json;

use super::housekeeping::{Rewrapping, destruction, turn};
use super::*;
use crate::clock::{FakeClock, Timestamp};
use crate::registry::DeclaredKey;
use crate::scene::{ELSEWHERE, HERE, Scene, manifest, options, play};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn clock() -> Arc<dyn Clock> {
    Arc::new(FakeClock::at(Timestamp(1_790_000_000_000)))
}

fn open(folder: &Path) -> Result<Arc<Region>, RegionError> {
    Region::open(&options(folder), clock())
}

async fn days(scene: &Scene, count: u32) {
    let mut rewrapping = Rewrapping::default();
    for _ in 0..count {
        scene.clock.advance(DAY);
        turn(&scene.region, &mut rewrapping).await;
    }
}

#[test]
fn a_first_start_that_was_cut_short_begins_anew() {
    actix::System::new().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let begin = || keys::Keys::open(&options(folder.path()), Timestamp(1)).unwrap();
        drop(begin());
        fs::write(folder.path().join(STORE_FILE), "half a store").unwrap();
        assert!(begin().0.is_new());
        drop(open(folder.path()).unwrap());
        let (again, _) = keys::Keys::open(&options(folder.path()), Timestamp(1)).unwrap();
        assert!(!again.is_new());
    });
}

#[test]
fn what_is_missing_at_a_second_start_is_named_and_nothing_is_made_in_its_place() {
    actix::System::new().block_on(async {
        for (missing, expected) in [
            (STORE_FILE, "store.redb is missing"),
            ("domain-keys", "domain-keys is missing"),
            ("seal", "seal is missing"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            drop(open(folder.path()).unwrap());
            fs::remove_file(folder.path().join(missing)).unwrap();
            let refused = open(folder.path()).unwrap_err().to_string();
            assert!(refused.contains(expected), "{missing}: {refused}");
            assert!(!folder.path().join(missing).exists());
        }
    });
}

#[test]
fn everything_follows_the_domain_keys_and_old_ones_go() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let sealed = scene.ask("admin", "Encrypt", json!({ "KeyId": key, "Plaintext": "eA==" })).await.unwrap();
        days(&scene, 40).await;
        let (active, _) = scene.region.hsm().active_domain();
        assert_eq!(active, 41);
        let view = scene.region.view();
        assert!(
            view.key(key.rsplit('/').next().and_then(crate::id::KeyId::parse).unwrap())
                .unwrap()
                .materials
                .iter()
                .all(|material| material.held.wrapped.domain() == active)
        );
        assert!(view.credentials().all(|credential| credential.wrapped.domain() == active));
        let kept = scene.region.keys.lock().unwrap().superseded();
        assert_eq!((kept.first(), kept.last()), (Some(&5), Some(&40)), "{kept:?}");
        let opened =
            scene.ask("admin", "Decrypt", json!({ "CiphertextBlob": sealed["CiphertextBlob"] })).await.unwrap();
        assert_eq!(opened["Plaintext"], "eA==");
        // A secret that was re-wrapped is the secret that was declared.
        let revision = scene.region.revision();
        scene.region.declare(&manifest()).await.unwrap();
        assert_eq!(scene.region.revision(), revision);
    });
}

#[test]
fn a_domain_key_that_something_lies_under_stays() {
    play(async |scene| {
        let (now, later) = (scene.region.clock().now(), scene.region.clock().now().plus(DAY));
        let mut keys = scene.region.keys.lock().unwrap();
        keys.rotate(scene.region.hsm(), now, Timestamp(0), &[1].into()).unwrap();
        assert!(keys.rotate(scene.region.hsm(), later, later, &[1].into()).unwrap().is_empty());
        assert_eq!(keys.rotate(scene.region.hsm(), later, later, &[3].into()).unwrap(), [1]);
    });
}

#[test]
fn a_key_goes_on_its_day_with_all_that_is_its_own() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        scene.ask("admin", "CreateAlias", json!({ "AliasName": "alias/gone", "TargetKeyId": key })).await.unwrap();
        scene.grant(&key, "nobody", &["Encrypt"]).await;
        let schedule = json!({ "KeyId": key, "PendingWindowInDays": 7 });
        scene.ask("admin", "ScheduleKeyDeletion", schedule).await.unwrap();
        days(&scene, 6).await;
        scene.ask("admin", "DescribeKey", json!({ "KeyId": "alias/gone" })).await.unwrap();
        days(&scene, 1).await;
        let refused = scene.ask("admin", "DescribeKey", json!({ "KeyId": key })).await.unwrap_err();
        assert_eq!(refused, KmsError::KeyNotFound { arn: key });
        let refused = scene.ask("admin", "DescribeKey", json!({ "KeyId": "alias/gone" })).await.unwrap_err();
        assert!(matches!(refused, KmsError::AliasNotFound { .. }));
    });
}

#[test]
fn an_alias_that_moved_away_in_time_is_not_deleted() {
    play(async |scene| {
        let (key, other) = (scene.key(json!({})).await, scene.key(json!({})).await);
        scene.ask("admin", "CreateAlias", json!({ "AliasName": "alias/moved", "TargetKeyId": key })).await.unwrap();
        scene.ask("admin", "ScheduleKeyDeletion", json!({ "KeyId": key })).await.unwrap();
        let view = scene.region.view();
        let entry = view.key(crate::id::KeyId::parse(key.rsplit('/').next().unwrap()).unwrap()).unwrap();
        let (batch, is_whole) = destruction(&view, entry);
        let update = json!({ "AliasName": "alias/moved", "TargetKeyId": other });
        scene.ask("admin", "UpdateAlias", update).await.unwrap();
        assert!(is_whole && matches!(scene.region.store().commit(batch).await, Err(StoreError::Conflict(_))));
    });
}

#[test]
fn nothing_is_judged_on_a_view_that_missed_a_change() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        scene.region.health.view_broken.store(true, Ordering::Release);
        for (name, body) in [("DescribeKey", json!({ "KeyId": key })), ("DisableKey", json!({ "KeyId": key }))] {
            assert_eq!(scene.ask("admin", name, body).await, Err(KmsError::internal(VIEW_BROKEN)));
        }
        assert_eq!(scene.region.ailment(), Some(VIEW_BROKEN));
    });
}

#[test]
fn a_declared_key_is_made_once_and_never_taken_from_another() {
    play(async |scene| {
        let id = "0d0e0f00-1111-4222-8333-444455556666";
        let declared = |account: &str, aliases: &[&str]| {
            let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
            let (id, account) = (id.to_owned(), account.to_owned());
            DeclaredKey { id, account, description: String::new(), aliases, tags: Default::default(), policy: None }
        };
        let other = scene.key(json!({})).await;
        scene.ask("admin", "CreateAlias", json!({ "AliasName": "alias/taken", "TargetKeyId": other })).await.unwrap();
        let with = |key| crate::registry::Manifest { keys: vec![key], ..manifest() };
        scene.region.declare(&with(declared(HERE, &["alias/taken", "alias/new"]))).await.unwrap();
        let named = scene.ask("admin", "DescribeKey", json!({ "KeyId": "alias/new" })).await.unwrap();
        assert_eq!(named["KeyMetadata"]["KeyId"], id);
        let named = scene.ask("admin", "DescribeKey", json!({ "KeyId": "alias/taken" })).await.unwrap();
        assert_eq!(named["KeyMetadata"]["Arn"], other);
        let revision = scene.region.revision();
        scene.region.declare(&with(declared(HERE, &["alias/taken", "alias/new"]))).await.unwrap();
        assert_eq!(scene.region.revision(), revision);
        let refused = scene.region.declare(&with(declared(ELSEWHERE, &[]))).await;
        assert!(matches!(refused, Err(DeclareError::Malformed { .. })));
    });
}

#[test]
fn a_region_of_another_partition_knows_its_own_people() {
    actix::System::new().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let options = RegionOptions { place: Place::new("aws-cn", "cn-north-1"), ..options(folder.path()) };
        let region = Region::open(&options, clock()).unwrap();
        region.declare(&manifest()).await.unwrap();
        let view = region.view();
        assert_eq!(view.credentials().count(), 4);
        for credential in view.credentials() {
            assert!(credential.identity.starts_with("arn:aws-cn:iam::"), "{}", credential.identity);
            assert!(view.identity(&credential.identity).is_some());
        }
        let revision = region.revision();
        region.declare(&manifest()).await.unwrap();
        assert_eq!(region.revision(), revision, "what is there already was written again");
    });
}

#[test]
fn a_stranger_does_not_use_up_a_key_s_rate() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let counted = |who: &str| scene.counted(who, "DescribeKey", json!({ "KeyId": key }));
        assert!(counted("admin") && counted("nobody") && !counted("stranger"));
        scene.grant(&key, "stranger", &["DescribeKey"]).await;
        assert!(counted("stranger"));
    });
}
