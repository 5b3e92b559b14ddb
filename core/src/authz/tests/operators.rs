//! Every row of `operators.json`, in an Allow and in a Deny.

use serde_json::{Value as Json, json};

use super::super::{Document, Kind, Policies, Principal, Question, Verdict, decide};
use super::{facts, fixture, insert};

#[test]
fn every_operator_holds_as_written() {
    let file = fixture("operators.json");
    let mut operators = std::collections::BTreeSet::new();
    for row in file["rows"].as_array().unwrap() {
        let (operator, values, value, expected) = (row[0].as_str().unwrap(), &row[1], &row[2], &row[3]);
        let allow = verdict(&file["context"], value, &[statement("Allow", operator, values)]);
        assert_eq!(allow == Verdict::Allowed, *expected == json!(true), "Allow {row}");
        let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let deny = verdict(&file["context"], value, &[all, statement("Deny", operator, values)]);
        assert_eq!(deny == Verdict::ExplicitDeny, *expected != json!(false), "Deny {row}");
        operators.insert(operator);
    }
    assert!(operators.len() >= 40, "{operators:?}");
}

/// `aws:x` is the key under test.
fn statement(effect: &str, operator: &str, values: &Json) -> Json {
    json!({ "Effect": effect, "Action": "kms:*", "Resource": "*", "Condition": { operator: { "aws:x": values } } })
}

fn verdict(context: &Json, value: &Json, statements: &[Json]) -> Verdict {
    let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let document = Document::parse(&document, Kind::Identity).unwrap();
    let mut facts = facts(context);
    insert(&mut facts, "aws:x", value);
    let principal = Principal::parse_arn("arn:aws:iam::111122223333:user/ana", "aws").unwrap();
    let question = Question {
        principal: &principal,
        action: "kms:GenerateRandom",
        resource: "*",
        resource_account: None,
        encryption_context: None,
        facts: &facts,
    };
    decide(&question, &Policies { identity: &[&document], ..Policies::default() }).verdict
}
