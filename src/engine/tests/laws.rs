//! What holds for any batches.

use proptest::prelude::*;

use super::*;
use crate::model::observation::{BacklogReport, Batch, ConsumerReport, Notice, NoticeKind, Position, Span};
use crate::model::traffic::{Count, TrafficKey};

/// One thing that happens to a small system between two polls.
#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    Deliver(u8),
    Ack(u8),
    Redeliver(u8),
    GiveUp,
    Purge,
    Recreate,
    Lose,
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..40).prop_map(Step::Publish),
        4 => (0_u8..40).prop_map(Step::Deliver),
        4 => (0_u8..40).prop_map(Step::Ack),
        2 => (0_u8..20).prop_map(Step::Redeliver),
        1 => Just(Step::GiveUp),
        1 => Just(Step::Purge),
        1 => Just(Step::Recreate),
        1 => Just(Step::Lose),
        3 => (100_u16..4_000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..60)
}

/// A channel with one consumer, as a broker keeps them: messages acknowledged in any order.
#[derive(Default)]
struct World {
    ms: u64,
    made: u64,
    last: u64,
    first: u64,
    delivered: u64,
    deliveries: u64,
    /// Delivered and not acknowledged.
    open: Vec<u64>,
    marked: u64,
    acked: u64,
}

impl World {
    fn report(&self) -> ConsumerReport {
        let floor = self.open.iter().min().map_or(self.delivered, |seq| seq - 1);
        let position = |c, s| Some(Position { consumer_seq: c, channel_seq: s, last_active: None });
        ConsumerReport {
            delivered: position(self.deliveries, self.delivered),
            floor: position(self.deliveries.min(floor), floor),
            lag: Bounds::Exact(self.last - self.delivered),
            in_flight: Bounds::Exact(self.open.len() as u64),
            redelivered: Bounds::Exact(self.marked.min(self.open.len() as u64)),
            max_deliver: Some(5),
            created_at: Some(at(self.made).wall),
            ..consumer("nats", "ORDERS", "billing")
        }
    }

    fn poll(&self) -> Vec<Observation> {
        let kept = self.last - self.first;
        let stream = crate::model::observation::ChannelReport {
            messages: Some(kept),
            bytes: Some(kept * 100),
            first_seq: Some(self.first + 1),
            last_seq: Some(self.last),
            created_at: Some(at(self.made).wall),
            ..channel("nats", "ORDERS")
        };
        let mut all_of_it = vec![
            source_up(),
            Observation::Channels(all(vec![stream.clone()])),
            Observation::Consumers {
                channel: stream.id,
                listing: all(vec![self.report()]),
                missing: Vec::new(),
            },
        ];
        if let Some(oldest) =
            self.open.iter().min().copied().or((self.last > self.delivered).then_some(self.delivered + 1))
        {
            all_of_it.push(Observation::Backlog(BacklogReport {
                consumer: "nats/ORDERS/billing".into(),
                // A message that waits came before we looked.
                oldest: Bounds::Exact(at(oldest.min(self.ms.saturating_sub(1))).wall),
                channel_seq: Some(oldest),
                stamped_by: None,
                how: "read".into(),
            }));
        }
        all_of_it
    }

    /// Plays one step; a batch when something can be seen.
    fn play(&mut self, step: &Step) -> Option<Batch> {
        match step {
            Step::Publish(n) => self.last += u64::from(*n),
            Step::Deliver(n) => {
                for _ in 0..*n {
                    if self.delivered < self.last {
                        self.delivered += 1;
                        self.deliveries += 1;
                        self.open.push(self.delivered);
                    }
                }
            }
            Step::Ack(n) => {
                for i in 0..usize::from(*n) {
                    if !self.open.is_empty() {
                        self.open.swap_remove(i * 7 % self.open.len());
                        self.acked += 1;
                    }
                }
            }
            Step::Redeliver(n) => {
                let n = u64::from(*n).min(self.open.len() as u64);
                self.deliveries += n;
                self.marked = n;
            }
            Step::GiveUp => {
                let seq = self.open.pop()?;
                let notice = Notice {
                    kind: NoticeKind::GaveUp,
                    channel: Some("nats/ORDERS".into()),
                    consumer: Some("nats/ORDERS/billing".into()),
                    channel_seq: Some(seq),
                    deliveries: Some(5),
                    by: None,
                    text: "gave up".into(),
                };
                return Some(batch("nats", self.ms, vec![Observation::Notice(notice)]));
            }
            Step::Purge => {
                (self.first, self.delivered) = (self.last, self.last);
                self.open.clear();
            }
            Step::Recreate => {
                *self = Self { ms: self.ms, made: self.ms, acked: self.acked, ..Self::default() };
            }
            Step::Lose => {
                let Observation::Source(mut report) = source_up() else { return None };
                report.state = crate::model::observation::SourceState::Down;
                return Some(batch("nats", self.ms, vec![Observation::Source(report)]));
            }
            Step::Wait(ms) => {
                let from = at(self.ms).mono;
                self.ms += u64::from(*ms);
                let mut batch = batch("nats", self.ms, self.poll());
                let span = Span { from, to: at(self.ms).mono };
                let key = TrafficKey::Published { client: Some("orders-1".into()) };
                batch.traffic.add(key, &Count { messages: 3, span, ..Count::default() });
                return Some(batch);
            }
        }
        None
    }
}

fn batches(steps: &[Step]) -> Vec<Batch> {
    let mut world = World::default();
    let first = batch("nats", 0, world.poll());
    std::iter::once(first).chain(steps.iter().filter_map(|s| world.play(s))).collect()
}

fn run(batches: &[Batch]) -> Snapshot {
    let mut engine = engine();
    let mut now = 0;
    for batch in batches {
        engine.ingest(batch);
        now = batch.at.mono.0 / 1_000_000;
        engine.tick(at(now));
    }
    engine.tick(at(now + 1))
}

/// Every number of a bounds, for a law about all of them.
fn numbers<T: Copy>(bounds: &Bounds<T>) -> Vec<T> {
    bounds.low().into_iter().chain(bounds.high()).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_batches_give_the_same_snapshot(steps in steps()) {
        let batches = batches(&steps);
        prop_assert_eq!(run(&batches), run(&batches));
    }

    #[test]
    fn no_rate_is_ever_negative_or_without_end(steps in steps()) {
        let mut engine = engine();
        for batch in batches(&steps) {
            engine.ingest(&batch);
            let snapshot = engine.tick(batch.at);
            let rates = snapshot.consumers.iter().flat_map(|c| [&c.acked_rate, &c.delivered_rate]);
            let rates = rates.chain(snapshot.channels.iter().flat_map(|c| [&c.rate, &c.bytes_rate]));
            let rates = rates.chain(snapshot.flows.iter().flat_map(|f| [&f.rate, &f.bytes_rate, &f.errors_rate]));
            for rate in rates {
                for number in numbers(&rate.bounds) {
                    prop_assert!(number >= 0.0 && number.is_finite(), "{:?}", rate);
                }
                if let Bounds::Between { lo, hi } = rate.bounds {
                    prop_assert!(lo < hi);
                }
            }
        }
    }

    #[test]
    fn staleness_is_zero_exactly_when_nothing_waits(steps in steps()) {
        let mut engine = engine();
        for batch in batches(&steps) {
            engine.ingest(&batch);
            for row in &engine.tick(batch.at).consumers {
                let nothing = row.lag.bounds == Bounds::Exact(0) && row.in_flight.bounds == Bounds::Exact(0);
                prop_assert_eq!(row.staleness.bounds == Bounds::Exact(Duration::ZERO), nothing, "{:?}", row);
            }
        }
    }

    /// Over one poll of a channel without removals, what was acknowledged lies in what is said.
    #[test]
    fn processed_contains_the_truth(
        before in proptest::collection::vec(prop_oneof![
            (0_u8..40).prop_map(Step::Publish),
            (0_u8..40).prop_map(Step::Deliver),
            (0_u8..40).prop_map(Step::Ack),
        ], 0..20),
        between in proptest::collection::vec(prop_oneof![
            (0_u8..40).prop_map(Step::Publish),
            (0_u8..40).prop_map(Step::Deliver),
            (0_u8..40).prop_map(Step::Ack),
            (0_u8..20).prop_map(Step::Redeliver),
            Just(Step::GiveUp),
        ], 0..30),
        filtered in any::<bool>(),
    ) {
        let mut world = World::default();
        for step in &before {
            world.play(step);
        }
        let mut engine = engine();
        let filter = |mut batch: Batch| {
            for seen in &mut batch.observations {
                if let Observation::Consumers { listing, .. } = &mut seen.what {
                    for report in &mut listing.entries {
                        report.filters = if filtered { vec!["orders.created".into()] } else { Vec::new() };
                    }
                }
            }
            batch
        };
        engine.ingest(&filter(world.play(&Step::Wait(1_000)).unwrap()));
        let acked = world.acked;
        for step in &between {
            if let Some(batch) = world.play(step) {
                engine.ingest(&batch);
            }
        }
        engine.ingest(&filter(world.play(&Step::Wait(1_000)).unwrap()));
        let snapshot = engine.tick(at(2_001));
        let said = &billing(&snapshot).acked_rate.bounds;
        let truth = (world.acked - acked) as f64;
        let (lo, hi) = match said {
            Bounds::About { within: Some((lo, hi)), .. } => (*lo, *hi),
            bounds => (*bounds.low().unwrap(), *bounds.high().unwrap()),
        };
        prop_assert!(lo <= truth && truth <= hi, "{said:?}, in truth {truth}");
        if !filtered {
            prop_assert_eq!(said, &Bounds::Exact(truth));
        }
    }

    #[test]
    fn what_was_saved_goes_on_as_if_nothing_had_happened(steps in steps(), cut in 0_usize..60) {
        let batches = batches(&steps);
        let cut = cut.min(batches.len());
        let mut engine = engine();
        for batch in &batches[..cut] {
            engine.ingest(batch);
            engine.tick(batch.at);
        }
        let text = serde_json::to_string(&engine.save()).unwrap();
        let mut other = Engine::restore(serde_json::from_str(&text).unwrap());
        for batch in &batches[cut..] {
            engine.ingest(batch);
            other.ingest(batch);
            prop_assert_eq!(engine.tick(batch.at), other.tick(batch.at));
        }
        let end = batches.last().unwrap().at;
        prop_assert_eq!(engine.tick(end), other.tick(end));
    }

    #[test]
    fn merged_batches_say_the_same_in_the_end(steps in steps(), groups in proptest::collection::vec(1_usize..4, 1..30)) {
        let batches = batches(&steps);
        let mut merged: Vec<Batch> = Vec::new();
        let mut rest = batches.iter().cloned();
        for size in groups.iter().cycle() {
            let Some(mut first) = rest.next() else { break };
            rest.by_ref().take(size - 1).for_each(|later| first.merge(later));
            merged.push(first);
        }
        let end = |batches: &[Batch]| {
            let mut engine = engine();
            batches.iter().for_each(|batch| engine.ingest(batch));
            let mut snapshot = engine.tick(batches.last().unwrap().at);
            // Whether a name was there before its own batch cannot be told of a merged one.
            snapshot.generation = 0;
            snapshot
        };
        let (one, other) = (end(&batches), end(&merged));
        prop_assert_eq!(one.consumers, other.consumers);
        prop_assert_eq!(one.channels, other.channels);
        prop_assert_eq!(one.changes, other.changes);
        prop_assert_eq!(one.causes, other.causes);
    }
}
