//! Every row of `documents.json`, sizes, the default policies, and the principals that a document names.

use serde_json::json;

use super::super::{Document, Kind, Malformed, PrincipalName, default_endpoint_policy, default_key_policy};
use super::{fixture, kind};

#[test]
fn documents_are_taken_as_strictly_as_written() {
    let file = fixture("documents.json");
    for row in file["rows"].as_array().unwrap() {
        let text = match (&row["text"], &row["document"], &row["statement"]) {
            (serde_json::Value::String(text), _, _) => text.clone(),
            (_, document, _) if !document.is_null() => document.to_string(),
            (_, _, statement) => json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string(),
        };
        for name in row["kinds"].as_array().unwrap() {
            let refused = Document::parse(&text, kind(name.as_str().unwrap())).err();
            let message = refused.as_ref().map(|malformed| malformed.message().into_owned());
            assert_eq!(message.as_deref(), row["message"].as_str(), "{} as {name}: {refused:?}", row["name"]);
        }
    }
}

#[test]
fn sizes_are_bounded_as_aws_counts_them() {
    let statement = |extra: &str| {
        format!(r#"{{"Id":"{extra}","Statement":{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}}}"#)
    };
    let identity = |extra: &str| statement(extra).replace(r#""Principal":"*","#, "");
    let room = |kind: Kind, text: &str| kind.size_max() - text.len();
    for kind in [Kind::Key, Kind::Endpoint] {
        let fits = statement(&"x".repeat(room(kind, &statement(""))));
        assert!(Document::parse(&fits, kind).is_ok());
        assert!(matches!(Document::parse(&format!("{fits} "), kind), Err(Malformed::TooLarge { .. })));
    }
    for kind in [Kind::Identity, Kind::Session, Kind::Boundary, Kind::ServiceControl] {
        let fits = identity(&"x".repeat(room(kind, &identity(""))));
        assert!(Document::parse(&format!("{fits}\n\n"), kind).is_ok());
        assert!(matches!(Document::parse(&fits.replace("xx", "xxx"), kind), Err(Malformed::TooLarge { .. })));
    }
    let blank = format!("{}{}", identity(""), " ".repeat(super::super::DOCUMENT_BYTES_MAX));
    assert!(matches!(Document::parse(&blank, Kind::Identity), Err(Malformed::TooLarge { .. })));
}

#[test]
fn deep_nesting_is_refused() {
    for text in
        ["[".repeat(20_000), r#"{"Statement":"#.repeat(2_000), format!("{}1{}", "[".repeat(500), "]".repeat(500))]
    {
        assert!(Document::parse(&text, Kind::Key).is_err());
    }
}

#[test]
fn the_default_policies_are_policies() {
    let key = Document::parse(&default_key_policy("111122223333"), Kind::Key).unwrap();
    assert_eq!(key.principals().collect::<Vec<_>>(), [&PrincipalName::Account("111122223333".into())]);
    let endpoint = Document::parse(default_endpoint_policy(), Kind::Endpoint).unwrap().named("vpce-1");
    assert_eq!((&**endpoint.name(), endpoint.kind(), endpoint.principals().count()), ("vpce-1", Kind::Endpoint, 0));
}

#[test]
fn every_named_principal_is_listed() {
    let text = json!({ "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": ["111122223333", "*"] }, "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "NotPrincipal": { "Service": "s3.amazonaws.com" }, "Action": "*", "Resource": "*" },
    ] });
    let document = Document::parse(&text.to_string(), Kind::Key).unwrap();
    let names: Vec<String> = document.principals().map(ToString::to_string).collect();
    assert_eq!(names, ["arn:aws:iam::111122223333:root", "s3.amazonaws.com"]);
}
