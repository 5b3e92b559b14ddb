//! JSON in and out: the body of an Encrypt with two pairs of context, read, shown to the audit log, and its answer
//! written.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kms_core::model::{DecryptRequest, EncryptRequest, Request, Response as _};

const PLAINTEXT: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const CONTEXT: &str = r#""EncryptionContext":{"department":"10103.0","purpose":"payroll"}"#;

fn requests(criterion: &mut Criterion) {
    let encrypt = format!(r#"{{"KeyId":"alias/demo","Plaintext":"{PLAINTEXT}",{CONTEXT}}}"#);
    // As long as the ciphertext of 32 bytes.
    let decrypt = format!(r#"{{"CiphertextBlob":"{}",{CONTEXT}}}"#, "QUJD".repeat(42));
    let input = EncryptRequest::parse(encrypt.as_bytes()).unwrap();
    let mut group = criterion.benchmark_group("model");
    group.bench_function("parse Encrypt", |bench| {
        bench.iter(|| EncryptRequest::parse(black_box(encrypt.as_bytes())).unwrap());
    });
    group.bench_function("parse Decrypt", |bench| {
        bench.iter(|| DecryptRequest::parse(black_box(decrypt.as_bytes())).unwrap());
    });
    group.bench_function("audit parameters of Encrypt", |bench| bench.iter(|| black_box(&input).audit_parameters()));
    group.finish();
}

fn responses(criterion: &mut Criterion) {
    let answer = kms_core::model::EncryptResponse {
        ciphertext_blob: Some(vec![7; 128].into()),
        key_id: Some("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".to_owned()),
        encryption_algorithm: Some("SYMMETRIC_DEFAULT".parse().unwrap()),
    };
    criterion.bench_function("model/encode Encrypt", |bench| bench.iter(|| black_box(&answer).encode()));
}

criterion_group!(benches, requests, responses);
criterion_main!(benches);
