//! The laws of counting: nothing is lost or counted twice, and silence is told.

use proptest::prelude::*;

use super::*;

fn seen(subject: &str) -> TrafficKey {
    TrafficKey::Seen { subject: subject.into() }
}

fn second(s: u64) -> Mono {
    Mono(s * 1_000_000_000)
}

fn over(messages: u64, from: u64, to: u64) -> Count {
    Count { messages, span: Span { from: second(from), to: second(to) }, ..Count::default() }
}

#[test]
fn messages_are_counted_by_folded_subject() {
    let mut counting = Accumulator::new(second(0));
    counting.message("orders.created", 10);
    counting.message("orders.created", 20);
    counting.message("orders.8471.paid", 5);
    counting.message("orders.8472.paid", 5);
    let traffic = counting.drain(second(1));
    let created = &traffic.counts[&seen("orders.created")];
    assert_eq!((created.messages, created.bytes), (2, 30));
    assert_eq!(created.span, Span { from: second(0), to: second(1) });
    assert_eq!(traffic.counts[&seen("orders.{id}.paid")].messages, 2);
    assert_eq!((traffic.counts.len(), traffic.folded_away), (2, 0));
}

#[test]
fn a_silent_subject_says_zero_and_one_never_seen_says_nothing() {
    let mut counting = Accumulator::new(second(0));
    counting.message("a", 1);
    assert_eq!(counting.drain(second(1)).counts[&seen("a")].messages, 1);
    let soon = Mono(second(1).0 + 100_000_000);
    assert!(counting.drain(soon).is_empty(), "too soon to speak of silence");
    let silent = counting.drain(second(2));
    assert_eq!(silent.counts[&seen("a")], over(0, 1, 2));
    assert!(!silent.counts.contains_key(&seen("b")));
}

#[test]
fn beyond_the_cap_is_visible() {
    let mut counting = Accumulator::with_cap(second(0), 2);
    for subject in ["a", "b", "c", "d", "c", "a"] {
        counting.message(subject, 1);
    }
    let traffic = counting.drain(second(1));
    assert_eq!(traffic.counts[&seen("a")].messages, 2);
    assert_eq!(traffic.counts[&seen(OTHER)].messages, 3);
    assert_eq!(traffic.folded_away, 3);
    assert_eq!(counting.drain(second(1)).folded_away, 0, "told once");
}

#[test]
fn a_long_silent_subject_makes_room() {
    let mut counting = Accumulator::with_cap(second(0), 2);
    counting.message("a", 1);
    counting.message("b", 1);
    counting.drain(second(1));
    counting.message("b", 1);
    counting.drain(second(301));
    counting.message("c", 1);
    counting.message("b", 1);
    let traffic = counting.drain(second(302));
    assert_eq!(traffic.counts[&seen("c")].messages, 1);
    assert_eq!(traffic.counts[&seen("b")].messages, 1);
    assert_eq!((traffic.counts.len(), traffic.folded_away), (2, 0));
}

#[test]
fn the_counts_of_others_keep_their_span_their_zeros_and_their_client() {
    let delivered = |subject: &str, queue: Option<&str>| TrafficKey::Delivered {
        client: Some("billing".into()),
        subject: subject.into(),
        queue: queue.map(Into::into),
    };
    let mut counting = Accumulator::with_cap(second(0), 2);
    counting.add(delivered("orders.1", Some("q")), &over(3, 0, 2));
    counting.add(delivered("orders.2", Some("q")), &over(4, 0, 2));
    counting.add(delivered("quiet", None), &over(0, 0, 2));
    counting.add(delivered("too.many", Some("q")), &over(5, 0, 2));
    let traffic = counting.drain(second(9));
    assert_eq!(traffic.counts[&delivered("orders.{id}", Some("q"))], over(7, 0, 2));
    assert_eq!(traffic.counts[&delivered("quiet", None)], over(0, 0, 2));
    assert_eq!(traffic.counts[&delivered(OTHER, None)], over(5, 0, 2));
    assert_eq!(traffic.folded_away, 5);
    assert!(counting.drain(second(20)).is_empty(), "silence is told only of what was counted here");
}

#[derive(Clone, Debug)]
enum Step {
    Message(String, u64),
    Add(String, u64),
    Drain(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let subject = || {
        prop_oneof![
            "[a-e]",
            "orders\\.[0-9]{1,4}\\.created",
            "[a-z]{1,3}\\.[a-z]{1,3}",
            Just(OTHER.to_owned()),
        ]
    };
    let step = prop_oneof![
        6 => (subject(), 0u64..1_000).prop_map(|(s, b)| Step::Message(s, b)),
        2 => (subject(), 0u64..50).prop_map(|(s, n)| Step::Add(s, n)),
        1 => (0u64..400_000_000_000).prop_map(Step::Drain),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever the subjects, the cap and the moments of draining: what goes in comes out, once.
    #[test]
    fn nothing_is_lost_or_counted_twice(steps in steps(), cap in 0usize..12) {
        let mut counting = Accumulator::with_cap(Mono(0), cap);
        let (mut messages, mut bytes, mut now) = (0, 0, Mono(0));
        let mut out = Traffic::default();
        let mut told: std::collections::BTreeMap<TrafficKey, Mono> = std::collections::BTreeMap::new();
        let mut take = |counting: &mut Accumulator, now: Mono| {
            let traffic = counting.drain(now);
            for (key, count) in &traffic.counts {
                if matches!(key, TrafficKey::Seen { .. }) {
                    // Spans of one key follow each other without overlapping.
                    let before = told.insert(key.clone(), count.span.to);
                    prop_assert!(before.is_none_or(|before| before <= count.span.from));
                    prop_assert_eq!(count.span.to, now);
                }
            }
            out.merge(traffic);
            Ok(())
        };
        for step in steps {
            match step {
                Step::Message(subject, size) => {
                    counting.message(&subject, size);
                    messages += 1;
                    bytes += size;
                }
                Step::Add(subject, n) => {
                    let span = Span { from: now, to: Mono(now.0 + 1) };
                    let key = TrafficKey::Answered { responder: "r".into(), subject: subject.as_str().into() };
                    counting.add(key, &Count { messages: n, bytes: n, span, ..Count::default() });
                    messages += n;
                    bytes += n;
                }
                Step::Drain(later) => {
                    now = Mono(now.0 + later);
                    take(&mut counting, now)?;
                }
            }
            prop_assert!(counting.subjects() <= cap);
        }
        take(&mut counting, Mono(now.0 + 1))?;
        prop_assert_eq!(out.counts.values().map(|c| c.messages).sum::<u64>(), messages);
        prop_assert_eq!(out.counts.values().map(|c| c.bytes).sum::<u64>(), bytes);
        let names = out.counts.keys().filter(|k| matches!(k, TrafficKey::Seen { .. })).count();
        prop_assert!(names <= 200);
    }

    /// With room enough, each subject has exactly its own messages.
    #[test]
    fn each_subject_has_its_own(subjects in proptest::collection::vec("[a-c]{1,2}", 0..100)) {
        let mut counting = Accumulator::new(Mono(0));
        let mut expected: std::collections::BTreeMap<TrafficKey, u64> = std::collections::BTreeMap::new();
        for subject in &subjects {
            counting.message(subject, 1);
            *expected.entry(seen(subject)).or_default() += 1;
        }
        let traffic = counting.drain(Mono(5));
        let got: std::collections::BTreeMap<_, _> =
            traffic.counts.into_iter().map(|(key, count)| (key, count.messages)).collect();
        prop_assert_eq!(got, expected);
    }
}
