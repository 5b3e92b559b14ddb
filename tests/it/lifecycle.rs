//! What time does to a key: its deletion when the day comes, and the domain keys that its material lies under.
//! The clock is moved by hand; the service's housekeeping notices by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use kms_core::clock::Clock as _;
use kms_core::id::{AccountId, AliasName, KeyId};
use kms_core::key::record::{MaterialRecord, Stored as _};
use kms_core::store::Table;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, Client, Home, Live, Offline, PLAINTEXT, Scene, arn, encrypt, rotate, until};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// More than one turn of housekeeping removes.
const GRANTS: usize = 2100;
const AT_ONCE: usize = 100;

fn decrypt(blob: &str) -> Value {
    json!({"CiphertextBlob": blob, "EncryptionContext": {"purpose": "scene"}})
}

fn key_id(text: &str) -> KeyId {
    KeyId::parse(text).unwrap()
}

fn is_there(live: &Live, key: &str) -> bool {
    live.region.view().key(key_id(key)).is_some()
}

async fn assert_decrypts(client: &Client, blob: &str) {
    use base64::Engine as _;
    let opened = client.ok("Decrypt", decrypt(blob)).await;
    assert_eq!(opened["Plaintext"], base64::engine::general_purpose::STANDARD.encode(PLAINTEXT));
}

/// Schedules a deletion in seven days, and checks the answer.
async fn schedule(key: &Scene) {
    let due = key.owner.live.clock.now().plus(7 * DAY).epoch_seconds();
    let answer = key.owner.ok("ScheduleKeyDeletion", json!({"KeyId": key.id, "PendingWindowInDays": 7})).await;
    assert_eq!(answer["DeletionDate"].as_f64(), Some(due));
    assert_eq!(answer["KeyState"], "PendingDeletion");
    assert_eq!(answer["KeyId"], key.arn.as_str());
    let shown = key.owner.ok("DescribeKey", json!({"KeyId": key.id})).await;
    assert_eq!(shown["KeyMetadata"]["DeletionDate"].as_f64(), Some(due));
}

#[test]
fn a_key_goes_on_its_day_with_everything_of_it() {
    let home = Home::new();
    let (gone, kept) = home.live(async |live| {
        let admin = live.administrator();
        let (gone, kept) = (Scene::new(&admin).await, Scene::new(&admin).await);
        let alias = gone.alias().await;
        let grant = gone.grant(&arn("nobody"), &["Encrypt"]).await;
        let request = json!({"KeyId": gone.id, "GranteePrincipal": admin.arn, "RetiringPrincipal": admin.arn,
            "Operations": ["Decrypt"]});
        admin.ok("CreateGrant", request).await;
        schedule(&gone).await;
        // A second before the day it is there still, through a turn or two of housekeeping.
        home.clock.advance(7 * DAY - Duration::from_secs(1));
        actix_rt::time::sleep(Duration::from_millis(1500)).await;
        assert!(is_there(live, &gone.id));
        home.clock.advance(Duration::from_secs(1));
        until("the key is deleted", || !is_there(live, &gone.id)).await;

        let view = live.region.view();
        let account = AccountId::parse(ACCOUNT).unwrap();
        assert!(view.alias(account, &AliasName::parse(&alias).unwrap()).is_none());
        assert_eq!(view.retirable_by(&admin.arn, "").count(), 0);
        let answer = admin.ask("DescribeKey", &json!({"KeyId": gone.id})).await;
        let text = format!("Key '{}' does not exist", gone.arn);
        assert_eq!((answer.code, answer.message), ("NotFoundException", text));
        assert_eq!(admin.ask("Encrypt", &encrypt(&alias)).await.code, "NotFoundException");
        let cancel = admin.ask("CancelKeyDeletion", &json!({"KeyId": gone.id})).await;
        assert_eq!(cancel.code, "NotFoundException");
        let revoke = json!({"KeyId": gone.id, "GrantId": grant["GrantId"]});
        assert_eq!(admin.ask("RevokeGrant", &revoke).await.code, "NotFoundException");
        // The ciphertext names a material that nobody has any more.
        assert_eq!(admin.ask("Decrypt", &decrypt(&gone.blob)).await.code, "AccessDeniedException");
        assert_decrypts(&admin, &kept.blob).await;
        // The alias is free again.
        admin.ok("CreateAlias", json!({"AliasName": alias, "TargetKeyId": kept.id})).await;
        (gone.id, kept.id)
    });
    let offline = Offline::open(&home);
    assert!(offline.rows.keys().all(|row| !row.key.contains(&gone)), "a row of the key outlived it");
    assert_eq!(offline.keys(Table::Material, &kept).len(), 1);
}

#[test]
fn a_cancelled_deletion_does_not_come() {
    let home = Home::new();
    home.live(async |live| {
        let (cancelled, due) = (Scene::new(&live.administrator()).await, Scene::new(&live.administrator()).await);
        schedule(&cancelled).await;
        schedule(&due).await;
        cancelled.owner.ok("CancelKeyDeletion", json!({"KeyId": cancelled.id})).await;
        home.clock.advance(8 * DAY);
        until("the other key is deleted", || !is_there(live, &due.id)).await;
        assert!(is_there(live, &cancelled.id));
        cancelled.owner.ok("EnableKey", json!({"KeyId": cancelled.id})).await;
        assert_decrypts(&cancelled.owner, &cancelled.blob).await;
    });
}

#[test]
fn a_day_that_comes_while_the_service_is_down_is_kept() {
    let home = Home::new();
    let id = home.live(async |live| {
        let key = Scene::new(&live.administrator()).await;
        schedule(&key).await;
        key.id
    });
    home.clock.advance(30 * DAY);
    home.live(async |live| until("the key is deleted", || !is_there(live, &id)).await);
}

#[test]
fn a_key_with_very_many_grants_goes_too() {
    let home = Home::new();
    let id = home.live(async |live| {
        let key = Scene::new(&live.administrator()).await;
        for _ in 0..GRANTS / AT_ONCE {
            let grant = || {
                let (owner, id, nobody) = (key.owner.clone(), key.id.clone(), arn("nobody"));
                let request = json!({"KeyId": id, "GranteePrincipal": nobody, "Operations": ["Encrypt"]});
                actix_rt::spawn(async move { owner.ok("CreateGrant", request).await })
            };
            let asked: Vec<_> = (0..AT_ONCE).map(|_| grant()).collect();
            for asked in asked {
                asked.await.unwrap();
            }
        }
        assert_eq!(live.region.view().key(key_id(&key.id)).unwrap().grant_count(), GRANTS);
        schedule(&key).await;
        home.clock.advance(7 * DAY);
        until("the key is deleted", || !is_there(live, &key.id)).await;
        key.id
    });
    assert!(Offline::open(&home).rows.keys().all(|row| !row.key.contains(&id)));
}

/// The domain key that a key's one material lies under, as the view has it.
fn domain(live: &Live, key: &str) -> u32 {
    live.region.view().key(key_id(key)).unwrap().current().unwrap().held.wrapped.domain()
}

/// The same, as it is stored.
fn stored_domain(home: &Home, key: &str) -> u32 {
    let offline = Offline::open(home);
    let name = offline.keys(Table::Material, key).remove(0);
    MaterialRecord::decode(&offline.body(Table::Material, &name)).unwrap().wrapped.domain()
}

#[test]
fn a_domain_key_is_the_active_one_for_a_day() {
    let home = Home::new();
    let before = home.live(async |live| {
        let key = Scene::new(&live.administrator()).await;
        home.clock.advance(DAY - Duration::from_secs(1));
        actix_rt::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(domain(live, &key.id), 1);
        home.clock.advance(Duration::from_secs(1));
        // Whoever encrypts and decrypts meanwhile notices nothing.
        while domain(live, &key.id) == 1 {
            key.owner.ok("Encrypt", encrypt(&key.id)).await;
            assert_decrypts(&key.owner, &key.blob).await;
        }
        assert_eq!(domain(live, &key.id), 2);
        assert_decrypts(&key.owner, &key.blob).await;
        let younger = Scene::new(&live.administrator()).await;
        assert_eq!(domain(live, &younger.id), 2);
        (key.id, key.blob, younger.blob)
    });
    assert_eq!(stored_domain(&home, &before.0), 2);
    home.live(async |live| {
        for blob in [&before.1, &before.2] {
            assert_decrypts(&live.administrator(), blob).await;
        }
        home.clock.advance(DAY);
        until("the next domain key is active", || domain(live, &before.0) == 3).await;
        assert_decrypts(&live.administrator(), &before.1).await;
    });
}

#[test]
fn the_use_of_a_key_rewraps_it_and_housekeeping_the_rest() {
    let home = Home::new();
    let (used, idle, blob) = home.live(async |live| {
        let (used, idle) = (Scene::new(&live.administrator()).await, Scene::new(&live.administrator()).await);
        (used.id, idle.id, idle.blob)
    });
    rotate(&home, home.clock.now().0);
    home.live_unattended(async |live| {
        let admin = live.administrator();
        assert_eq!((domain(live, &used), domain(live, &idle)), (1, 1));
        let blob = admin.ok("Encrypt", encrypt(&used)).await["CiphertextBlob"].as_str().unwrap().to_owned();
        until("the key's material is re-wrapped", || domain(live, &used) == 2).await;
        assert_eq!(domain(live, &idle), 1);
        assert_decrypts(&admin, &blob).await;
    });
    assert_eq!((stored_domain(&home, &used), stored_domain(&home, &idle)), (2, 1));
    home.live(async |live| {
        until("idle material is re-wrapped", || domain(live, &idle) == 2).await;
        assert_decrypts(&live.administrator(), &blob).await;
    });
    assert_eq!((stored_domain(&home, &used), stored_domain(&home, &idle)), (2, 2));
}

#[test]
fn each_use_of_a_key_rewraps_it() {
    for operation in ["Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        let home = Home::new();
        let (id, request) = home.live(async |live| {
            let key = Scene::new(&live.administrator()).await;
            let request = key.request(operation).await;
            (key.id, request)
        });
        rotate(&home, home.clock.now().0);
        home.live_unattended(async |live| {
            live.administrator().ok(operation, request).await;
            until("the key's material is re-wrapped", || domain(live, &id) == 2).await;
        });
    }
}
