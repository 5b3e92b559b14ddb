//! Properties of the document parser, and the proof that they catch a parser that is wrong.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use serde_json::{Value as Json, json};

use super::super::{Document, FactMap, Kind, Policies, Principal, Question, decide};

/// Whether a text is taken as a document. The parser under test, or one with a planted bug.
type Parser = fn(&str, Kind) -> bool;

fn parser(text: &str, kind: Kind) -> bool {
    Document::parse(text, kind).is_ok()
}

/// Drops what it does not know, as a lenient parser would.
fn lenient(text: &str, kind: Kind) -> bool {
    const KNOWN: [&str; 5] = ["Effect", "Principal", "Action", "Resource", "Condition"];
    let Ok(mut json) = serde_json::from_str::<Json>(text) else { return false };
    for statement in json["Statement"].as_array_mut().into_iter().flatten() {
        if let Json::Object(members) = statement {
            members.retain(|name, _| KNOWN.contains(&name.as_str()));
        }
    }
    Document::parse(&json.to_string(), kind).is_ok()
}

/// Loses its footing on an empty list.
fn panicking(text: &str, kind: Kind) -> bool {
    let Ok(json) = serde_json::from_str::<Json>(text) else { return false };
    if let Some(Json::Array(actions)) = json["Statement"][0].get("Action") {
        assert!(!actions.is_empty());
    }
    Document::parse(text, kind).is_ok()
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Identity), Just(Kind::Key), Just(Kind::Endpoint), Just(Kind::ServiceControl)]
}

fn scalars() -> impl Strategy<Value = Json> {
    prop_oneof![
        "[a-z*?${}:/',]{0,8}".prop_map(Json::from),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
    ]
}

fn conditions() -> impl Strategy<Value = Json> {
    let operator = prop_oneof![
        Just("StringLike"),
        Just("ForAnyValue:StringEqualsIfExists"),
        Just("NumericLessThan"),
        Just("DateGreaterThanIfExists"),
        Just("Bool"),
        Just("Null"),
        Just("NotIpAddress"),
        Just("ArnLike"),
        Just("BinaryEquals"),
    ];
    let values = prop_oneof![scalars(), prop::collection::vec(scalars(), 0..3).prop_map(Json::from)];
    (operator, "(aws|kms):[A-Za-z/:]{1,9}", values)
        .prop_map(|(operator, key, values)| json!({ operator: { key: values } }))
}

/// A statement that every parser must take, for a kind of document.
fn statements(kind: Kind) -> impl Strategy<Value = Json> {
    let effect = prop_oneof![Just("Allow"), Just("Deny")];
    let action = prop_oneof![Just(json!("kms:*")), Just(json!(["kms:Encrypt", "kms:De?rypt"])), Just(json!("*"))];
    let resource = prop_oneof![Just(json!("*")), Just(json!(["arn:aws:kms:*:111122223333:key/${aws:username}"]))];
    (effect, action, resource, prop::option::of(conditions())).prop_map(move |(effect, action, resource, condition)| {
        let mut statement = json!({ "Effect": effect, "Action": action, "Resource": resource });
        if matches!(kind, Kind::Key | Kind::Endpoint) {
            statement["Principal"] = json!({ "AWS": "111122223333" });
        }
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    })
}

/// One way to spoil a statement.
fn spoil(statement: &mut Json, how: u8) {
    match how % 8 {
        0 => statement["Extra"] = json!("x"),
        1 => statement["NotAction"] = json!("kms:Encrypt"),
        2 => statement["NotResource"] = json!("*"),
        3 => statement["Effect"] = json!("Permit"),
        4 => statement["Condition"] = json!({ "StringAlmost": { "aws:x": "y" } }),
        5 => statement["Action"] = json!([]),
        6 => statement["Action"] = json!({ "kms": "*" }),
        _ => statement["Resource"] = json!("key/1234"),
    }
}

fn near_valid() -> impl Strategy<Value = (String, Kind, bool)> {
    kinds().prop_flat_map(|kind| {
        (prop::collection::vec(statements(kind), 1..4), prop::option::of(any::<u8>())).prop_map(
            move |(mut all, spoilt)| {
                if let Some(how) = spoilt {
                    spoil(&mut all[0], how);
                }
                let document = json!({ "Version": "2012-10-17", "Statement": all });
                (document.to_string(), kind, spoilt.is_none())
            },
        )
    })
}

/// Valid documents are taken, spoilt ones are refused, and neither makes the parser panic.
fn parser_property(parser: Parser) -> Result<(), TestError<(String, Kind, bool)>> {
    let config = Config { cases: 512, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    );
    runner.run(&near_valid(), |(text, kind, valid)| {
        prop_assert_eq!(parser(&text, kind), valid, "{}", text);
        Ok(())
    })
}

#[test]
fn the_parser_takes_what_is_valid_and_nothing_else() {
    parser_property(parser).unwrap();
}

#[test]
fn the_property_catches_planted_bugs() {
    for wrong in [lenient as Parser, panicking] {
        assert!(matches!(parser_property(wrong), Err(TestError::Fail(..))));
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC{0,60}|[\\[\\]{}\",:a-zA-Z*]{0,80}", kind in kinds()) {
        let _ = Document::parse(&text, kind);
    }

    #[test]
    fn any_json_is_taken_or_refused(value in arbitrary_json(), kind in kinds()) {
        let text = json!({ "Statement": value }).to_string();
        let _ = Document::parse(&text, kind);
        let _ = Document::parse(&value.to_string(), kind);
    }

    #[test]
    fn whatever_is_taken_can_be_asked(
        document in near_valid(),
        value in scalars(),
        many in prop::collection::vec("[a-z0-9]{0,4}", 0..3),
    ) {
        let (text, kind, _) = document;
        let Ok(document) = Document::parse(&text, kind) else { return Ok(()) };
        let mut facts = FactMap::default();
        facts.insert("aws:a", super::super::Value::One(value.to_string().into()));
        facts.insert("aws:b", super::super::Value::many(many.iter().map(String::as_str)));
        let principal = Principal::parse_arn("arn:aws:iam::111122223333:user/ana", "aws").unwrap();
        let question = Question {
            principal: &principal,
            action: "kms:Encrypt",
            resource: "arn:aws:kms:us-east-1:111122223333:key/1234",
            resource_account: Some("111122223333"),
            encryption_context: None,
            facts: &facts,
        };
        let policies = Policies { key: Some(&document), identity: &[&document], ..Policies::default() };
        let decision = decide(&question, &policies);
        // Deny wins: taking the same documents' Denies away can only widen.
        prop_assert_eq!(decision.is_allowed() && !decision.explicit_denies.is_empty(), false);
    }
}

fn arbitrary_json() -> impl Strategy<Value = Json> {
    const NAMES: &str =
        "Effect|Action|NotAction|Resource|Principal|NotPrincipal|Condition|Sid|AWS|Bool|Null|aws:x|[a-z]{0,4}";
    scalars().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((NAMES, inner), 0..5).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}
