//! One audit record: made, and appended to the log's file as the next of its chain.
//! The file is in the folder for temporary files; syncing is the log's own thread's.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use kms_core::audit::{AuditConfig, AuditLog, Decision, Record, Resource, TlsDetails, UserIdentity};
use kms_core::clock::{Clock as _, SystemClock};
use serde_json::json;

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// As an Encrypt leaves it.
fn record() -> Record {
    let mut record = Record::new();
    record.event_name = "Encrypt".to_owned();
    record.event_time = SystemClock.now().iso();
    record.aws_region = "us-east-1".to_owned();
    record.source_ip_address = "10.1.2.3".to_owned();
    record.user_agent = Some("aws-sdk-rust/1.3.10 os/linux lang/rust/1.95.0".to_owned());
    record.request_id = "0f8a2a3e-5b1c-4a6e-9d55-0a1b2c3d4e5f".to_owned();
    record.read_only = true;
    record.recipient_account_id = "111122223333".to_owned();
    record.user_identity = UserIdentity {
        kind: "IAMUser".to_owned(),
        arn: Some("arn:aws:iam::111122223333:user/administrator".to_owned()),
        account_id: Some("111122223333".to_owned()),
        access_key_id: Some("AKIABENCHBENCHBENCHB".to_owned()),
        user_name: Some("administrator".to_owned()),
        ..UserIdentity::default()
    };
    record.request_parameters =
        json!({ "keyId": "alias/demo", "encryptionContext": { "department": "10103.0", "purpose": "payroll" } });
    record.resources = vec![Resource::key("111122223333", ARN)];
    record.vpc_endpoint_id = Some("vpce-0aaaaaaaaaaaaaaa1".to_owned());
    record.tls_details = Some(TlsDetails {
        tls_version: "TLSv1.3".to_owned(),
        cipher_suite: "TLS_AES_256_GCM_SHA384".to_owned(),
        client_provided_host_header: Some("kms.us-east-1.amazonaws.com".to_owned()),
        key_exchange: Some("X25519MLKEM768".to_owned()),
    });
    record.kannuki.material_ids = vec!["7".repeat(64)];
    record.kannuki.decision = Some(Decision {
        verdict: "allow".to_owned(),
        layer: Some("resource".to_owned()),
        statement: Some("0".to_owned()),
        ..Decision::default()
    });
    record
}

fn audit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let config = AuditConfig { keep_bytes: 256 << 20, ..AuditConfig::default() };
    let log = AuditLog::open(folder.path(), config, Arc::new(SystemClock)).unwrap();
    let mut writer = log.writer("bench").unwrap();
    let record = record();
    let mut group = criterion.benchmark_group("audit");
    group.bench_function("serialise", |bench| bench.iter(|| serde_json::to_vec(black_box(&record)).unwrap()));
    group.bench_function("append", |bench| bench.iter(|| writer.append(black_box(&record)).unwrap()));
    group.finish();
}

criterion_group!(benches, audit);
criterion_main!(benches);
