//! One audit record: made, and appended to the log's file as the next of its chain.
//! The file is in the folder for temporary files; syncing is the log's own thread's.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use kms_core::audit::{AuditConfig, AuditLog, Decision, Record, Resource, TlsDetails, UserIdentity};
use kms_core::clock::{Clock as _, SystemClock};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// As an Encrypt leaves it.
fn record(parameters: &RawValue) -> Record<'_> {
    let mut record = Record::new();
    record.event_name = "Encrypt".into();
    record.event_time = SystemClock.now().iso().into();
    record.aws_region = "us-east-1".into();
    record.source_ip_address = "10.1.2.3".into();
    record.user_agent = Some("aws-sdk-rust/1.3.10 os/linux lang/rust/1.95.0".into());
    record.request_id = "0f8a2a3e-5b1c-4a6e-9d55-0a1b2c3d4e5f".into();
    record.read_only = true;
    record.recipient_account_id = "111122223333".into();
    record.user_identity = UserIdentity {
        kind: "IAMUser".into(),
        arn: Some("arn:aws:iam::111122223333:user/administrator".into()),
        account_id: Some("111122223333".into()),
        access_key_id: Some("AKIABENCHBENCHBENCHB".into()),
        user_name: Some("administrator".into()),
        ..UserIdentity::default()
    };
    record.request_parameters = Some(parameters);
    record.resources = vec![Resource::key("111122223333", ARN)];
    record.vpc_endpoint_id = Some("vpce-0aaaaaaaaaaaaaaa1".into());
    record.tls_details = Some(TlsDetails {
        tls_version: "TLSv1.3".into(),
        cipher_suite: "TLS_AES_256_GCM_SHA384".into(),
        client_provided_host_header: Some("kms.us-east-1.amazonaws.com".into()),
        key_exchange: Some("X25519MLKEM768".into()),
    });
    record.kannuki.material_ids = vec!["7".repeat(64).into()];
    record.kannuki.decision = Some(Decision {
        verdict: "allow".into(),
        layer: Some("resource".into()),
        statement: Some("0".into()),
        ..Decision::default()
    });
    record
}

fn audit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let config = AuditConfig { keep_bytes: 256 << 20, ..AuditConfig::default() };
    let log = AuditLog::open(folder.path(), config, Arc::new(SystemClock)).unwrap();
    let mut writer = log.writer("bench").unwrap();
    let parameters =
        json!({ "keyId": "alias/demo", "encryptionContext": { "department": "10103.0", "purpose": "payroll" } });
    let parameters = to_raw_value(&parameters).unwrap();
    let record = record(&parameters);
    let mut group = criterion.benchmark_group("audit");
    group.bench_function("append", |bench| bench.iter(|| writer.append(black_box(&record)).unwrap()));
    group.finish();
}

criterion_group!(benches, audit);
criterion_main!(benches);
