//! Which protocol and operation a request speaks, and how an answer is put into bytes.

#![allow(dead_code, reason = "the typical request has more to it than routing looks at")]

mod typical;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use kms_gateway::wire::{self, Route};

use typical::{BODY, borrowed, headers};

fn routing(criterion: &mut Criterion) {
    let headers = headers();
    criterion.bench_function("wire/route", |bench| {
        bench.iter(|| Route::of("POST", "/", "", borrowed(black_box(&headers)), black_box(BODY)));
    });
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire");
    group.bench_function("success", |bench| bench.iter(|| wire::json(black_box(BODY).to_vec())));
    group.bench_function("denial", |bench| {
        let message = "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: kms:Encrypt";
        bench.iter(|| wire::error(400, "AccessDeniedException", black_box(message)));
    });
    group.bench_function("overloaded", |bench| {
        let after = Duration::from_millis(50);
        bench.iter(|| wire::overloaded(500, "KeyUnavailableException", "The service is busy.", black_box(after)));
    });
    group.finish();
}

criterion_group!(benches, routing, answers);
criterion_main!(benches);
