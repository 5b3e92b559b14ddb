//! Properties of the body reader and writer over generated bodies, and the proof that the first can fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use kms_hsm::Plaintext;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult, TestError, TestRunner};
use serde_json::{Value, json};

use super::read::{plain_slashes, read};
use super::*;
use crate::clock::Timestamp;

/// What an Encrypt request means, before it is written down in one of many ways.
#[derive(Clone, Debug)]
struct Meant {
    key_id: String,
    plaintext: Vec<u8>,
    context: BTreeMap<String, String>,
    tokens: Vec<String>,
    dry_run: Option<bool>,
    /// Decides every choice that the writer has.
    choices: Vec<u8>,
}

proptest! {
    #![proptest_config(Config::with_cases(256))]

    #[test]
    fn any_way_of_writing_a_request_is_read_as_it_was_meant(meant in meant()) {
        is_read_as_meant(&meant, EncryptRequest::parse)?;
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_taken(bytes in vec(any::<u8>(), 0..200), cut in 0..100usize) {
        let mut near = br#"{"KeyId":"k","Plaintext":"AA==","Tags":[{"TagKey":"a","TagValue":"b"}],"Limit":1}"#.to_vec();
        let at = cut % near.len();
        near.splice(at..at, bytes.iter().copied().take(3));
        for operation in OPERATIONS {
            let _ = (operation.validate)(&bytes);
            let _ = (operation.validate)(&near);
        }
    }

    #[test]
    fn any_json_is_refused_without_repeating_secrets(body in object(), operation in 0..OPERATIONS.len()) {
        let operation = &OPERATIONS[operation];
        if let Err(Invalid::Serialization(Some(text))) = (operation.validate)(body.to_string().as_bytes()) {
            prop_assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn outputs_are_read_back_by_another_reader(
        bytes in vec(any::<u8>(), 0..200), text in text(), at in 0..=u64::from(u32::MAX), policies in vec(text(), 0..3),
    ) {
        let output = GenerateDataKeyResponse {
            plaintext: Some(Plaintext::new(bytes.clone())), key_id: Some(text.clone()), ..Default::default()
        };
        let encoded = output.encode();
        prop_assert_eq!(encoded.len(), encoded.capacity(), "a copy was left behind by a growing buffer");
        let read: Value = serde_json::from_slice(&encoded).unwrap();
        let base64 = serde_json::to_value(Blob(bytes)).unwrap();
        prop_assert_eq!(read, json!({"Plaintext": base64, "KeyId": text}));
        let output = ListKeyPoliciesResponse { policy_names: policies.clone(), ..Default::default() };
        prop_assert_eq!(serde_json::from_slice::<Value>(&output.encode()).unwrap(), json!({"PolicyNames": policies, "Truncated": false}));
        let output = GetKeyLastUsageResponse { key_creation_date: Some(Timestamp(at)), ..Default::default() };
        let read: Value = serde_json::from_slice(&output.encode()).unwrap();
        prop_assert_eq!((read["KeyCreationDate"].as_f64().unwrap() * 1000.0).round() as u64, at);
    }
}

/// A reader that unescapes `\/` without minding that the backslash may itself be escaped.
#[test]
fn a_planted_bug_is_found() {
    let planted = |body: &[u8]| {
        read::<EncryptRequest>(body, |body| {
            let text = std::str::from_utf8(body).unwrap().replace(r"\/", "/");
            Some(Zeroizing::new(text.into_bytes()))
        })
    };
    let sound = |body: &[u8]| read::<EncryptRequest>(body, plain_slashes);
    let mut runner = TestRunner::new(Config { cases: 1000, failure_persistence: None, ..Config::default() });
    let found = runner.run(&meant(), |meant| is_read_as_meant(&meant, planted));
    assert!(matches!(found, Err(TestError::Fail(..))), "{found:?}");
    runner.run(&meant(), |meant| is_read_as_meant(&meant, sound)).unwrap();
}

fn is_read_as_meant(meant: &Meant, parse: impl Fn(&[u8]) -> Result<EncryptRequest, Invalid>) -> TestCaseResult {
    let body = Writer { choices: &meant.choices, next: 0 }.body(meant);
    let read = parse(body.as_bytes());
    prop_assert!(read.is_ok(), "{body}: {read:?}");
    let read = read.unwrap();
    prop_assert_eq!(&read.key_id, &meant.key_id);
    prop_assert_eq!(read.plaintext.expose(), &meant.plaintext[..]);
    prop_assert_eq!(read.encryption_context.unwrap_or_default(), meant.context.clone());
    prop_assert_eq!(&read.grant_tokens, &meant.tokens);
    prop_assert_eq!(read.dry_run, meant.dry_run);
    Ok(())
}

fn meant() -> impl Strategy<Value = Meant> {
    let required = (filled(), vec(prop_oneof![Just(0xff), any::<u8>()], 1..40));
    let optional = (btree_map(text(), text(), 0..4), vec(filled(), 0..4), any::<Option<bool>>());
    (required, optional, vec(any::<u8>(), 1..64)).prop_map(
        |((key_id, plaintext), (context, tokens, dry_run), choices)| Meant {
            key_id,
            plaintext,
            context,
            tokens,
            dry_run,
            choices,
        },
    )
}

/// Text of letters that JSON treats in special ways.
fn text() -> impl Strategy<Value = String> {
    let letter = proptest::sample::select(vec!['\\', '/', '"', 'a', 'u', 'n', 'é', '𝄞', '\n', '\0', '\u{7f}', ' ']);
    vec(letter, 0..8).prop_map(String::from_iter)
}

fn filled() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("k{text}"))
}

/// An object with the names of members and values of any type.
fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!("hunter2")),
        Just(json!("AA==")),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    let name = proptest::sample::select(vec![
        "KeyId",
        "Plaintext",
        "Message",
        "Tags",
        "TagKey",
        "TagValue",
        "GrantTokens",
        "EncryptionContext",
        "Constraints",
        "Recipient",
        "Limit",
        "DryRun",
        "KeyStorePassword",
        "XksProxyAuthenticationCredential",
        "RawSecretAccessKey",
        "ValidTo",
        "Operations",
        "Unknown",
    ]);
    let value = leaf.prop_recursive(4, 32, 6, move |inner| {
        let members = btree_map(name.clone(), inner.clone(), 0..6);
        let object =
            members.prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        prop_oneof![object.prop_map(Value::Object), vec(inner, 0..4).prop_map(Value::from)]
    });
    value.prop_map(|value| if value.is_object() { value } else { json!({"Plaintext": value}) })
}

/// Writes JSON as freely as RFC 8259 allows.
struct Writer<'a> {
    choices: &'a [u8],
    next: usize,
}

impl Writer<'_> {
    fn body(&mut self, meant: &Meant) -> String {
        let base64 = serde_json::to_value(Blob(meant.plaintext.clone())).unwrap();
        let mut members = vec![
            ("KeyId", self.string(&meant.key_id)),
            ("Plaintext", self.string(base64.as_str().unwrap())),
            ("Unknown", r#"{"KeyId":["\\\/",null,1e3]}"#.to_owned()),
        ];
        if !meant.context.is_empty() || self.choose(2) == 0 {
            let pairs: Vec<String> = meant
                .context
                .iter()
                .map(|(key, value)| format!("{}:{}", self.string(key), self.string(value)))
                .collect();
            members.push(("EncryptionContext", format!("{{{}}}", pairs.join(","))));
        }
        let tokens: Vec<String> = meant.tokens.iter().map(|token| self.string(token)).collect();
        members.push(("GrantTokens", format!("[{}]", tokens.join(" ,\n"))));
        members.push(("DryRun", meant.dry_run.map_or("null".to_owned(), |dry_run| dry_run.to_string())));
        let first = self.choose(members.len());
        members.rotate_left(first);
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{}:{value}", self.string(name))).collect();
        format!(" {{{}}}\r\n", members.join(", "))
    }

    fn string(&mut self, text: &str) -> String {
        let letters: String = text.chars().map(|letter| self.letter(letter)).collect();
        format!("\"{letters}\"")
    }

    fn letter(&mut self, letter: char) -> String {
        match (letter, self.choose(3)) {
            ('"' | '\\', 1 | 2) | ('/', 1) => format!("\\{letter}"),
            ('"' | '\\' | '\0'..'\u{20}', _) | (_, 2) => {
                let mut units = [0; 2];
                letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}")).collect()
            }
            _ => letter.to_string(),
        }
    }

    fn choose(&mut self, of: usize) -> usize {
        self.next += 1;
        usize::from(self.choices[self.next % self.choices.len()]) % of
    }
}
