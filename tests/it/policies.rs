//! The folder of policy fixtures through the library: every request comes to what is written, and the folder as a whole
//! asks for every layer, condition key and operator. (The `py` suite runs the binary on it.)
//! Knows the folder; a fixture's meaning is the library's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kms_core::authz::Layer;
use kms_core::trial::suite::Suite;
use kms_core::trial::{Stage, differences, flips};
use kms_gateway::policy_suite;
use regex::Regex;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/policies")
}

fn suites() -> Vec<(PathBuf, Suite)> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let load = |path: PathBuf| {
        let suite = policy_suite::load(&path).unwrap_or_else(|faults| panic!("{faults}"));
        (path, suite)
    };
    files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).map(load).collect()
}

fn set(suite: Suite) -> Stage {
    Stage::set(suite).unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")))
}

#[test]
fn every_request_comes_to_what_is_written() {
    let (mut requests, mut layers, mut failures) = (0, BTreeSet::new(), Vec::new());
    for (path, suite) in suites() {
        for (request, outcome) in set(suite).played() {
            requests += 1;
            layers.insert(outcome.decision.decided_by.layer().as_str());
            let differences = differences(request, outcome);
            if !differences.is_empty() {
                failures.push(format!("{}: {}: {}", path.display(), request.name, differences.join("; ")));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(requests > 600, "only {requests} requests were found");
    assert_eq!(layers.len(), Layer::ALL.len(), "{layers:?}");
}

#[test]
fn every_condition_key_and_operator_is_asked_for() {
    let keys = include_str!("../../core/src/trial/lint/keys.rs");
    let texts: String = suites().into_iter().flat_map(|(_, suite)| suite.documents).map(|source| source.text).collect();
    let named = Regex::new(r#"\("(kms:[A-Za-z]+:?)"\)"#).unwrap();
    let mut asked = 0;
    for key in named.captures_iter(keys).map(|found| found[1].to_owned()) {
        assert!(texts.contains(&key), "no fixture asks for {key}");
        asked += 1;
    }
    assert!(asked > 40, "the keys were not found: {asked}");
    for operator in [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
        "Null",
        "StringEqualsIfExists",
        "ForAllValues:StringEquals",
        "ForAnyValue:StringLike",
    ] {
        assert!(texts.contains(&format!("\"{operator}\"")), "no fixture uses {operator}");
    }
}

/// Whoever breaks a policy must see it: without its documents' conditions, or with Allow and Deny exchanged, a fixture
/// does not come to what is written any more.
#[test]
fn each_file_notices_when_its_documents_change() {
    type Change = fn(&str) -> String;
    let exchanged: Change =
        |text| text.replace("\"Allow\"", "\"x\"").replace("\"Deny\"", "\"Allow\"").replace("\"x\"", "\"Deny\"");
    let silenced: Change = |text| text.replace("\"Action\"", "\"NotAction\"");
    for (path, suite) in suites() {
        for change in [exchanged, silenced] {
            let mut other = suite.clone();
            for document in &mut other.documents {
                document.text = change(&document.text);
            }
            // Where AWS would refuse the changed documents, that is notice enough.
            let Ok(old) = Stage::set(suite.with_documents_of(&other)) else { continue };
            assert!(!flips(&old, &set(suite.clone())).is_empty(), "{}", path.display());
        }
    }
}
