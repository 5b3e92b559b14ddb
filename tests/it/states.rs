//! Each operation in each state that a key can be in, after the table of key states: through the whole pipeline.
//! Requests lead to Enabled, Disabled and PendingDeletion; PendingImport is written into the closed store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use kms_core::key::record::{KeyRecord, Stored as _};
use kms_core::key::state::KeyState;
use kms_core::operation::{On, TABLE};
use kms_core::store::{Batch, RowKey, Table};
use serde_json::{Value, json};

use crate::harness::{Client, Home, Live, Offline, Rows, Scene, re_encrypt};

/// What the table calls a refusal: code and the end of its text, after the key's ARN.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("disabled", "DisabledException", " is disabled."),
    ("pending_deletion", "KMSInvalidStateException", " is pending deletion."),
    ("not_pending_deletion", "KMSInvalidStateException", " is not pending deletion."),
    ("pending_import", "KMSInvalidStateException", " is pending import."),
];

/// One row of the table with a key of its own and a request that is about it.
struct Case {
    row: Vec<String>,
    key: Scene,
    request: Value,
}

impl Case {
    /// Everything that the request needs is made while the key is still Enabled.
    async fn new(owner: &Client, row: &[String]) -> Self {
        let key = Scene::about(&row[0], owner, None).await;
        let other = Scene::new(owner).await;
        let request = match row[0].as_str() {
            "ReEncrypt:source" => re_encrypt(&key.arn, &other.arn, &key.blob),
            "ReEncrypt:destination" => re_encrypt(&other.arn, &key.arn, &other.blob),
            "UpdateAlias:new" => json!({"AliasName": other.alias().await, "TargetKeyId": key.id}),
            "UpdateAlias:old" => json!({"AliasName": key.alias().await, "TargetKeyId": other.id}),
            "ListAliases" => json!({"KeyId": key.arn}),
            operation => key.request(operation).await,
        };
        Self { row: row.to_vec(), key, request }
    }

    fn operation(&self) -> &str {
        self.row[0].split(':').next().unwrap()
    }

    async fn check(&self, rows: &Rows, asker: &Client, state: &str) {
        let expected = rows.value(&self.row, state);
        let answer = asker.ask(self.operation(), &self.request).await;
        let seen = (answer.code, answer.message.as_str());
        let context = format!("{} of a key that is {state}", self.row[0]);
        if expected == "ok" {
            assert_eq!(seen, ("OK", ""), "{context}");
            return;
        }
        let (_, code, end) =
            REFUSALS.iter().find(|(name, ..)| *name == expected).unwrap_or_else(|| panic!("{context}"));
        assert_eq!(seen, (*code, format!("{}{end}", self.key.arn).as_str()), "{context}");
    }
}

fn rows_in_service(rows: &Rows) -> Vec<&Vec<String>> {
    let has_row = |row: &&Vec<String>| TABLE.iter().any(|spec| row[0].split(':').next() == Some(spec.name));
    rows.rows.iter().filter(has_row).collect()
}

async fn cases(live: &Live, rows: &Rows) -> Vec<Case> {
    let mut cases = Vec::new();
    for row in rows_in_service(rows) {
        cases.push(Case::new(&live.administrator(), row).await);
    }
    cases
}

fn reachable(state: &str) {
    let rows = Rows::read("key_states.tsv");
    Home::new().live(async |live| {
        for case in cases(live, &rows).await {
            case.key.put(state).await;
            case.check(&rows, &live.administrator(), state).await;
        }
    });
}

#[test]
fn enabled() {
    reachable("Enabled");
}

#[test]
fn disabled() {
    reachable("Disabled");
}

#[test]
fn pending_deletion() {
    reachable("PendingDeletion");
}

#[test]
fn pending_import() {
    let rows = Rows::read("key_states.tsv");
    let home = Home::new();
    let made: Vec<(Vec<String>, String, Value)> = home.live(async |live| {
        cases(live, &rows).await.into_iter().map(|case| (case.row, case.key.arn, case.request)).collect()
    });
    let offline = Offline::open(&home);
    let mut batch = Batch::default();
    for (_, arn, _) in &made {
        let id = arn.rsplit('/').next().unwrap();
        let record = KeyRecord::decode(&offline.body(Table::Key, id)).unwrap();
        let record = KeyRecord { state: KeyState::PendingImport, ..record };
        batch = batch.put(RowKey::new(Table::Key, id), record.encode());
    }
    offline.commit(batch);
    drop(offline);
    home.live(async |live| {
        for (row, arn, request) in made {
            let owner = live.administrator();
            let key = Scene::found(&owner, &arn);
            Case { row, key, request }.check(&rows, &owner, "PendingImport").await;
        }
    });
}

#[test]
fn each_operation_on_a_key_has_a_row() {
    let rows = Rows::read("key_states.tsv");
    let listed: BTreeSet<&str> = rows_in_service(&rows).iter().map(|row| row[0].split(':').next().unwrap()).collect();
    let keyed = TABLE.iter().filter(|spec| spec.checks.iter().any(|check| check.on != On::Nothing));
    // ListAliases takes a key without a permission on it.
    let keyed: BTreeSet<&str> = keyed.map(|spec| spec.name).chain(["ListAliases"]).collect();
    assert_eq!(listed, keyed);
}

#[test]
fn a_change_of_state_is_what_describe_key_shows() {
    Home::new().live(async |live| {
        let admin = live.administrator();
        let key = Scene::new(&admin).await;
        let on_key = || json!({"KeyId": key.id});
        let steps = [
            ("DisableKey", "Disabled"),
            ("DisableKey", "Disabled"),
            ("EnableKey", "Enabled"),
            ("ScheduleKeyDeletion", "PendingDeletion"),
            ("CancelKeyDeletion", "Disabled"),
            ("EnableKey", "Enabled"),
        ];
        for (operation, state) in steps {
            admin.ok(operation, on_key()).await;
            let shown = &admin.ok("DescribeKey", on_key()).await["KeyMetadata"];
            assert_eq!(shown["KeyState"], state, "after {operation}");
            assert_eq!(shown["Enabled"], state == "Enabled");
            assert_eq!(shown.get("DeletionDate").is_some(), state == "PendingDeletion");
        }
    });
}
