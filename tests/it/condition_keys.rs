//! Each operation x each condition key: whether the key is in the request, and what it says, against
//! `fixtures/condition_keys.tsv`. What a decision looked at is read from the audit log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use kms_core::operation::{On, Spec, TABLE};
use kms_core::registry::{ControlPolicies, Manifest, MemberAccount, NamedPolicy, Organization, OrganizationalUnit};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, Client, Home, PARTNER, Rows, Scene, arn, cast, document};

/// One record holds what was looked at under at most 64 keys.
const KEYS_AT_ONCE: usize = 45;

#[test]
fn requests_have_the_keys_that_the_documentation_says() {
    let table = Rows::read("condition_keys.tsv");
    for rows in table.rows.chunks(KEYS_AT_ONCE) {
        let home = Home::new();
        let asked = home.live(async |live| {
            live.region.declare(&looking_at(rows)).await.unwrap();
            let admin = live.administrator();
            let mut asked = BTreeMap::new();
            for spec in TABLE {
                let request = request(&admin, spec).await;
                let answer = admin.ask(spec.name, &request).await;
                assert_eq!(answer.code, "OK", "{} {request}: {}", spec.name, answer.message);
                asked.insert(answer.request_id, *spec);
            }
            asked
        });
        let (_, records) = home.records();
        let mut compared = 0;
        for record in records {
            let Some(spec) = asked.get(record["requestID"].as_str().unwrap()) else { continue };
            compared += 1;
            let context = record["kannuki"]["context"].as_object().unwrap();
            rows.iter().for_each(|row| compare(spec, &table, row, &context[&row[0]]));
        }
        assert_eq!(compared, TABLE.len());
    }
}

fn compare(spec: &Spec, table: &Rows, row: &[String], said: &Value) {
    let (key, operations, value) = (&row[0], table.value(row, "operations"), table.value(row, "value"));
    let on_key = !matches!(spec.checks.last().unwrap().on, On::Nothing | On::Alias);
    let has = operations.split(' ').any(|one| match one {
        "all" => true,
        "key" => on_key,
        name => name == spec.name,
    });
    let said: Vec<&str> = said.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
    assert_eq!(!said.is_empty(), has, "{key} of {}: {said:?}", spec.name);
    if has && value != "-" {
        assert_eq!(said.join(" "), value, "{key} of {}", spec.name);
    }
}

/// The cast, in an organization, with an administrator whose policies look at these keys and allow everything.
fn looking_at(rows: &[Vec<String>]) -> Manifest {
    let looks = rows.iter().map(|row| {
        json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {
            "Null": {row[0].clone(): "true"}, "StringEquals": {"aws:PrincipalType": "Nobody"},
        }})
    });
    let mut manifest = cast();
    let administrator = &mut manifest.accounts[0].users[0];
    administrator.policies.push(NamedPolicy { name: "looks".to_owned(), document: document(looks) });
    administrator.tags.insert("team".to_owned(), "blue".to_owned());
    let unit = "ou-ab12-11111111".to_owned();
    let member = |id: &str, parent: &str| MemberAccount {
        id: id.to_owned(),
        parent: parent.to_owned(),
        attached: ControlPolicies::default(),
    };
    manifest.organizations = vec![Organization {
        id: "o-exampleorgid".to_owned(),
        management_account: PARTNER.to_owned(),
        root: "r-ab12".to_owned(),
        units: vec![OrganizationalUnit {
            id: unit.clone(),
            parent: "r-ab12".to_owned(),
            attached: ControlPolicies::default(),
        }],
        accounts: vec![member(PARTNER, "r-ab12"), member(ACCOUNT, &unit)],
        ..Organization::default()
    }];
    manifest
}

/// A request with everything in it that a condition key shows.
async fn request(admin: &Client, spec: &Spec) -> Value {
    let scene = Scene::about(spec.name, admin, None).await;
    let alias = scene.alias().await;
    let mut request = scene.request(spec.name).await;
    let mut set = |member: &str, value: Value| request[member] = value;
    let constraints = json!({"EncryptionContextSubset": {"purpose": "scene"}, "SourceArn": "arn:aws:sqs:us-east-1:111122223333:queue"});
    match spec.name {
        "CreateKey" => {
            set("BypassPolicyLockoutSafetyCheck", true.into());
            set("Tags", json!([{"TagKey": "new", "TagValue": "2"}]));
        }
        "PutKeyPolicy" => set("BypassPolicyLockoutSafetyCheck", true.into()),
        name if name.starts_with("GenerateDataKey") => {
            set("EncryptionContext", json!({"purpose": "scene"}));
        }
        "CreateGrant" => {
            set("Operations", json!(["Encrypt", "RetireGrant"]));
            set("RetiringPrincipal", arn("keeper").into());
            set("Constraints", constraints);
        }
        "RetireGrant" => {
            let grant = json!({"KeyId": scene.arn, "GranteePrincipal": admin.arn, "Operations": ["Encrypt", "RetireGrant"],
                "Constraints": constraints});
            set("GrantId", admin.ok("CreateGrant", grant).await["GrantId"].clone());
        }
        "CancelKeyDeletion" => scene.put("PendingDeletion").await,
        _ => {}
    }
    for (on, member) in [
        (On::KeyOrAlias, "KeyId"),
        (On::Ciphertext, "KeyId"),
        (On::Source, "SourceKeyId"),
        (On::Destination, "DestinationKeyId"),
    ] {
        if spec.checks.iter().any(|check| check.on == on) {
            request[member] = alias.as_str().into();
        }
    }
    request
}
