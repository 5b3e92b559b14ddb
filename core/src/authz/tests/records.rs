//! What an evaluation looked at, and how condition keys are named.

use std::borrow::Cow;

use super::super::{
    Document, FactKey, FactMap, Facts, Kind, Policies, Principal, Question, RECORD_BYTES_MAX, RECORD_KEYS_MAX,
    Recorded, Value, decide,
};

#[test]
fn a_key_has_a_head_and_a_tail() {
    for (written, head, tail) in [
        ("aws:SourceVpc", "aws:sourcevpc", None),
        ("aws:ResourceTag/Team/A", "aws:resourcetag", Some("team/a")),
        ("kms:EncryptionContext:App:Name", "kms:encryptioncontext", Some("app:name")),
        ("kannuki:SourceVpcTag/", "kannuki:sourcevpctag", Some("")),
        ("nothing", "nothing", None),
    ] {
        let key = FactKey::new(written);
        assert_eq!((key.written(), key.head(), key.tail()), (written, head, tail));
    }
}

#[test]
fn names_among_pairs_ignore_case_and_refuse_to_guess() {
    let pairs = [("Team", "a"), ("env", "b"), ("ENV", "c"), ("Été", "d")];
    assert_eq!(Value::among(pairs, "team"), Some(Value::one("a")));
    assert_eq!(Value::among(pairs, "env"), Some(Value::Ambiguous));
    assert_eq!(Value::among(pairs, "été"), Some(Value::one("d")));
    assert_eq!(Value::among(pairs, "x"), None);
}

#[test]
fn lookups_are_recorded_once_with_their_values() {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
        "StringEquals":{"aws:A":"${aws:B, 'x'}"},"ForAnyValue:StringLike":{"aws:C":"c*"},"Null":{"AWS:a":"false"}}}]}"#;
    let document = Document::parse(text, Kind::Identity).unwrap();
    let mut facts = FactMap::default();
    facts.insert("aws:a", Value::one("x"));
    facts.insert("aws:c", Value::many(["b", "c1"]));
    let recorded = Recorded::new(&facts);
    let principal = Principal::parse_arn("arn:aws:iam::111122223333:user/ana", "aws").unwrap();
    let question = Question {
        principal: &principal,
        action: "kms:ListKeys",
        resource: "*",
        resource_account: None,
        encryption_context: None,
        facts: &recorded,
    };
    assert!(decide(&question, &Policies { identity: &[&document], ..Policies::default() }).is_allowed());
    let (looked, left_out) = recorded.finish();
    assert_eq!(left_out, 0);
    let json = serde_json::to_string(&looked).unwrap();
    assert_eq!(
        json,
        r#"[{"key":"aws:A","value":"x"},{"key":"aws:B","value":null},{"key":"aws:C","value":["b","c1"]}]"#
    );
}

#[test]
fn the_record_is_bounded() {
    let mut facts = FactMap::default();
    facts.insert("aws:large", Value::One(Cow::Owned("x".repeat(RECORD_BYTES_MAX))));
    let recorded = Recorded::new(&facts);
    assert!(recorded.value(&FactKey::new("aws:large")).is_some());
    for number in 0..RECORD_KEYS_MAX + 2 {
        assert_eq!(recorded.value(&FactKey::new(&format!("aws:{number}"))), None);
    }
    let (looked, left_out) = recorded.finish();
    assert_eq!((looked.len(), left_out), (RECORD_KEYS_MAX, 3));
}
