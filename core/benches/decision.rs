//! The policy decision: an endpoint policy of 2 statements, a key policy of 5, three identity policies; and the same on
//! a key with 10,000 grants, one of them the caller's.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod scene;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::future::join_all;
use kms_core::authz::{
    Document, FactMap, Kind, Policies, Principal, Question, Recorded, Value, decide, default_key_policy,
};
use kms_core::id::KeyId;
use kms_core::view::KeyEntry;
use serde_json::json;

use scene::{ACCOUNT, KEY, Scene};

const PRINCIPAL: &str = "arn:aws:iam::111122223333:user/administrator";
const GRANTS: usize = 10_000;
/// As many as the store takes into one transaction.
const TOGETHER: usize = 200;
const ENDPOINT: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*",
     "Condition":{"StringNotEquals":{"aws:PrincipalAccount":["111122223333","444455556666"]}}},
    {"Effect":"Allow","Principal":"*","Action":["kms:Encrypt","kms:Decrypt"],
     "Resource":"arn:aws:kms:us-east-1:111122223333:key/*",
     "Condition":{"StringEquals":{"kannuki:SourceVpcTag/env":"${aws:ResourceTag/env}"}}}]}"#;
const IDENTITY: [&str; 3] = [
    r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}}"#,
    r#"{"Statement":{"Effect":"Deny","Action":"kms:Schedule*","Resource":"*"}}"#,
    r#"{"Statement":{"Effect":"Allow","Action":["kms:Encrypt"],"Resource":"arn:aws:kms:*:111122223333:key/*"}}"#,
];

/// Four statements before the default policy's own.
fn key_policy() -> String {
    default_key_policy(ACCOUNT).replace(
        "\"Statement\" : [",
        r#""Statement" : [
        {"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["kms:Create*","kms:Put*"],"Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["kms:Decrypt","kms:Sign"],"Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*",
         "Condition":{"Bool":{"kms:GrantIsForAWSResource":true}}},
        {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*",
         "Condition":{"NotIpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}}},"#,
    )
}

struct Case {
    principal: Principal,
    endpoint: Document,
    identity: Vec<Document>,
    facts: FactMap,
}

impl Case {
    fn new() -> Self {
        let mut facts = FactMap::default();
        for (name, value) in [
            ("aws:PrincipalAccount", ACCOUNT),
            ("kannuki:SourceVpcTag/env", "prod"),
            ("aws:ResourceTag/env", "prod"),
            ("aws:VpcSourceIp", "10.1.2.3"),
        ] {
            facts.insert(name, Value::one(value));
        }
        Self {
            principal: Principal::parse_arn(PRINCIPAL, "aws").unwrap(),
            endpoint: Document::parse(ENDPOINT, Kind::Endpoint).unwrap(),
            identity: IDENTITY.iter().map(|text| Document::parse(text, Kind::Identity).unwrap()).collect(),
            facts,
        }
    }

    /// Gathers what has a say about the key and decides, as the judge of a request does.
    fn decide(&self, key: &KeyEntry) {
        let seen = Recorded::new(&self.facts);
        let question = Question {
            principal: &self.principal,
            action: "kms:Encrypt",
            resource: &key.arn,
            resource_account: Some(ACCOUNT),
            encryption_context: None,
            facts: &seen,
        };
        let policies = Policies {
            endpoint: Some(&self.endpoint),
            key: Some(&key.policy.document),
            identity: &self.identity.iter().collect::<Vec<_>>(),
            grants: &key.grants_of(&self.principal),
            ..Policies::default()
        };
        assert!(decide(&question, &policies).is_allowed());
        black_box(seen.finish());
    }
}

fn decisions(criterion: &mut Criterion) {
    let system = actix::System::new();
    let scene = system.block_on(Scene::open(Some(key_policy())));
    let entry = || scene.region.view().key(KeyId::parse(KEY).unwrap()).unwrap().clone();
    let (case, plain) = (Case::new(), entry());
    system.block_on(async {
        let own = json!({ "KeyId": KEY, "GranteePrincipal": PRINCIPAL, "Operations": ["Decrypt"] });
        // The others are those of as many services.
        let others = (1..GRANTS).map(|index| {
            json!({ "KeyId": KEY, "GranteeServicePrincipal": format!("s{index}.amazonaws.com"),
                "RetiringPrincipal": PRINCIPAL, "Operations": ["Decrypt", "DescribeKey"],
                "Constraints": { "SourceArn": format!("arn:aws:backup:us-east-1:{ACCOUNT}:vault-{index}") } })
        });
        let bodies: Vec<_> = std::iter::once(own).chain(others).collect();
        for bodies in bodies.chunks(TOGETHER) {
            join_all(bodies.iter().map(|body| scene.ask("CreateGrant", body))).await;
        }
    });
    let granted = entry();
    assert_eq!((plain.grant_count(), granted.grant_count()), (0, GRANTS));
    let mut group = criterion.benchmark_group("decision");
    group.bench_function("no grants", |bench| bench.iter(|| case.decide(black_box(&plain))));
    group.bench_function("10,000 grants", |bench| bench.iter(|| case.decide(black_box(&granted))));
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
