//! The engine at 20 000 flows: ingesting one poll of a tenth of them, and a snapshot after it.
//!
//! `cargo bench --bench engine`. Aim: a snapshot in at most 5 ms when a tenth of the consumers was polled since the last one
//! (a list of 20 000 consumers takes a broker about a second, so this is what every 100 ms brings).

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use headwater::engine::{Engine, EngineOptions};
use headwater::model::id::{ChannelId, SourceId};
use headwater::model::measured::Bounds;
use headwater::model::observation::{
    BacklogReport, Batch, ChannelKind, ChannelReport, ClientReport, ConsumerReport, Listing, Observation,
    Observed, Position, Retention, SourceReport, SourceState,
};
use headwater::model::time::{Mono, Stamp, Timestamp};

#[path = "../tests/fixture/reports.rs"]
mod reports;

const STREAMS: u64 = 100;
const EACH: u64 = 200;

fn at(ms: u64) -> Stamp {
    let wall = Timestamp::from_millis(1_700_000_000_000 + ms as i64);
    Stamp { wall, mono: Mono(ms * 1_000_000), broker: Some(wall), ..Stamp::default() }
}

fn source() -> SourceId {
    SourceId::from("nats")
}

fn channel(n: u64, last: u64) -> ChannelReport {
    let name = format!("STREAM{n:03}");
    ChannelReport {
        id: ChannelId::named(&source(), &name),
        subjects: vec![format!("stream{n:03}.>").into()],
        name: name.into(),
        kind: ChannelKind::Stream,
        fed_by: Vec::new(),
        messages: Some(last),
        bytes: Some(last * 200),
        first_seq: Some(1),
        last_seq: Some(last),
        first_at: None,
        last_at: None,
        created_at: Some(at(0).wall),
        retention: Retention::default(),
        leader: None,
        replicas: Some(1),
        distinct_subjects: None,
        consumers: Some(EACH),
        description: None,
        metadata: BTreeMap::new(),
    }
}

fn consumer(stream: u64, n: u64, seq: u64) -> ConsumerReport {
    let (channel, name) = (format!("STREAM{stream:03}"), format!("service-{n}"));
    let position = Some(Position { consumer_seq: seq, channel_seq: seq, last_active: None });
    ConsumerReport {
        filters: vec![format!("stream{stream:03}.created").into()],
        lag: Bounds::Exact(n % 7),
        created_at: Some(at(0).wall),
        ..reports::consumer(&source(), &channel, &name, position)
    }
}

fn client(n: u64) -> ClientReport {
    ClientReport {
        name: Some(format!("service-{n}").into()),
        stand_in: None,
        answers_for: Vec::new(),
        user: None,
        account: None,
        libraries: Vec::new(),
        connections: 3,
        hosts: Vec::new(),
        since: Some(at(0).wall),
        subscriptions: Vec::new(),
        pending_bytes: 0,
        own: false,
    }
}

/// Polls of the streams `from..to`, made at `ms`.
fn poll(from: u64, to: u64, ms: u64, seq: u64) -> Batch {
    let mut batch = Batch::new(source(), at(ms));
    let mut see = |what| batch.observations.push(Observed { at: at(ms), what });
    see(Observation::Channels(Listing {
        entries: (from..to).map(|n| channel(n, seq)).collect(),
        complete: false,
    }));
    for stream in from..to {
        let entries: Vec<_> = (0..EACH).map(|n| consumer(stream, n, seq)).collect();
        let oldest = entries.iter().filter(|c| c.lag != Bounds::Exact(0)).map(|c| BacklogReport {
            consumer: c.id.clone(),
            oldest: Bounds::Exact(at(ms).wall),
            channel_seq: Some(seq + 1),
            stamped_by: None,
            how: "bench".into(),
        });
        let oldest: Vec<_> = oldest.collect();
        see(Observation::Consumers {
            channel: ChannelId::named(&source(), &format!("STREAM{stream:03}")),
            listing: Listing { entries, complete: true },
            missing: Vec::new(),
        });
        oldest.into_iter().for_each(|backlog| see(Observation::Backlog(backlog)));
    }
    batch
}

/// An engine that has watched all of them for a while.
fn engine() -> Engine {
    let mut engine = Engine::new(EngineOptions::new(at(0)));
    let mut hello = Batch::new(source(), at(0));
    let up = SourceReport { kind: "nats".into(), state: SourceState::Up, ..SourceReport::default() };
    let clients = Listing { entries: (0..EACH).map(client).collect(), complete: true };
    for what in [Observation::Source(Box::new(up)), Observation::Clients(clients)] {
        hello.observations.push(Observed { at: at(0), what });
    }
    engine.ingest(&hello);
    for second in 1..=15 {
        engine.ingest(&poll(0, STREAMS, second * 1_000, second * 50));
        engine.tick(at(second * 1_000 + 1));
    }
    let snapshot = engine.tick(at(15_100));
    assert_eq!(snapshot.flows.len() as u64, STREAMS * EACH);
    engine
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine at 20k flows");
    group.sample_size(20);
    let mut watching = engine();
    let mut ms = 16_000;
    group.bench_function("ingest a poll of 2 000 consumers", |b| {
        b.iter_batched(
            || {
                ms += 1_000;
                poll(0, STREAMS / 10, ms, ms / 20)
            },
            |batch| watching.ingest(black_box(&batch)),
            BatchSize::PerIteration,
        );
    });
    let mut part = 0;
    group.bench_function("snapshot after a poll of 2 000 consumers", |b| {
        b.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                ms += 100;
                part = (part + 10) % STREAMS;
                watching.ingest(&poll(part, part + 10, ms, ms / 20));
                let began = std::time::Instant::now();
                let snapshot = black_box(watching.tick(at(ms + 1)));
                spent += began.elapsed();
                drop(snapshot);
            }
            spent
        });
    });
    group.bench_function("snapshot when nothing came", |b| {
        b.iter(|| {
            ms += 1;
            black_box(watching.tick(at(ms)))
        });
    });
    group.finish();
}

criterion_group!(engine_benches, benches);
criterion_main!(engine_benches);
