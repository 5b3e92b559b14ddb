//! Signature Version 4 as a gateway does it for each request: the claim read, its scope and time checked, the signature
//! verified with a key that is known already. The request is a typical Encrypt, signed by AWS's own signer.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod typical;

use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4;
use criterion::{Criterion, criterion_group, criterion_main};
use kms_gateway::authn::sigv4::{Head, SKEW, Signed, SigningKey};

use typical::{BODY, SECRET, SIGNED_AT, borrowed, headers};

fn sigv4(criterion: &mut Criterion) {
    let headers = headers();
    let head = |headers| Head { method: "POST", path: "/", query: "", headers: borrowed(headers).collect() };
    let day = v4::generate_signing_key(SECRET, UNIX_EPOCH + Duration::from_millis(SIGNED_AT.0), "us-east-1", "kms");
    let key = SigningKey::new(day.as_ref().try_into().unwrap());
    let signed = Signed::parse(&head(&headers)).unwrap();
    let mut group = criterion.benchmark_group("sigv4");
    group.bench_function("parse", |bench| bench.iter(|| Signed::parse(&head(black_box(&headers))).unwrap()));
    group.bench_function("check scope and time", |bench| {
        bench.iter(|| {
            let signed = black_box(&signed);
            signed.check_scope("us-east-1", "kms").and_then(|()| signed.check_time(SIGNED_AT, SKEW)).unwrap();
        });
    });
    group.bench_function("verify", |bench| bench.iter(|| black_box(&signed).verify(&key, BODY).unwrap()));
    group.bench_function("all", |bench| {
        bench.iter(|| {
            let signed = Signed::parse(&head(black_box(&headers))).unwrap();
            signed.check_scope("us-east-1", "kms").and_then(|()| signed.check_time(SIGNED_AT, SKEW)).unwrap();
            signed.verify(&key, BODY).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, sigv4);
criterion_main!(benches);
