//! What is done to a closed region's files: through redb's own API, to the files themselves, and, by one who has the
//! keys, at the level of what the store takes for valid. The region refuses to open and names it, or fails closed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;

use kms_core::key::record::{KeyRecord, MaterialRecord, Stored as _};
use kms_core::model::KeyUsageType;
use kms_core::store::{Batch, RowKey, Table};
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use serde_json::json;

use crate::harness::{Home, Offline, Scene, encrypt};

type RowTable = TableDefinition<'static, &'static str, &'static [u8]>;

const KEY: RowTable = TableDefinition::new("key");
const MATERIAL: RowTable = TableDefinition::new("material");
const ENDPOINT: RowTable = TableDefinition::new("endpoint");
const ROOT: RowTable = TableDefinition::new("root");

/// Two keys of a closed region, the first with an older policy behind it.
struct Two {
    home: Home,
    ids: [String; 2],
    blob: String,
    /// The first key's sealed row before DisableKey was answered.
    older: Vec<u8>,
}

impl Two {
    fn new() -> Self {
        let home = Home::new();
        let (ids, blob) = home.live(async |live| {
            let (one, other) = (Scene::new(&live.administrator()).await, Scene::new(&live.administrator()).await);
            ([one.id, other.id], one.blob)
        });
        let older = value(&home, KEY, &ids[0]);
        home.live(async |live| live.administrator().ok("DisableKey", json!({"KeyId": ids[0]})).await);
        Self { home, ids, blob, older }
    }

    /// The row key of a key's one material.
    fn material(&self, key: usize) -> String {
        names(&self.home, MATERIAL).into_iter().find(|name| name.starts_with(&self.ids[key])).unwrap()
    }

    fn assert_refused(&self, naming: &str) {
        let refusal = self.home.refusal();
        assert!(refusal.contains("tampered") && refusal.contains(naming), "{refusal}");
        assert!(refusal.contains("store.redb"), "{refusal}");
    }
}

fn edit(home: &Home, change: impl FnOnce(&WriteTransaction)) {
    let database = Database::open(home.store()).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

fn value(home: &Home, table: RowTable, name: &str) -> Vec<u8> {
    let mut found = Vec::new();
    edit(home, |transaction| {
        found = transaction.open_table(table).unwrap().get(name).unwrap().unwrap().value().to_vec();
    });
    found
}

fn names(home: &Home, table: RowTable) -> Vec<String> {
    let mut found = Vec::new();
    edit(home, |transaction| {
        let table = transaction.open_table(table).unwrap();
        found = table.iter().unwrap().map(|row| row.unwrap().0.value().to_owned()).collect();
    });
    found
}

fn set(home: &Home, table: RowTable, name: &str, value: &[u8]) {
    edit(home, |transaction| drop(transaction.open_table(table).unwrap().insert(name, value).unwrap()));
}

fn remove(home: &Home, table: RowTable, name: &str) {
    edit(home, |transaction| drop(transaction.open_table(table).unwrap().remove(name).unwrap().unwrap()));
}

#[test]
fn an_untouched_region_opens() {
    let two = Two::new();
    edit(&two.home, |_| {});
    two.home.live(async |live| {
        let admin = live.administrator();
        assert_eq!(admin.ask("Encrypt", &encrypt(&two.ids[0])).await.code, "DisabledException");
        admin.ok("Encrypt", encrypt(&two.ids[1])).await;
    });
}

#[test]
fn an_edited_key_row_is_refused() {
    let two = Two::new();
    let genuine = value(&two.home, KEY, &two.ids[0]);
    // The format, the version, the tag, the record's beginning and end.
    for at in [0, 8, 20, 49, genuine.len() - 1] {
        let mut edited = genuine.clone();
        edited[at] ^= 1;
        set(&two.home, KEY, &two.ids[0], &edited);
        two.assert_refused(&format!("key/{}", two.ids[0]));
    }
    set(&two.home, KEY, &two.ids[0], &genuine);
    two.home.live(async |_| {});
}

#[test]
fn swapped_materials_are_refused() {
    let two = Two::new();
    let (one, other) = (two.material(0), two.material(1));
    let (of_one, of_other) = (value(&two.home, MATERIAL, &one), value(&two.home, MATERIAL, &other));
    set(&two.home, MATERIAL, &one, &of_other);
    set(&two.home, MATERIAL, &other, &of_one);
    two.assert_refused("row material/");
}

#[test]
fn a_key_row_rolled_back_is_refused() {
    let two = Two::new();
    assert_ne!(two.older, value(&two.home, KEY, &two.ids[0]));
    set(&two.home, KEY, &two.ids[0], &two.older);
    two.assert_refused("root");
}

#[test]
fn a_removed_policy_row_is_refused() {
    let two = Two::new();
    let closed = names(&two.home, ENDPOINT).into_iter().find(|name| name.starts_with("endpoint/")).unwrap();
    remove(&two.home, ENDPOINT, &closed);
    two.assert_refused("rows");
}

#[test]
fn a_removed_key_is_refused() {
    let two = Two::new();
    remove(&two.home, KEY, &two.ids[0]);
    two.assert_refused("rows");
}

#[test]
fn a_removed_root_is_refused() {
    let two = Two::new();
    remove(&two.home, ROOT, "root");
    two.assert_refused("root is missing");
}

#[test]
fn a_damaged_store_is_refused() {
    let two = Two::new();
    let genuine = fs::read(two.home.store()).unwrap();
    fs::write(two.home.store(), &genuine[..genuine.len() / 2]).unwrap();
    let refusal = two.home.refusal();
    assert!(refusal.contains("store.redb"), "{refusal}");
    fs::write(two.home.store(), b"this is no store").unwrap();
    let refusal = two.home.refusal();
    assert!(refusal.contains("store.redb"), "{refusal}");
    fs::write(two.home.store(), genuine).unwrap();
    two.home.live(async |_| {});
}

#[test]
fn a_missing_file_is_named() {
    let two = Two::new();
    let files = [(two.home.store(), "store.redb"), (two.home.ring(), "domain-keys"), (two.home.seal(), "seal.key")];
    for (path, name) in files {
        let aside = path.with_extension("aside");
        fs::rename(&path, &aside).unwrap();
        let refusal = two.home.refusal();
        assert!(refusal.contains(name) && refusal.contains("missing"), "{refusal}");
        assert!(!path.exists(), "{name} was made anew");
        fs::rename(&aside, &path).unwrap();
    }
    two.home.live(async |_| {});
}

#[test]
fn the_keys_of_another_region_are_refused() {
    let (two, other) = (Two::new(), Home::new());
    other.live(async |_| {});
    let own = (fs::read(two.home.ring()).unwrap(), fs::read(two.home.seal()).unwrap());
    fs::write(two.home.ring(), fs::read(other.ring()).unwrap()).unwrap();
    let refusal = two.home.refusal();
    assert!(refusal.contains("domain-keys"), "the other ring under the own seal: {refusal}");
    fs::write(two.home.seal(), fs::read(other.seal()).unwrap()).unwrap();
    two.assert_refused("");
    fs::write(two.home.ring(), own.0).unwrap();
    fs::write(two.home.seal(), own.1).unwrap();
    two.home.live(async |_| {});
}

#[test]
fn an_altered_ring_is_refused() {
    let two = Two::new();
    let genuine = fs::read(two.home.ring()).unwrap();
    for at in 0..genuine.len() {
        let mut altered = genuine.clone();
        altered[at] ^= 1;
        fs::write(two.home.ring(), &altered).unwrap();
        let refusal = two.home.refusal();
        assert!(refusal.contains("domain-keys"), "byte {at}: {refusal}");
    }
}

/// The store takes it, as it was committed under the integrity key; the HSM does not.
#[test]
fn material_swapped_by_one_who_has_the_integrity_key_fails_closed() {
    let two = Two::new();
    let offline = Offline::open(&two.home);
    let names: Vec<String> = two.ids.iter().map(|id| offline.keys(Table::Material, id).remove(0)).collect();
    let records: Vec<MaterialRecord> =
        names.iter().map(|name| MaterialRecord::decode(&offline.body(Table::Material, name)).unwrap()).collect();
    let mut batch = Batch::default();
    for (name, record, wrapped) in [(&names[0], &records[0], &records[1]), (&names[1], &records[1], &records[0])] {
        let swapped = MaterialRecord { wrapped: wrapped.wrapped.clone(), ..record.clone() };
        batch = batch.put(RowKey::new(Table::Material, name.clone()), swapped.encode());
    }
    offline.commit(batch);
    drop(offline);
    assert_fails_closed(&two);
}

#[test]
fn a_record_changed_by_one_who_has_the_integrity_key_does_not_open_its_material() {
    let two = Two::new();
    let offline = Offline::open(&two.home);
    let mut batch = Batch::default();
    for id in &two.ids {
        let record = KeyRecord::decode(&offline.body(Table::Key, id)).unwrap();
        let record = KeyRecord { multi_region: true, ..record };
        batch = batch.put(RowKey::new(Table::Key, id.clone()), record.encode());
    }
    offline.commit(batch);
    drop(offline);
    assert_fails_closed(&two);
}

/// What a key pair may be used for is bound to both of its halves.
#[test]
fn a_pair_whose_usage_was_changed_by_one_who_has_the_integrity_key_opens_neither_half() {
    let home = Home::new();
    let (arn, id, public) = home.live(async |live| {
        let pair = Scene::about("Sign", &live.administrator(), None).await;
        let shown = pair.owner.ok("GetPublicKey", json!({"KeyId": pair.arn})).await;
        (pair.arn.clone(), pair.id.clone(), shown["PublicKey"].clone())
    });
    let offline = Offline::open(&home);
    let record = KeyRecord::decode(&offline.body(Table::Key, &id)).unwrap();
    let record = KeyRecord { usage: KeyUsageType::KeyAgreement, ..record };
    offline.commit(Batch::default().put(RowKey::new(Table::Key, id), record.encode()));
    drop(offline);
    home.live(async |live| {
        let derive = json!({"KeyId": arn, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public});
        for (operation, request) in [("DeriveSharedSecret", derive), ("GetPublicKey", json!({"KeyId": arn}))] {
            let answer = live.administrator().ask(operation, &request).await;
            assert_eq!((answer.code, answer.body), ("KMSInternalException", json!(null)), "{operation}");
        }
    });
}

fn assert_fails_closed(two: &Two) {
    two.home.live(async |live| {
        let admin = live.administrator();
        admin.ok("EnableKey", json!({"KeyId": two.ids[0]})).await;
        let mut requests = Vec::new();
        for id in &two.ids {
            requests.push(("Encrypt", encrypt(id)));
            requests.push(("GenerateDataKey", json!({"KeyId": id, "KeySpec": "AES_256"})));
        }
        requests.push(("Decrypt", json!({"CiphertextBlob": two.blob, "EncryptionContext": {"purpose": "scene"}})));
        for (operation, request) in requests {
            let answer = admin.ask(operation, &request).await;
            assert_eq!((answer.code, answer.body), ("KMSInternalException", json!(null)), "{operation}");
        }
    });
}
