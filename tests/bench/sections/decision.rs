//! A policy decision: an endpoint policy of 2 statements, a key policy of 5, three identity policies; and the same on a
//! key with 10,000 grants. In this process, on the load's core; no request around it.

mod keys;

use std::hint::black_box;
use std::time::Instant;

use kms_core::authz::{Document, FactMap, Kind, Policies, Principal, Question, Recorded, Value, decide};
use kms_core::view::KeyEntry;

use self::keys::{GRANTED, Keys, PRINCIPAL, SHARED};
use crate::Outcome;
use crate::figures::{median, time};
use crate::plan::Stage;
use crate::report::Row;

const SECTION: &str = "Policy decision";
const DECISIONS: u32 = 20_000;
const ROUNDS: usize = 9;
const TIME_MAX_NS: f64 = 3000.0;
const GRANTS_RATIO_MAX: f64 = 1.5;

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

/// What has a say beside the key.
struct Case {
    principal: Principal,
    endpoint: Document,
    identity: Vec<Document>,
    facts: FactMap,
}

impl Case {
    fn new() -> Outcome<Self> {
        let principal = Principal::parse_arn(PRINCIPAL, "aws").ok_or("no principal")?;
        let endpoint = Document::parse(ENDPOINT, Kind::Endpoint)?;
        let identity = IDENTITY.iter().map(|text| Document::parse(text, Kind::Identity)).collect::<Result<_, _>>()?;
        let mut facts = FactMap::default();
        for (name, value) in [
            ("aws:PrincipalAccount", "111122223333"),
            ("kannuki:SourceVpcTag/env", "prod"),
            ("aws:ResourceTag/env", "prod"),
            ("aws:VpcSourceIp", "10.1.2.3"),
        ] {
            facts.insert(name, Value::one(value));
        }
        Ok(Self { principal, endpoint, identity, facts })
    }

    /// Gathers what has a say about the key and decides, as the judge of a request does. With `is_recorded`, what was
    /// looked at is kept for the audit record.
    fn decides(&self, key: &KeyEntry, is_recorded: bool) -> bool {
        let identity: Vec<&Document> = self.identity.iter().collect();
        let policies = Policies {
            endpoint: Some(&self.endpoint),
            key: Some(&key.policy.document),
            identity: &identity,
            grants: &key.grants_of(&self.principal),
            ..Policies::default()
        };
        let question = Question {
            principal: &self.principal,
            action: "kms:Encrypt",
            resource: &key.arn,
            resource_account: Some("111122223333"),
            encryption_context: None,
            facts: &self.facts,
        };
        if !is_recorded {
            return decide(&question, &policies).is_allowed();
        }
        let seen = Recorded::new(&self.facts);
        let is_allowed = decide(&Question { facts: &seen, ..question }, &policies).is_allowed();
        black_box(seen.finish());
        is_allowed
    }

    /// Nanoseconds of a decision.
    fn time(&self, key: &KeyEntry, is_recorded: bool) -> Outcome<f64> {
        let began = Instant::now();
        for _ in 0..DECISIONS {
            if !black_box(self.decides(black_box(key), is_recorded)) {
                return Err("a decision that should allow denies".into());
            }
        }
        Ok(began.elapsed().as_nanos() as f64 / f64::from(DECISIONS))
    }
}

pub(super) fn measure(stage: &mut Stage) -> Outcome<()> {
    let (case, keys) = (Case::new()?, Keys::make()?);
    let [plain, granted, shared] = [&keys.plain, &keys.granted, &keys.shared];
    let variants = [(plain, false), (granted, false), (plain, true), (granted, true), (shared, false)];
    let mut times = [const { Vec::new() }; 5];
    for round in 0..=ROUNDS {
        for ((key, is_recorded), times) in variants.iter().zip(&mut times) {
            let each = case.time(key, *is_recorded)?;
            // The first round warms up.
            if round > 0 {
                times.push(each);
            }
        }
    }
    let [plain, granted, plain_recorded, granted_recorded, shared] = times.map(median);
    let row = Row::new(SECTION, "the case", time(plain)).number("ns", plain);
    stage.row(row.target(format!("under {}", time(TIME_MAX_NS)), plain < TIME_MAX_NS));
    let ratio = granted / plain;
    let row = Row::new(
        SECTION,
        format!("on a key with {GRANTED} grants, one of them the caller's"),
        format!("{} = {ratio:.2} of that", time(granted)),
    );
    let row = row.number("ns", granted).number("ratio", ratio);
    stage.row(row.target(format!("at most {GRANTS_RATIO_MAX}"), ratio <= GRANTS_RATIO_MAX));
    let recorded = format!("{}, {} with the grants", time(plain_recorded), time(granted_recorded));
    stage.row(Row::new(SECTION, "both, with what was looked at kept for the record", recorded));
    let figure = format!("{} = {:.1} of the case", time(shared), shared / plain);
    stage.row(Row::new(SECTION, format!("with {SHARED} grants to the caller itself"), figure).number("ns", shared));
    Ok(())
}
