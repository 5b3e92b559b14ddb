//! Lists and their pages, tags, aliases and dry runs, as a caller meets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod principals;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::error::KmsError;
use crate::scene::{ELSEWHERE, Scene, arn, play};

/// Walks a list by pages of `limit`; the items' names, in the order in which they were shown.
async fn walk(scene: &Scene, name: &str, body: &Value, limit: usize, items: &str, item: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marker = Value::Null;
    loop {
        let mut asked = body.clone();
        asked["Limit"] = limit.into();
        asked["Marker"] = marker;
        let page = scene.ask("admin", name, asked).await.unwrap();
        let shown = page[items].as_array().unwrap();
        names.extend(shown.iter().map(|entry| entry[item].as_str().unwrap().to_owned()));
        assert_eq!(page["Truncated"].as_bool(), Some(page.get("NextMarker").is_some()), "{name}: {page}");
        marker = page["NextMarker"].clone();
        if marker.is_null() {
            return names;
        }
        assert_eq!(shown.len(), limit, "only the last page of {name} is short");
    }
}

#[test]
fn pages_show_everything_once_whatever_their_size() {
    play(async |scene| {
        let tags: Vec<_> = (0..5).map(|n| json!({ "TagKey": format!("t{n}"), "TagValue": "" })).collect();
        let key = scene.key(json!({ "Tags": tags })).await;
        for n in 0..4 {
            scene.key(json!({})).await;
            let alias = json!({ "AliasName": format!("alias/{n}"), "TargetKeyId": key });
            scene.ask("admin", "CreateAlias", alias).await.unwrap();
            let grant = json!({ "KeyId": key, "GranteePrincipal": arn("nobody"), "RetiringPrincipal": arn("someone"),
                "Operations": ["Encrypt"] });
            scene.ask("admin", "CreateGrant", grant).await.unwrap();
        }
        let of_key = json!({ "KeyId": key });
        for (name, body, items, item, count) in [
            ("ListKeys", json!({}), "Keys", "KeyArn", 5),
            ("ListAliases", json!({}), "Aliases", "AliasName", 4),
            ("ListAliases", of_key.clone(), "Aliases", "AliasName", 4),
            ("ListGrants", of_key.clone(), "Grants", "GrantId", 4),
            ("ListRetirableGrants", json!({ "RetiringPrincipal": arn("someone") }), "Grants", "GrantId", 4),
            ("ListResourceTags", of_key.clone(), "Tags", "TagKey", 5),
        ] {
            let whole = walk(&scene, name, &body, 50, items, item).await;
            assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), count, "{name}");
            for limit in 1..=count {
                assert_eq!(walk(&scene, name, &body, limit, items, item).await, whole, "{name} by {limit}");
            }
        }
        let policies = scene.ask("admin", "ListKeyPolicies", of_key).await.unwrap();
        assert_eq!(policies, json!({ "PolicyNames": ["default"], "Truncated": false }));
    });
}

#[test]
fn a_page_is_bounded_and_its_marker_is_good_for_its_list_alone() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        scene.key(json!({})).await;
        let page = scene.ask("admin", "ListKeys", json!({ "Limit": 1 })).await.unwrap();
        let marker = page["NextMarker"].clone();
        let ask = async |who, name, body| scene.ask(who, name, body).await;
        assert_eq!(ask("admin", "ListAliases", json!({ "Marker": marker })).await, Err(KmsError::InvalidMarker));
        assert_eq!(ask("stranger", "ListKeys", json!({ "Marker": marker })).await, Err(KmsError::InvalidMarker));
        for (name, max) in [("ListGrants", 100), ("ListResourceTags", 50), ("ListKeyPolicies", 1000)] {
            ask("admin", name, json!({ "KeyId": key, "Limit": max })).await.unwrap();
            let refused = ask("admin", name, json!({ "KeyId": key, "Limit": max + 1 })).await.unwrap_err();
            let text = format!("Member must have value less than or equal to {max}");
            assert!(refused.message().ends_with(&text), "{name}: {refused:?}");
        }
    });
}

#[test]
fn lists_of_another_account_are_not_shown() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        scene.ask("admin", "CreateAlias", json!({ "AliasName": "alias/a", "TargetKeyId": key })).await.unwrap();
        assert_eq!(scene.ask("stranger", "ListKeys", json!({})).await.unwrap()["Keys"], json!([]));
        assert_eq!(scene.ask("stranger", "ListAliases", json!({})).await.unwrap()["Aliases"], json!([]));
        let refused = scene.ask("stranger", "ListAliases", json!({ "KeyId": key })).await.unwrap_err();
        assert_eq!(refused, KmsError::KeyNotFound { arn: key.clone() });
        let role = format!("arn:aws:iam::{ELSEWHERE}:role/x");
        let listed = scene.ask("stranger", "ListRetirableGrants", json!({ "RetiringPrincipal": role })).await.unwrap();
        assert_eq!(listed, json!({ "Grants": [], "Truncated": false }));
        let refused = scene.ask("admin", "ListRetirableGrants", json!({ "RetiringPrincipal": role })).await;
        assert!(matches!(refused, Err(KmsError::InvalidArn(_))));
        let both = json!({ "KeyId": key, "GranteePrincipal": arn("nobody"), "GranteeServicePrincipal": "a.b.com" });
        assert!(matches!(scene.ask("admin", "ListGrants", both).await, Err(KmsError::Validation(_))));
    });
}

#[test]
fn a_tag_that_is_set_again_keeps_its_place() {
    play(async |scene| {
        let key = scene
            .key(json!({ "Tags": [{ "TagKey": "b", "TagValue": "1" }, { "TagKey": "a", "TagValue": "2" }] }))
            .await;
        let ask = async |name, body| scene.ask("admin", name, body).await;
        let tags = json!([{ "TagKey": "c", "TagValue": "3" }, { "TagKey": "b", "TagValue": "4" }]);
        ask("TagResource", json!({ "KeyId": key, "Tags": tags })).await.unwrap();
        ask("UntagResource", json!({ "KeyId": key, "TagKeys": ["a", "never there"] })).await.unwrap();
        let listed = ask("ListResourceTags", json!({ "KeyId": key })).await.unwrap();
        let expected = json!([{ "TagKey": "b", "TagValue": "4" }, { "TagKey": "c", "TagValue": "3" }]);
        assert_eq!(listed["Tags"], expected);
        let many = |from: usize, to: usize| -> Value {
            (from..to).map(|n| json!({ "TagKey": n.to_string(), "TagValue": "" })).collect()
        };
        ask("TagResource", json!({ "KeyId": key, "Tags": many(0, 48) })).await.unwrap();
        for (tags, text) in [
            (many(48, 49), "Too many tags"),
            (json!([{ "TagKey": "x", "TagValue": "" }, { "TagKey": "x", "TagValue": "" }]), "Duplicate tag keys"),
            (json!([{ "TagKey": "AWS:x", "TagValue": "" }]), "Tags beginning with aws: are reserved"),
        ] {
            assert_eq!(ask("TagResource", json!({ "KeyId": key, "Tags": tags })).await, Err(KmsError::Tag(text)));
        }
    });
}

#[test]
fn a_dry_run_may_leave_the_ciphertext_out_of_account() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let ask = async |who, body| scene.ask(who, "Decrypt", body).await.unwrap_err();
        let modifiers = json!(["IGNORE_CIPHERTEXT"]);
        let body = json!({ "KeyId": key, "DryRun": true, "DryRunModifiers": modifiers });
        assert_eq!(ask("admin", body.clone()).await, KmsError::DryRun);
        assert!(matches!(ask("nobody", body).await, KmsError::AccessDenied(_)));
        let for_real = json!({ "KeyId": key, "DryRunModifiers": modifiers });
        assert_eq!(ask("admin", for_real).await, KmsError::Validation("CiphertextBlob is required.".to_owned()));
        let garbage = json!({ "KeyId": key, "DryRun": true, "CiphertextBlob": "AAAA" });
        assert_eq!(ask("admin", garbage).await, KmsError::InvalidCiphertext);
    });
}

#[test]
fn an_encryption_context_beyond_what_the_hsm_takes_is_the_caller_s_error() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let encrypt = async |chars: usize| {
            let body = json!({ "KeyId": key, "Plaintext": "eA==", "EncryptionContext": { "k": "v".repeat(chars) } });
            scene.ask("admin", "Encrypt", body).await
        };
        encrypt(60_000).await.unwrap();
        for chars in [65_500, 70_000] {
            let expected = KmsError::Validation("The encryption context is too long.".to_owned());
            assert_eq!(encrypt(chars).await, Err(expected));
        }
        // As near to the bound as a request can come.
        let longest = kms_hsm::CONTEXT_BYTES_MAX - 2 * 64 - 1;
        encrypt(longest).await.unwrap();
        assert!(matches!(encrypt(longest + 1).await, Err(KmsError::Validation(_))));
    });
}

#[test]
fn a_public_key_that_is_shown_is_no_use_of_the_key() {
    play(async |scene| {
        let key = scene.key(json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" })).await;
        let id = crate::id::KeyId::parse(key.rsplit('/').next().unwrap()).unwrap();
        let last_used = || scene.region.view().key(id).unwrap().usage.last_used();
        scene.ask("admin", "GetPublicKey", json!({ "KeyId": key })).await.unwrap();
        assert_eq!(last_used(), None);
        let sign = json!({ "KeyId": key, "Message": "eA==", "SigningAlgorithm": "ECDSA_SHA_256" });
        scene.ask("admin", "Sign", sign).await.unwrap();
        assert_eq!(last_used(), Some(scene.region.clock().now()));
    });
}

#[test]
fn a_dry_run_of_a_pair_makes_none_and_a_wrong_one_is_refused_before() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let ask = async |body: Value| scene.ask("admin", "GenerateDataKeyPair", body).await.unwrap_err();
        let dry = json!({ "KeyId": key, "KeyPairSpec": "RSA_4096", "DryRun": true });
        assert_eq!(ask(dry).await, KmsError::DryRun);
        let lacking = json!({ "KeyId": key, "KeyPairSpec": "SM2", "DryRun": true });
        assert!(matches!(ask(lacking).await, KmsError::Unsupported(_)));
    });
}
