//! A whole request without HTTP: prepared as by the gateway, judged and run by a key manager on the same thread, the HSM
//! on its own threads, the audit record written.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod scene;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::future::join_all;
use serde_json::{Value, json};

use scene::{KEY, Scene};

fn bodies(sealed: &Value) -> [(&'static str, String); 4] {
    let context = json!({ "department": "10103.0", "purpose": "payroll" });
    [
        ("Encrypt", encrypt().to_string()),
        ("Decrypt", json!({ "CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": context }).to_string()),
        (
            "GenerateDataKey",
            json!({ "KeyId": "alias/demo", "KeySpec": "AES_256", "EncryptionContext": context }).to_string(),
        ),
        ("DescribeKey", json!({ "KeyId": KEY }).to_string()),
    ]
}

fn encrypt() -> Value {
    json!({ "KeyId": "alias/demo", "Plaintext": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "EncryptionContext": { "department": "10103.0", "purpose": "payroll" } })
}

/// Time for `count` requests with `in_flight` of them under way at any time.
async fn ask(scene: &Scene, operation: &str, body: &str, in_flight: u64, count: u64) -> Duration {
    let lanes = (0..in_flight).map(|lane| async move {
        for _ in 0..count / in_flight + u64::from(lane < count % in_flight) {
            scene.answer(scene.prepare(operation, body.as_bytes())).await;
        }
    });
    let began = Instant::now();
    join_all(lanes).await;
    began.elapsed()
}

fn requests(criterion: &mut Criterion) {
    let system = actix::System::new();
    let scene = system.block_on(Scene::open(None));
    let sealed = system.block_on(scene.ask("Encrypt", &encrypt()));
    let mut group = criterion.benchmark_group("request, prepared and turned away");
    for (operation, body) in bodies(&sealed) {
        group.bench_function(operation, |bench| {
            bench.iter(|| {
                let turned = scene.prepare(operation, body.as_bytes()).turn(kms_core::KmsError::Overloaded);
                turned.entry.close(Err(&turned.error)).unwrap()
            });
        });
    }
    group.finish();
    for in_flight in [1, 16] {
        let mut group = criterion.benchmark_group(format!("request, {in_flight} in flight"));
        for (operation, body) in bodies(&sealed) {
            group.bench_function(operation, |bench| {
                bench.iter_custom(|count| system.block_on(ask(&scene, operation, &body, in_flight, count)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, requests);
criterion_main!(benches);
