#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::json;

use super::*;
use crate::scene::{ELSEWHERE, HERE, arn, play};

fn policy(effect: &str, principal: &str) -> String {
    let statement = json!({ "Effect": effect, "Principal": { "AWS": principal }, "Action": "kms:*", "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

#[test]
fn a_locked_key_opens_again_and_only_by_a_policy_that_keeps_it_open() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let locked = policy("Deny", "*");
        let put = json!({ "KeyId": key, "Policy": locked, "BypassPolicyLockoutSafetyCheck": true });
        scene.ask("admin", "PutKeyPolicy", put).await.unwrap();
        scene.ask("admin", "DescribeKey", json!({ "KeyId": key })).await.unwrap_err();
        let root = |account: &str| format!("arn:aws:iam::{account}:root");
        for refused in
            [locked.clone(), policy("Allow", &arn("gone")), policy("Allow", &root(ELSEWHERE)), "{}".to_owned()]
        {
            let error = scene.region.recover_policy(&key, Some(&refused)).await.unwrap_err();
            assert!(matches!(error, KmsError::MalformedPolicy(_)), "{refused}: {error:?}");
        }
        scene.ask("admin", "DescribeKey", json!({ "KeyId": key })).await.unwrap_err();
        let recovered = scene.region.recover_policy(&key, None).await.unwrap();
        assert_eq!((recovered.arn.as_str(), recovered.account.as_str()), (key.as_str(), HERE));
        assert_eq!(recovered.before, sha256(locked.as_bytes()));
        scene.ask("admin", "DescribeKey", json!({ "KeyId": key })).await.unwrap();
        for accepted in [policy("Allow", &root(HERE)), policy("Allow", &arn("nobody"))] {
            let recovered = scene.region.recover_policy(&key, Some(&accepted)).await.unwrap();
            assert_eq!(recovered.after, sha256(accepted.as_bytes()));
        }
        scene.ask("nobody", "DescribeKey", json!({ "KeyId": key })).await.unwrap();
    });
}

#[test]
fn what_is_no_key_here_is_refused() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let id = key.rsplit('/').next().unwrap().to_owned();
        for named in [id, key.replace(HERE, ELSEWHERE), "alias/x".to_owned(), "nonsense".to_owned()] {
            assert!(scene.region.recover_policy(&named, None).await.is_err(), "{named}");
        }
    });
}
