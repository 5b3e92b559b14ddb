//! Requests of each operation with one member bent: whatever is wrong with it, the answer is an error that AWS says the
//! operation has (`harness::Client::ask` holds each against the list), never a fault, and nothing breaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use kms_core::operation::TABLE;
use serde_json::{Value, json};

use crate::harness::{Home, Scene};

/// In place of a text: names of no key, of a key that is not there, of aliases, of another Region and account; no
/// base64, no ciphertext, no id, no policy.
const TEXTS: &[&str] = &[
    "nonsense",
    "00000000-1111-4222-8333-444444444444",
    "arn:aws:kms:us-east-1:111122223333:key/00000000-1111-4222-8333-444444444444",
    "arn:aws:kms:us-east-1:444455556666:key/00000000-1111-4222-8333-444444444444",
    "arn:aws:kms:us-west-2:111122223333:key/00000000-1111-4222-8333-444444444444",
    "arn:aws:kms:us-east-1:111122223333:alias/none",
    "arn:aws:kms:us-east-1:444455556666:alias/none",
    "arn:aws:iam::444455556666:user/partner",
    "alias/none",
    "alias/aws/ebs",
    "alias/with space",
    "AAAA",
    "AWVuY3J5cHRlZCwgc2F5cyBub2JvZHkgYXQgYWxs",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "{\"Version\":\"2012-10-17\",\"Statement\":[]}",
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:None\",\"Resource\":\"*\"}]}",
    "",
];

/// Members that a plain request leaves out, with values that bend it where the operation has such a member.
fn more() -> Vec<(&'static str, Value)> {
    vec![
        ("DryRun", json!(true)),
        ("GrantTokens", json!(["AAAA"])),
        ("GrantToken", json!("AAAA")),
        ("Marker", json!("nonsense")),
        ("Limit", json!(0)),
        ("Limit", json!(1)),
        ("Recipient", json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "AAAA"})),
        ("CustomKeyStoreId", json!("cks-1234567890abcdef0")),
        ("KeySpec", json!("RSA_2048")),
        ("KeySpec", json!("HMAC_256")),
        ("KeyUsage", json!("SIGN_VERIFY")),
        ("Origin", json!("EXTERNAL")),
        ("MultiRegion", json!(true)),
        ("EncryptionAlgorithm", json!("RSAES_OAEP_SHA_256")),
        ("SourceEncryptionAlgorithm", json!("RSAES_OAEP_SHA_256")),
        ("EncryptionContext", json!({"another": "context"})),
        ("SigningAlgorithm", json!("ECDSA_SHA_384")),
        ("MessageType", json!("DIGEST")),
        ("MessageType", json!("EXTERNAL_MU")),
        ("Message", json!("AAAA")),
        ("Signature", json!("MAYCAQECAQE=")),
        ("MacAlgorithm", json!("HMAC_SHA_512")),
        ("Mac", json!("AAAA")),
        ("PublicKey", json!("MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        ("KeyPairSpec", json!("SM2")),
        ("KeyPairSpec", json!("ML_KEM_768")),
        ("PolicyName", json!("another")),
        ("Policy", json!("{")),
        ("Policy", json!("x".repeat(40_000))),
        ("NumberOfBytes", json!(0)),
        ("PendingWindowInDays", json!(6)),
        ("Operations", json!(["Sign"])),
        ("Constraints", json!({"EncryptionContextEquals": {}, "EncryptionContextSubset": {}})),
        ("RetiringPrincipal", json!("arn:aws:iam::111122223333:user/none")),
        ("GranteeServicePrincipal", json!("s3.amazonaws.com")),
        ("Tags", json!([{"TagKey": "aws:x", "TagValue": ""}])),
        ("Tags", json!([{"TagKey": "x", "TagValue": ""}, {"TagKey": "x", "TagValue": ""}])),
        ("TagKeys", json!(["aws:x"])),
    ]
}

/// The request with a member more, or another value for it; with none, without the member.
fn bent(request: &Value, member: &str, value: Option<Value>) -> Value {
    let mut bent = request.clone();
    let members = bent.as_object_mut().unwrap();
    match value {
        Some(value) => drop(members.insert(member.to_owned(), value)),
        None => drop(members.remove(member)),
    }
    bent
}

fn variations(request: &Value) -> Vec<Value> {
    let mut all = vec![json!({})];
    for (member, value) in request.as_object().unwrap() {
        all.push(bent(request, member, None));
        for wrong in [json!(null), json!(7), json!([]), json!({}), json!("x".repeat(10_000))] {
            all.push(bent(request, member, Some(wrong)));
        }
        if value.is_string() {
            all.extend(TEXTS.iter().map(|text| bent(request, member, Some(json!(text)))));
        }
    }
    all.extend(more().into_iter().map(|(member, value)| bent(request, member, Some(value))));
    all
}

#[test]
fn each_error_is_one_that_the_operation_has() {
    Home::new().live(async |live| {
        let mut refused = 0;
        for spec in TABLE {
            let scene = Scene::about(spec.name, &live.administrator(), None).await;
            for request in variations(&scene.request(spec.name).await) {
                let answer = scene.owner.ask(spec.name, &request).await;
                assert_ne!(answer.code, "KMSInternalException", "{} {request}", spec.name);
                assert_eq!(answer.body.is_null(), !answer.is_ok());
                refused += usize::from(!answer.is_ok());
            }
        }
        assert!(refused > 1000, "only {refused} requests were refused");
        assert_eq!(live.region.ailment(), None);
    });
}

#[test]
fn a_disabled_or_deleted_key_is_no_exception() {
    Home::new().live(async |live| {
        for state in ["Disabled", "PendingDeletion"] {
            for spec in TABLE {
                let scene = Scene::about(spec.name, &live.administrator(), None).await;
                let request = scene.request(spec.name).await;
                scene.put(state).await;
                for (member, value) in more() {
                    let answer = scene.owner.ask(spec.name, &bent(&request, member, Some(value))).await;
                    assert_ne!(answer.code, "KMSInternalException", "{} {request}", spec.name);
                }
            }
        }
    });
}
