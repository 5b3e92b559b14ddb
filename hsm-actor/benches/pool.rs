//! A command's way to the HSM and back: from a task on one thread to a slot's thread, with one command in flight and
//! with sixteen. `commands` has the same commands without the way.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod material;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::future::join_all;
use kms_hsm::command::{Encrypt, GenerateMaterial, GenerateRandom};
use kms_hsm::{HsmPool, Plaintext, PoolConfig};
use tokio::runtime::{Builder, Runtime};

use material::{context, label, ring};

const PATIENCE: Duration = Duration::from_secs(600);

/// Time for `count` commands with `in_flight` of them on their way at any time.
fn ask<F: Future<Output = ()>>(runtime: &Runtime, in_flight: u64, count: u64, one: impl Fn() -> F) -> Duration {
    let lanes = (0..in_flight).map(|lane| {
        let (one, share) = (&one, count / in_flight + u64::from(lane < count % in_flight));
        async move {
            for _ in 0..share {
                one().await;
            }
        }
    });
    let began = Instant::now();
    runtime.block_on(join_all(lanes));
    began.elapsed()
}

fn round_trip(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let pool = HsmPool::start(PoolConfig::default(), ring()).unwrap();
    let made = pool.run(GenerateMaterial { label: label() }, Instant::now() + PATIENCE);
    let key = Arc::new(runtime.block_on(made).unwrap());
    let encrypt = || {
        let command = Encrypt { key: key.clone(), plaintext: Plaintext::new(vec![7; 32]), cipher: context().into() };
        let pool = pool.clone();
        async move { drop(pool.run(command, Instant::now() + PATIENCE).await.unwrap()) }
    };
    let random = || {
        let pool = pool.clone();
        async move { drop(pool.run(GenerateRandom { length: 32 }, Instant::now() + PATIENCE).await.unwrap()) }
    };
    for in_flight in [1, 16] {
        let mut group = criterion.benchmark_group(format!("pool, {in_flight} in flight"));
        group.bench_function("Encrypt", |bench| bench.iter_custom(|count| ask(&runtime, in_flight, count, encrypt)));
        group.bench_function("GenerateRandom", |bench| {
            bench.iter_custom(|count| ask(&runtime, in_flight, count, random));
        });
        group.finish();
    }
}

criterion_group!(benches, round_trip);
criterion_main!(benches);
