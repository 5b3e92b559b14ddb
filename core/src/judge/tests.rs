//! What callers are told and not told, and what the lockout check takes into account.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod keys;
pub(crate) mod layers;

use serde_json::{Value, json};

use crate::error::KmsError;
use crate::scene::{ELSEWHERE, OPEN, SHUT, Scene, TAGGED, arn, play};

const NO_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000";
const NO_ALIAS: &str = "arn:aws:kms:us-east-1:111122223333:alias/absent";

async fn told(scene: &Scene, through: Option<&str>, who: &str, name: &str, body: Value) -> KmsError {
    scene.ask_through(through, who, name, body).await.unwrap_err()
}

fn reads_like(error: &KmsError, other: &KmsError, name: &str, other_name: &str) {
    assert_eq!((error.code(), error.message().replace(name, other_name)), (other.code(), other.message()));
}

#[test]
fn a_stranger_cannot_tell_a_key_from_no_key() {
    play(async |scene| {
        let tags = json!([{ "TagKey": "env", "TagValue": "prod" }]);
        let key = scene.key(json!({ "Tags": tags })).await;
        scene.ask("admin", "CreateAlias", json!({ "AliasName": "alias/there", "TargetKeyId": key })).await.unwrap();
        let alias = NO_ALIAS.replace("absent", "there");
        for through in [None, Some(OPEN), Some(TAGGED), Some(SHUT)] {
            for (name, more) in [
                ("DescribeKey", json!({})),
                ("Encrypt", json!({ "Plaintext": "eA==" })),
                ("GenerateDataKey", json!({ "KeySpec": "AES_256" })),
            ] {
                for (there, absent) in [(key.as_str(), NO_KEY), (alias.as_str(), NO_ALIAS)] {
                    let ask = async |key: &str| {
                        let mut body = more.clone();
                        body["KeyId"] = key.into();
                        told(&scene, through, "stranger", name, body).await
                    };
                    reads_like(&ask(there).await, &ask(absent).await, there, absent);
                }
            }
        }
    });
}

#[test]
fn a_stranger_s_own_denial_by_tag_tells_nothing() {
    play(async |scene| {
        let mut manifest = crate::scene::manifest();
        let deny = json!({ "Statement": [
            { "Effect": "Allow", "Action": "kms:*", "Resource": "*" },
            { "Effect": "Deny", "Action": "kms:*", "Resource": "*",
              "Condition": { "StringEquals": { "aws:ResourceTag/env": "prod" } } },
        ] });
        manifest.accounts[1].users[0].policies[0].document = deny.to_string();
        scene.region.declare(&manifest).await.unwrap();
        let key = scene.key(json!({ "Tags": [{ "TagKey": "env", "TagValue": "prod" }] })).await;
        let there = told(&scene, None, "stranger", "DescribeKey", json!({ "KeyId": key })).await;
        let absent = told(&scene, None, "stranger", "DescribeKey", json!({ "KeyId": NO_KEY })).await;
        reads_like(&there, &absent, &key, NO_KEY);
        // Who was let in by the owner is told what AWS tells.
        scene.grant(&key, "stranger", &["DescribeKey"]).await;
        let invited = told(&scene, None, "stranger", "DescribeKey", json!({ "KeyId": key })).await;
        assert!(invited.message().contains("with an explicit deny in an identity-based policy"), "{invited:?}");
    });
}

#[test]
fn a_forged_grant_token_tells_nothing_of_the_key_that_it_names() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let made = scene.grant(&key, "nobody", &["Encrypt"]).await;
        let forge = |key: &str, grant: &str| {
            let key = crate::id::KeyId::parse(key.rsplit('/').next().unwrap()).unwrap();
            let token = crate::grant_token::GrantToken::new(key, grant, crate::store::Revision(1)).unwrap();
            json!({ "GrantToken": token.encode(&[7; 32]) })
        };
        let real = made["GrantId"].as_str().unwrap();
        for token in [forge(&key, real), forge(&key, &"0".repeat(64)), forge(NO_KEY, real)] {
            for who in ["stranger", "nobody", "admin"] {
                assert_eq!(told(&scene, None, who, "RetireGrant", token.clone()).await, KmsError::InvalidGrantToken);
            }
        }
        let wrong = json!({ "KeyId": key, "GrantId": "no grant's id" });
        assert_eq!(told(&scene, None, "admin", "RetireGrant", wrong).await, KmsError::InvalidGrantId);
        let absent = json!({ "KeyId": key, "GrantId": "0".repeat(64) });
        let (there, there_not) = (
            told(&scene, None, "stranger", "RetireGrant", json!({ "KeyId": key, "GrantId": real })).await,
            told(&scene, None, "stranger", "RetireGrant", absent).await,
        );
        assert_eq!(there, there_not);
        let real = json!({ "GrantToken": made["GrantToken"] });
        scene.ask("admin", "RetireGrant", real).await.unwrap();
    });
}

#[test]
fn a_ciphertext_without_a_key_names_none() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let sealed = scene.ask("admin", "Encrypt", json!({ "KeyId": key, "Plaintext": "eA==" })).await.unwrap();
        let body = json!({ "CiphertextBlob": sealed["CiphertextBlob"] });
        for (through, who) in [(None, "stranger"), (None, "nobody"), (Some(SHUT), "admin"), (Some(TAGGED), "admin")] {
            assert_eq!(told(&scene, through, who, "Decrypt", body.clone()).await, KmsError::HiddenCiphertext);
        }
    });
}

#[test]
fn the_lockout_check_knows_the_new_key() {
    play(async |scene| {
        let policy = |condition: Value| {
            json!({ "Statement": { "Effect": "Allow", "Principal": { "AWS": arn("admin") }, "Action": "kms:*",
                "Resource": "*", "Condition": { "StringEquals": condition } } })
            .to_string()
        };
        let tags = json!([{ "TagKey": "team", "TagValue": "a" }]);
        let create = async |condition| {
            scene.ask("admin", "CreateKey", json!({ "Policy": policy(condition), "Tags": tags })).await
        };
        for condition in [
            json!({ "aws:ResourceTag/team": "a" }),
            json!({ "kms:KeySpec": "SYMMETRIC_DEFAULT" }),
            json!({ "aws:ResourceAccount": "111122223333" }),
        ] {
            create(condition.clone()).await.unwrap_or_else(|error| panic!("{condition}: {error:?}"));
        }
        let refused = create(json!({ "aws:ResourceTag/team": "b" })).await.unwrap_err();
        assert!(matches!(&refused, KmsError::MalformedPolicy(text) if text.starts_with("The new key policy")));
        let key = scene.key(json!({})).await;
        let put = json!({ "KeyId": key, "Policy": policy(json!({ "aws:ResourceTag/team": "a" })) });
        assert_eq!(told(&scene, None, "admin", "PutKeyPolicy", put).await, refused);
    });
}

#[test]
fn a_key_with_tags_takes_the_permission_to_tag() {
    play(async |scene| {
        let mut manifest = crate::scene::manifest();
        let only_create = r#"{"Statement":{"Effect":"Allow","Action":"kms:CreateKey","Resource":"*"}}"#;
        manifest.accounts[0].users[0].policies[0].document = only_create.to_owned();
        scene.region.declare(&manifest).await.unwrap();
        scene.key(json!({})).await;
        let tags = json!({ "Tags": [{ "TagKey": "a", "TagValue": "" }] });
        let refused = told(&scene, None, "admin", "CreateKey", tags).await;
        assert!(refused.message().contains("kms:TagResource"), "{refused:?}");
    });
}

#[test]
fn grants_to_no_such_principal_or_beyond_a_constraint_s_size_are_refused() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let create = async |more: Value| {
            let mut body = json!({ "KeyId": key, "Operations": ["Encrypt", "Encrypt"] });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            scene.ask("admin", "CreateGrant", body).await
        };
        let pairs = |count: usize, chars: usize| {
            let pairs = (0..count).map(|n| (n.to_string(), Value::from("v".repeat(chars))));
            json!({ "GranteePrincipal": arn("nobody"),
                "Constraints": { "EncryptionContextSubset": pairs.collect::<serde_json::Map<_, _>>() } })
        };
        create(pairs(8, 47)).await.unwrap();
        create(pairs(1, 383)).await.unwrap();
        for too_large in [pairs(9, 1), pairs(1, 384), pairs(8, 48)] {
            assert!(matches!(create(too_large).await, Err(KmsError::Validation(_))));
        }
        let cn = arn("nobody").replace("arn:aws:", "arn:aws-cn:");
        for principal in [cn, format!("arn:aws:iam::{ELSEWHERE}:user/ghost"), arn("nobody").replace("user", "group")] {
            let refused = create(json!({ "GranteePrincipal": principal })).await.unwrap_err();
            assert!(matches!(refused, KmsError::InvalidArn(_)), "{refused:?}");
        }
        let listed = scene.ask("admin", "ListGrants", json!({ "KeyId": key })).await.unwrap();
        assert_eq!(listed["Grants"][0]["Operations"], json!(["Encrypt"]));
    });
}
