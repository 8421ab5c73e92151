//! The accumulator per message, beside the least that counting by name can cost.
//!
//! `cargo bench --bench accumulate`. The peer is what one would write first: a `HashMap<String, u64>` of the standard
//! library, counting only messages, without folding, cap, bytes or spans. Every element is one message.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use headwater::model::time::Mono;
use headwater::source::accumulate::Accumulator;

/// Messages in one pass.
const MESSAGES: usize = 100_000;

/// Subjects as they are used, each of its own name, in an order that no cache can guess.
fn traffic(distinct: usize) -> Vec<String> {
    const ENTITIES: [&str; 6] = ["orders", "billing", "inventory", "shipping", "catalog", "accounts"];
    const FACTS: [&str; 4] = ["created", "changed", "paid", "cancelled"];
    let subjects: Vec<String> = (0..distinct)
        .map(|n| {
            let name: String =
                [n / 676 % 26, n / 26 % 26, n % 26].iter().map(|d| char::from(b'a' + *d as u8)).collect();
            let fill = if n >= 17_576 { "x" } else { "" };
            format!("{}.{name}{fill}.{}", ENTITIES[n % ENTITIES.len()], FACTS[n % FACTS.len()])
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(1);
    (0..MESSAGES).map(|_| subjects[random.usize(..distinct)].clone()).collect()
}

fn per_message(c: &mut Criterion) {
    let mut group = c.benchmark_group("message");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    for distinct in [100, 1_000, 20_000] {
        let messages = traffic(distinct);
        group.bench_with_input(BenchmarkId::new("accumulator", distinct), &messages, |b, messages| {
            let mut counting = Accumulator::new(Mono(0));
            for subject in messages {
                counting.message(subject, 256);
            }
            b.iter(|| messages.iter().for_each(|subject| counting.message(black_box(subject), 256)));
        });
        group.bench_with_input(BenchmarkId::new("std HashMap", distinct), &messages, |b, messages| {
            let mut counts: HashMap<String, u64> = HashMap::new();
            b.iter(|| {
                for subject in messages {
                    match counts.get_mut(black_box(subject.as_str())) {
                        Some(count) => *count += 1,
                        None => drop(counts.insert(subject.clone(), 1)),
                    }
                }
            });
        });
    }
    // The worst that a tap meets: every subject carries an id that was never seen before.
    let mut random = fastrand::Rng::with_seed(2);
    let ids: Vec<String> = (0..MESSAGES).map(|_| format!("orders.{}.created", random.u32(1_000..))).collect();
    group.bench_function("accumulator, an id in each", |b| {
        let mut counting = Accumulator::new(Mono(0));
        b.iter(|| ids.iter().for_each(|subject| counting.message(black_box(subject), 256)));
    });
    group.finish();
}

fn drain(c: &mut Criterion) {
    let mut group = c.benchmark_group("drain");
    for distinct in [100, 1_000, 20_000] {
        let messages = traffic(distinct);
        group.bench_with_input(BenchmarkId::new("all busy", distinct), &messages, |b, messages| {
            let mut counting = Accumulator::new(Mono(0));
            let mut now = 0;
            b.iter_batched(
                || (),
                |()| {
                    messages.iter().take(distinct).for_each(|subject| counting.message(subject, 256));
                    now += 100_000_000;
                    black_box(counting.drain(Mono(now)))
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, per_message, drain);
criterion_main!(benches);
