//! Every rule of `policy lint` on a document that breaks it and one that does not: `tests/fixtures/policy_lint.json`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::super::lint::{guess, lint};
use crate::authz::Kind;

fn kind(name: &str) -> Kind {
    match name {
        "key" => Kind::Key,
        "endpoint" => Kind::Endpoint,
        "identity" => Kind::Identity,
        "scp" => Kind::ServiceControl,
        "rcp" => Kind::ResourceControl,
        "session" => Kind::Session,
        "boundary" => Kind::Boundary,
        "trust" => Kind::Trust,
        other => panic!("{other}"),
    }
}

#[test]
fn each_rule_speaks_where_it_should_and_nowhere_else() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/policy_lint.json");
    let file: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut seen, mut failures) = (BTreeSet::new(), Vec::new());
    for row in file["rows"].as_array().unwrap() {
        let text =
            row["text"].as_str().map_or_else(|| serde_json::to_string_pretty(&row["document"]).unwrap(), str::to_owned);
        let found = lint(&text, kind(row["kind"].as_str().unwrap()));
        let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
        let expected: Vec<&str> = row["rules"].as_array().unwrap().iter().map(|rule| rule.as_str().unwrap()).collect();
        if rules != expected {
            failures.push(format!("{}: {rules:?}, not {expected:?}: {found:?}", row["name"]));
        }
        if let Some(line) = row["line"].as_u64() {
            assert_eq!(found[0].line as u64, line, "{}", row["name"]);
        }
        if let Some(part) = row["says"].as_str() {
            assert!(found.iter().any(|finding| finding.message.contains(part)), "{}: {found:?}", row["name"]);
        }
        seen.extend(rules.into_iter().map(str::to_owned));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    let sources =
        [include_str!("../lint/mod.rs"), include_str!("../lint/rules.rs"), include_str!("../lint/conditions.rs")];
    let named = regex::Regex::new(r#""([a-z]+(?:-[a-z]+)+)""#).unwrap();
    let all: BTreeSet<String> =
        sources.iter().flat_map(|source| named.captures_iter(source)).map(|rule| rule[1].to_owned()).collect();
    assert_eq!(all.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new(), "rules that no row shows");
}

#[test]
fn kinds_are_guessed() {
    for (text, expected) in [
        (r#"{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}"#, Kind::Identity),
        (r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}"#, Kind::Key),
        (r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*"}}"#, Kind::Endpoint),
        (
            r#"{"Id":"key-1","Statement":{"Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*"}}"#,
            Kind::Key,
        ),
        (r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#, Kind::Endpoint),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"arn:aws:kms:r:1:key/x"}}"#,
            Kind::Endpoint,
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}"#,
            Kind::Trust,
        ),
    ] {
        assert_eq!(guess(text), expected, "{text}");
    }
    assert!(lint(&crate::authz::default_key_policy("111122223333"), Kind::Key).is_empty());
    assert!(lint(crate::authz::default_endpoint_policy(), Kind::Endpoint).is_empty());
}

proptest::proptest! {
    #[test]
    fn any_text_is_looked_over(text in "\\PC{0,80}|\\{\"Statement\":(\\[\\{\"[A-Z][a-z]{2,8}\":[\"{}\\[\\]a-z:*,$]{0,30}\\}\\]|\\{\\})\\}") {
        for kind in Kind::ALL {
            let _ = lint(&text, kind);
        }
        let _ = guess(&text);
    }
}
