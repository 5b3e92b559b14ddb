//! What a command costs in the HSM itself: run in place, on this thread, without actor, mailbox or pool.
//! The material is unwrapped for each, as it is in service.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod material;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use kms_hsm::command::{
    Authenticate, Decrypt, Encrypt, GenerateDataKey, GenerateMaterial, GenerateRandom, Purpose, ReEncrypt, SigningKey,
    WrapSecret,
};
use kms_hsm::{Command, Held, Plaintext, Vault};

use material::{context, label, ring};

fn held(vault: &Vault) -> Arc<Held> {
    Arc::new(GenerateMaterial { label: label() }.run(vault).unwrap())
}

/// 32 bytes and a context of two pairs.
fn cryptography(criterion: &mut Criterion) {
    let vault = Vault::new(ring()).unwrap();
    let key = held(&vault);
    let encrypt = Encrypt { key: key.clone(), plaintext: Plaintext::new(vec![7; 32]), cipher: context().into() };
    let blob = encrypt.run(&vault).unwrap().blob;
    let decrypt = Decrypt { key: key.clone(), blob: blob.clone(), cipher: context().into() };
    let re_encrypt = ReEncrypt {
        source: key.clone(),
        destination: held(&vault),
        blob,
        source_cipher: context().into(),
        destination_cipher: context().into(),
    };
    let data_key = GenerateDataKey { key, length: 32, context: context(), with_plaintext: true };
    let mut group = criterion.benchmark_group("command");
    group.bench_function("Encrypt", |bench| bench.iter(|| black_box(&encrypt).run(&vault).unwrap()));
    group.bench_function("Decrypt", |bench| bench.iter(|| black_box(&decrypt).run(&vault).unwrap()));
    group.bench_function("ReEncrypt", |bench| bench.iter(|| black_box(&re_encrypt).run(&vault).unwrap()));
    group.bench_function("GenerateDataKey", |bench| bench.iter(|| black_box(&data_key).run(&vault).unwrap()));
    group.bench_function("GenerateRandom", |bench| {
        bench.iter(|| GenerateRandom { length: black_box(32) }.run(&vault).unwrap());
    });
    group.finish();
}

/// What the store, the gateway and grants ask for.
fn service(criterion: &mut Criterion) {
    let vault = Vault::new(ring()).unwrap();
    let generate = GenerateMaterial { label: label() };
    let tags = Authenticate { purpose: Purpose::Row, messages: vec![vec![7; 300]; 2] };
    let owner = "AKIAIOSFODNN7EXAMPLE".to_owned();
    let secret = Plaintext::new(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec());
    let wrapped = WrapSecret { owner: owner.clone(), secret }.run(&vault).unwrap();
    let signing_key = SigningKey {
        owner,
        wrapped: Arc::new(wrapped),
        date: "20261124".into(),
        region: "us-east-1".into(),
        service: "kms".into(),
    };
    let mut group = criterion.benchmark_group("command");
    group.bench_function("GenerateMaterial", |bench| bench.iter(|| black_box(&generate).run(&vault).unwrap()));
    group.bench_function("Authenticate, two rows", |bench| bench.iter(|| black_box(&tags).run(&vault).unwrap()));
    group.bench_function("SigningKey", |bench| bench.iter(|| black_box(&signing_key).run(&vault).unwrap()));
    group.finish();
}

criterion_group!(benches, cryptography, service);
criterion_main!(benches);
