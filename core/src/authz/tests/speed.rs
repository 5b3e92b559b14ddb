//! A guard against a decision that became slow by orders of magnitude; the real figure is for the benchmark.

use std::time::Instant;

use super::super::{Document, FactMap, Kind, Policies, Principal, Question, Value, decide, default_key_policy};

const DECISIONS: u32 = 20_000;

#[test]
fn a_usual_decision_stays_cheap() {
    let parse = |text: &str, kind| Document::parse(text, kind).unwrap();
    let endpoint = parse(
        r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":["111122223333","444455556666"]}}},
        {"Effect":"Allow","Principal":"*","Action":["kms:Encrypt","kms:Decrypt"],"Resource":"arn:aws:kms:us-east-1:111122223333:key/*","Condition":{"StringEquals":{"kannuki:SourceVpcTag/env":"${aws:ResourceTag/env}"}}}]}"#,
        Kind::Endpoint,
    );
    let key = parse(
        &default_key_policy("111122223333").replace(
            "\"Statement\" : [",
            r#""Statement" : [
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/admin"},"Action":["kms:Create*","kms:Describe*","kms:Put*"],"Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/bo"},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"kms:*","Resource":"*","Condition":{"Bool":{"kms:GrantIsForAWSResource":true}}},
        {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"NotIpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}}},"#,
        ),
        Kind::Key,
    );
    let identity = [
        parse(r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}}"#, Kind::Identity),
        parse(r#"{"Statement":{"Effect":"Deny","Action":"kms:Schedule*","Resource":"*"}}"#, Kind::Identity),
        parse(
            r#"{"Statement":{"Effect":"Allow","Action":["kms:Encrypt"],"Resource":"arn:aws:kms:*:111122223333:key/*"}}"#,
            Kind::Identity,
        ),
    ];
    let mut facts = FactMap::default();
    for (name, value) in [
        ("aws:PrincipalAccount", "111122223333"),
        ("kannuki:SourceVpcTag/env", "prod"),
        ("aws:ResourceTag/env", "prod"),
        ("aws:VpcSourceIp", "10.1.2.3"),
    ] {
        facts.insert(name, Value::one(value));
    }
    let principal = Principal::parse_arn("arn:aws:iam::111122223333:user/ana", "aws").unwrap();
    let question = Question {
        principal: &principal,
        action: "kms:Encrypt",
        resource: "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        resource_account: Some("111122223333"),
        encryption_context: None,
        facts: &facts,
    };
    let policies = Policies {
        endpoint: Some(&endpoint),
        key: Some(&key),
        identity: &identity.iter().collect::<Vec<_>>(),
        ..Policies::default()
    };
    let start = Instant::now();
    for _ in 0..DECISIONS {
        assert!(decide(&question, &policies).is_allowed());
    }
    let each = start.elapsed() / DECISIONS;
    assert!(each.as_micros() < 500, "a decision takes {each:?}");
}
