//! Records replayed against other documents: what flips, what stays, and what cannot be told.

use serde_json::{Value as Json, json};

use super::super::{Papers, Replay, Turn};
use crate::authz::Verdict;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ANA: &str = "arn:aws:iam::111122223333:user/ana";
const ENDPOINT: &str = "vpce-0a1b2c3d4e5f60001";

/// A record of Encrypt through an endpoint, as the audit log has it.
fn record(verdict: &str, layer: &str) -> Json {
    json!({
        "eventVersion": "1.11", "eventTime": "2026-11-25T10:00:00Z", "eventSource": "kms.amazonaws.com", "eventName": "Encrypt",
        "userIdentity": { "type": "IAMUser", "principalId": "AIDAEXAMPLEEXAMPLE01", "arn": ANA, "accountId": "111122223333" },
        "awsRegion": "us-east-1", "sourceIPAddress": "10.0.0.9", "userAgent": "aws-cli",
        "requestParameters": { "keyId": "alias/a", "encryptionContext": { "app": "a" } }, "responseElements": null,
        "requestID": "r-1", "eventID": "e-1", "readOnly": true, "resources": [{ "accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY }],
        "eventType": "AwsApiCall", "vpcEndpointId": ENDPOINT, "vpcEndpointAccountId": "111122223333", "tlsDetails": { "tlsVersion": "TLSv1.3" },
        "kannuki": { "vpc": "vpc-0a1b2c3d4e5f60001", "decision": { "verdict": verdict, "layer": layer, "statement": "0" },
            "context": { "aws:ResourceTag/env": ["prod"], "aws:ResourceTag/team": [] } },
        "chain": { "writer": "w", "sequence": 1 },
    })
}

fn turn(record: &Json, with: &[(&str, Json)]) -> Turn {
    let mut papers = Papers::default();
    for (name, document) in with {
        papers.add(&document.to_string(), Some(name)).unwrap();
    }
    Replay::new(papers).line(&record.to_string()).unwrap().unwrap().turn
}

fn endpoint(effect: &str, condition: Json) -> Json {
    json!({ "Statement": { "Effect": effect, "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": condition } })
}

fn key(principal: &str) -> Json {
    json!({ "Statement": { "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "kms:*", "Resource": "*" } })
}

fn identity(action: &str) -> Json {
    json!({ "Statement": { "Effect": "Allow", "Action": action, "Resource": "*" } })
}

#[test]
fn an_endpoint_policy_is_replayed_on_what_was_allowed() {
    let allowed = record("allow", "identity");
    let with = |condition| turn(&allowed, &[(ENDPOINT, endpoint("Allow", condition))]);
    assert_eq!(with(json!({})), Turn::Same);
    assert_eq!(with(json!({ "StringEquals": { "aws:ResourceTag/env": "prod" } })), Turn::Same);
    assert_eq!(with(json!({ "StringEquals": { "aws:ResourceTag/env": "dev" } })), Turn::Flips(Verdict::ImplicitDeny));
    assert_eq!(with(json!({ "Null": { "aws:ResourceTag/team": "true" } })), Turn::Same);
    assert_eq!(turn(&allowed, &[(ENDPOINT, endpoint("Deny", json!({})))]), Turn::Flips(Verdict::ExplicitDeny));
    assert_eq!(turn(&allowed, &[("vpce-0000000000000000a", endpoint("Deny", json!({})))]), Turn::Untouched);
}

#[test]
fn what_follows_from_the_record_is_known_and_nothing_else_is() {
    let allowed = record("allow", "identity");
    for (condition, same) in [
        (
            json!({ "StringEquals": { "aws:SourceVpc": "vpc-0a1b2c3d4e5f60001", "aws:VpceAccount": "111122223333" } }),
            true,
        ),
        (json!({ "IpAddress": { "aws:VpcSourceIp": "10.0.0.0/8" }, "Null": { "aws:SourceIp": "true" } }), true),
        (json!({ "DateLessThan": { "aws:CurrentTime": "2026-11-25T09:00:00Z" } }), false),
        (
            json!({ "StringEquals": { "kms:EncryptionContext:app": "a" }, "Bool": { "aws:SecureTransport": "true" } }),
            true,
        ),
        (json!({ "StringEquals": { "kms:EncryptionContext:app": "b" } }), false),
        (
            json!({ "StringEquals": { "aws:PrincipalArn": ANA, "aws:username": "ana", "aws:ResourceAccount": "111122223333" } }),
            true,
        ),
        (
            json!({ "StringEquals": { "aws:userid": "AIDAEXAMPLEEXAMPLE01" }, "Null": { "kms:ViaService": "true" } }),
            true,
        ),
    ] {
        let found = turn(&allowed, &[(ENDPOINT, endpoint("Allow", condition.clone()))]);
        assert_eq!(found == Turn::Same, same, "{condition}: {found:?}");
        assert!(!matches!(found, Turn::CannotTell(_)), "{condition}: {found:?}");
    }
    for key in ["aws:PrincipalTag/team", "kms:KeySpec", "kannuki:SourceVpcTag/env"] {
        let condition = json!({ "StringEquals": { key: "x" } });
        let Turn::CannotTell(why) = turn(&allowed, &[(ENDPOINT, endpoint("Allow", condition))]) else {
            panic!("{key}")
        };
        assert!(why.contains(key), "{why}");
    }
}

#[test]
fn a_denial_is_lifted_only_where_every_layer_is_known() {
    let denied = record("implicitDeny", "vpce");
    let open = (ENDPOINT, endpoint("Allow", json!({})));
    assert!(matches!(turn(&denied, std::slice::from_ref(&open)), Turn::CannotTell(_)));
    // That nothing denies follows from the record; that the key policy and the identity policy allow, from the documents.
    let delegated = (KEY, key("111122223333"));
    assert!(matches!(turn(&denied, &[open.clone(), delegated.clone()]), Turn::CannotTell(_)));
    let direct = (KEY, key(ANA));
    assert_eq!(turn(&denied, &[open.clone(), direct]), Turn::Flips(Verdict::Allowed));
    assert_eq!(turn(&denied, &[(ENDPOINT, endpoint("Deny", json!({})))]), Turn::Flips(Verdict::ExplicitDeny));
    assert!(
        matches!(turn(&denied, &[open, delegated, (ANA, identity("kms:*"))]), Turn::CannotTell(_)),
        "a boundary may be there"
    );
}

#[test]
fn a_key_policy_is_replayed_with_the_identity_that_allowed() {
    let allowed = record("allow", "identity");
    assert_eq!(turn(&allowed, &[(KEY, key("111122223333"))]), Turn::Same);
    assert_eq!(turn(&allowed, &[(KEY, key(ANA))]), Turn::Same);
    assert!(matches!(turn(&allowed, &[(KEY, key("444455556666"))]), Turn::CannotTell(_)), "a grant may be there");
    assert_eq!(turn(&record("allow", "grant"), &[(KEY, key("444455556666"))]), Turn::Same);
    let deny = json!({ "Statement": { "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*" } });
    assert_eq!(turn(&allowed, &[(KEY, deny)]), Turn::Flips(Verdict::ExplicitDeny));
}

#[test]
fn listings_of_aws_are_read() {
    let account = json!({
        "UserDetailList": [{ "Arn": ANA, "UserPolicyList": [{ "PolicyName": "inline", "PolicyDocument": identity("s3:*") }], "GroupList": ["g"],
            "AttachedManagedPolicies": [{ "PolicyName": "m", "PolicyArn": "arn:aws:iam::111122223333:policy/m" }] }],
        "GroupDetailList": [{ "Arn": "arn:aws:iam::111122223333:group/g", "GroupName": "g", "GroupPolicyList": [{ "PolicyName": "e", "PolicyDocument": "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22kms%3AEncrypt%22%2C%22Resource%22%3A%22*%22%7D%7D" }], "AttachedManagedPolicies": [] }],
        "RoleDetailList": [],
        "Policies": [{ "Arn": "arn:aws:iam::111122223333:policy/m", "PolicyVersionList": [{ "Document": identity("sqs:*"), "VersionId": "v2", "IsDefaultVersion": true }] }],
    });
    let endpoints = json!({ "VpcEndpoints": [{ "VpcEndpointId": ENDPOINT, "PolicyDocument": endpoint("Allow", json!({})).to_string() }] });
    let mut papers = Papers::default();
    papers.add(&account.to_string(), None).unwrap();
    papers.add(&endpoints.to_string(), None).unwrap();
    papers.add(&key("111122223333").to_string(), Some(KEY)).unwrap();
    let mut replay = Replay::new(papers);
    let mut turn = |record: &Json| replay.line(&record.to_string()).unwrap().unwrap().turn;
    assert_eq!(turn(&record("implicitDeny", "vpce")), Turn::Flips(Verdict::Allowed));
    let mut other = record("allow", "identity");
    other["eventName"] = json!("Decrypt");
    assert!(matches!(turn(&other), Turn::CannotTell(_)), "the identity policies no longer allow it; a grant may");
    let mut papers = Papers::default();
    assert!(papers.add("{}", None).unwrap_err().contains("NAME=FILE"));
    assert!(papers.add("[", None).is_err());
    assert!(papers.add(r#"{"UserDetailList":[{"Arn":"a","GroupList":["x"]}]}"#, None).unwrap_err().contains("`x`"));
}

#[test]
fn lines_without_a_decision_are_passed_over() {
    let mut replay = Replay::new(Papers::default());
    let mut bare = record("allow", "identity");
    bare["kannuki"] = json!({});
    let mut sts = record("allow", "identity");
    sts["eventSource"] = json!("sts.amazonaws.com");
    for line in [bare, sts, json!({ "eventTime": "x", "eventType": "KannukiAuditNote" })] {
        assert_eq!(replay.line(&line.to_string()).unwrap(), None, "{line}");
    }
    assert!(replay.line("nonsense").is_err());
    let mut two = record("allow", "identity");
    two["eventName"] = json!("ReEncrypt");
    assert!(matches!(self::turn(&two, &[(KEY, key(ANA))]), Turn::CannotTell(_)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]
    #[test]
    fn any_file_is_added_or_refused(text in "\\PC{0,60}|\\{\"(VpcEndpoints|UserDetailList|Policies)\":[\\[\\]{}a-z\":]{0,20}\\}", name in "vpce-[a-f0-9]{0,9}|arn:[a-z:/]{0,30}|[a-f0-9-]{0,36}") {
        let mut papers = Papers::default();
        let _ = (papers.add(&text, None), papers.add(&text, Some(&name)));
    }

    #[test]
    fn any_line_is_replayed_or_refused(line in "\\PC{0,80}", verdict in "allow|explicitDeny|implicitDeny|x", layer in "scp|vpce|resource|identity|grant|session|y") {
        let mut papers = Papers::default();
        papers.add(&endpoint("Allow", json!({})).to_string(), Some(ENDPOINT)).unwrap();
        let mut replay = Replay::new(papers);
        let _ = replay.line(&line);
        let _ = replay.line(&record(&verdict, &layer).to_string());
    }
}
