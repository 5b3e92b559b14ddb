//! The operation table against the API model and the facts of the documentation: a row that says something else than
//! AWS does is found here, before anything runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;

use kms_core::operation::{self, Effect, On, Reach, Spec, TABLE};
use serde_json::Value;

use crate::harness::{Rows, fixture, json_fixture};

/// Lower it when an operation gets its row; never raise it.
const UNSUPPORTED_MAX: usize = 19;
const OPERATIONS: usize = 56;
/// Lower it when an error goes; never raise it.
const ERRORS_BEYOND_MODEL_MAX: usize = 5;

#[test]
fn each_operation_has_a_row_or_is_listed_as_lacking() {
    let model = json_fixture("model/kms.json");
    let all: BTreeSet<&str> = model["operations"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(all.len(), OPERATIONS);
    let text = fs::read_to_string(fixture("unsupported_operations.txt")).unwrap();
    let listed: Vec<&str> = text.lines().collect();
    assert!(listed.is_sorted_by(|one, next| one < next), "the list is sorted and names nothing twice");
    assert!(listed.len() <= UNSUPPORTED_MAX, "the list of lacking operations only shrinks");
    let rows: BTreeSet<&str> = TABLE.iter().map(|spec| spec.name).collect();
    assert_eq!(rows.len(), TABLE.len(), "an operation has two rows");
    let lacking: BTreeSet<&str> = listed.into_iter().collect();
    assert_eq!(rows.intersection(&lacking).count(), 0);
    assert_eq!(rows.union(&lacking).copied().collect::<BTreeSet<_>>(), all);
}

#[test]
fn each_row_is_found_by_its_name_only() {
    for spec in TABLE {
        assert!(std::ptr::eq(operation::find(spec.name).unwrap(), *spec));
        assert!(operation::find(&spec.name.to_lowercase()).is_none());
        assert!(operation::is_known(spec.name));
    }
    assert!(operation::find("ReplicateKey").is_none() && operation::is_known("ReplicateKey"));
    assert!(operation::find("Nonsense").is_none() && !operation::is_known("Nonsense"));
}

#[test]
fn shapes_are_the_models() {
    let model = json_fixture("model/kms.json");
    for spec in TABLE {
        let operation = &model["operations"][spec.name];
        assert_eq!(operation["input"]["shape"], spec.input, "{}", spec.name);
        assert_eq!(operation["output"]["shape"].as_str().unwrap_or_default(), spec.output, "{}", spec.name);
    }
}

#[test]
fn reach_is_what_the_documentation_says() {
    let facts = json_fixture("model/facts.json");
    for spec in TABLE {
        // Null: it uses no account's resource.
        let across = facts["operations"][spec.name]["cross_account"].as_bool().unwrap_or(false);
        for check in spec.checks {
            assert_eq!(check.reach == Reach::AnyAccount, across, "{} on {:?}", spec.name, check.on);
        }
    }
}

#[test]
fn permissions_are_what_the_documentation_says() {
    let facts = json_fixture("model/facts.json");
    for spec in TABLE {
        let stated: Vec<(String, String)> = facts["operations"][spec.name]["permissions"]
            .as_array()
            .unwrap()
            .iter()
            // What takes a permission only in some requests is no column of the row; authorization.rs has a test of it.
            .filter(|permission| permission.get("when").is_none())
            .map(|permission| (text(permission, "action"), text(permission, "on")))
            .collect();
        let declared: Vec<(String, String)> =
            spec.checks.iter().map(|check| (check.action.to_owned(), resource(spec, check.on).to_owned())).collect();
        assert_eq!(declared, stated, "{}", spec.name);
    }
}

#[test]
fn aliases_are_taken_where_the_documentation_says() {
    let facts = json_fixture("model/facts.json");
    for spec in TABLE {
        let mut declared: Vec<&str> = spec.checks.iter().filter_map(|check| alias_member(check.on)).collect();
        declared.sort_unstable();
        let stated = facts["operations"][spec.name]["accepts_alias"].as_array().unwrap();
        let mut stated: Vec<&str> = stated.iter().map(|member| member.as_str().unwrap()).collect();
        stated.sort_unstable();
        assert_eq!(declared, stated, "{}", spec.name);
    }
}

#[test]
fn effects_are_cloudtrails_read_only() {
    let listed = Rows::read("effects.tsv");
    let names: BTreeSet<&str> = listed.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, TABLE.iter().map(|spec| spec.name).collect());
    assert_eq!(names.len(), listed.rows.len(), "an operation is listed twice");
    for spec in TABLE {
        let row = listed.find(spec.name).unwrap();
        let effect = match listed.value(row, "effect") {
            "read" => Effect::Read,
            "write" => Effect::Write,
            other => panic!("{}: {other}", spec.name),
        };
        assert_eq!(spec.effect, effect, "{}", spec.name);
    }
}

/// That no answer has another code is checked of every answer that any suite gets (`harness::Client::ask`).
#[test]
fn errors_beyond_the_model_are_few_and_each_has_a_reason() {
    let listed = Rows::read("errors_beyond_model.tsv");
    assert!(listed.rows.len() <= ERRORS_BEYOND_MODEL_MAX, "the list of errors beyond the model only shrinks");
    for row in &listed.rows {
        let model = kms_core::model::OperationModel::find(&row[0]).unwrap();
        assert!(model.errors.iter().all(|code| code.as_str() != row[1]), "{} {} is in the model", row[0], row[1]);
        assert!(!listed.value(row, "reason").is_empty());
    }
}

fn text(permission: &Value, name: &str) -> String {
    permission[name].as_str().unwrap().to_owned()
}

/// The word of `facts.json` for the resource that a check is on.
fn resource(spec: &Spec, on: On) -> &'static str {
    match (spec.name, on) {
        ("ListRetirableGrants", On::Nothing) => "retiring principal",
        (_, On::Nothing) => "account",
        (_, On::Alias) => "alias",
        (_, On::Source) => "source key",
        (_, On::Destination) => "destination key",
        ("UpdateAlias", On::AliasTarget) => "current key",
        ("UpdateAlias", On::NewTarget) => "new key",
        (_, On::Key | On::KeyToGrant | On::KeyOrAlias | On::Ciphertext | On::GrantKey) => "key",
        (_, On::AliasTarget | On::NewTarget) => "key",
    }
}

/// The member of the request that may name an alias in place of a key.
fn alias_member(on: On) -> Option<&'static str> {
    match on {
        On::KeyOrAlias | On::Ciphertext => Some("KeyId"),
        On::Source => Some("SourceKeyId"),
        On::Destination => Some("DestinationKeyId"),
        _ => None,
    }
}
