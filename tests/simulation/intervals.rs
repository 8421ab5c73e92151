//! What polls alone say of delays: each interval is said of certain messages, and what they really took must be in it.

use std::collections::BTreeMap;

use headwater::engine::DelayInterval;
use headwater::model::acks::AckKind;
use headwater::model::id::ConsumerId;
use headwater::model::snapshot::DelayMethod;

use super::acks::Said;
use super::{Scenario, Trial, consumer, rough, store};
use crate::Options;

/// Intervals, and how many messages they are said of and how many of those are in them.
#[derive(Debug, Default)]
struct Score {
    intervals: usize,
    /// Said of one message each.
    single: usize,
    messages: usize,
    held: usize,
    wrong: Vec<String>,
}

/// Watches for some time at the passive level, and compares what was said meanwhile.
fn score(scenario: Scenario, seed: u64, seconds: u64) -> Score {
    let options = Options { broker_ahead: -1_300_000_000, ..Options::default() };
    let mut trial = Trial::new(scenario, seed, options);
    let mut said = Said::from_start(&trial);
    let mut told: BTreeMap<ConsumerId, Vec<DelayInterval>> = BTreeMap::new();
    for s in 0..=seconds {
        let (snapshot, _) = trial.at(s * 1_000);
        said.go_on(&trial);
        // The engine thins out what it keeps: it is looked at before.
        if s % 20 == 0 || s == seconds {
            for consumer in &snapshot.consumers {
                let known = told.entry(consumer.id.clone()).or_default();
                for interval in trial.engine.intervals(&consumer.id) {
                    if !known.contains(&interval) {
                        known.push(interval);
                    }
                }
            }
        }
    }
    let mut score = Score::default();
    for (id, intervals) in told {
        let steps = said.steps.get(&id).map_or(&[][..], Vec::as_slice);
        let mut delays: Vec<(u64, i64)> = steps
            .iter()
            .filter(|step| step.kind == AckKind::Acknowledged)
            .map(|step| (step.seq, step.at.nanos_since(step.appended)))
            .collect();
        delays.sort_unstable();
        for interval in intervals {
            score.intervals += 1;
            let from = delays.partition_point(|(seq, _)| *seq < interval.of.0);
            score.single += usize::from(interval.of.0 == interval.of.1);
            let its = delays[from..].iter().take_while(|(seq, _)| *seq <= interval.of.1);
            for (seq, delay) in its {
                score.messages += 1;
                if (interval.lo..=interval.hi).contains(delay) {
                    score.held += 1;
                } else {
                    score.wrong.push(format!("{id} #{seq}: {delay} is not in {interval:?}"));
                }
            }
        }
    }
    score
}

fn check(scenario: &Scenario, seeds: std::ops::Range<u64>) {
    let mut all = Score::default();
    for seed in seeds {
        let one = score(scenario.clone(), seed, 240);
        all.intervals += one.intervals;
        all.single += one.single;
        all.messages += one.messages;
        all.held += one.held;
        all.wrong.extend(one.wrong);
    }
    assert!(all.intervals > 2_000 && all.single > 500 && all.messages > 4_000, "{all:?}");
    // 99 in 100 would do; there is no case left in which one is wrong.
    assert_eq!(all.held, all.messages, "{:#?}", &all.wrong[..all.wrong.len().min(40)]);
}

/// The figures of all messages over the whole run, and over the last minute, against those of the messages.
fn figures(scenario: Scenario, seed: u64, whole: bool) -> usize {
    let options = Options { broker_ahead: 2_100_000_000, ..Options::default() };
    let mut trial = if whole {
        Trial::of_whole_run(scenario, seed, options)
    } else {
        Trial::new(scenario, seed, options)
    };
    // Only what is processed after the first poll is counted.
    trial.at(0);
    let mut said = Said::from_here(&trial);
    let (mut compared, mut bounded) = (0, 0);
    let mut worst = Vec::new();
    for s in 1..=200_u64 {
        let (snapshot, _) = trial.at(s * 1_000);
        said.go_on(&trial);
        // A window of a minute covers all until then.
        if s % 10 != 0 || (!whole && s > 60) {
            continue;
        }
        for (id, steps) in &said.steps {
            let mut delays: Vec<i64> = steps
                .iter()
                .filter(|step| step.kind == AckKind::Acknowledged)
                .map(|step| step.at.nanos_since(step.appended))
                .collect();
            let shown = consumer(&snapshot, id.as_str()).delay.as_ref();
            let Some(delay) = shown.filter(|_| !delays.is_empty()) else { continue };
            assert_eq!(delay.method, DelayMethod::Interval, "{id}");
            delays.sort_unstable();
            compared += 1;
            for ((figure, error), share) in delay.figures().into_iter().zip([0.50, 0.95, 0.99, 1.0]) {
                let truth = delays[(share * delays.len() as f64).ceil() as usize - 1];
                let (Some(figure), Some(error)) = (figure, error) else { continue };
                bounded += 1;
                if u128::from(figure.abs_diff(truth)) > error.as_nanos() {
                    worst.push(format!(
                        "{s} s, {id}: p{share} is {figure} within {error:?} and in truth {truth}, of {} ({} counted)",
                        delays.len(),
                        delay.count
                    ));
                }
            }
        }
    }
    assert!(bounded * 10 >= compared * 4 * 9, "{bounded} figures of {compared} consumers");
    assert!(worst.is_empty(), "{} of {bounded}: {:#?}", worst.len(), &worst[..worst.len().min(40)]);
    compared
}

#[test]
fn figures_of_all_messages_are_in_what_is_shown() {
    for (seed, whole) in [(80, true), (81, false)] {
        for scenario in [store(), rough()] {
            let compared = figures(scenario, seed, whole);
            assert!(compared > 60, "{compared}");
        }
    }
}

#[test]
fn intervals_hold_the_truth() {
    check(&store(), 70..72);
}

#[test]
fn intervals_hold_the_truth_where_nothing_is_acknowledged_in_order() {
    check(&rough(), 72..74);
}

#[test]
fn intervals_hold_the_truth_where_little_happens_and_much_comes_again() {
    let mut scenario = rough();
    for rate in scenario.asks.values_mut() {
        *rate /= 20.0;
    }
    for (consumer, reading) in &mut scenario.reads {
        reading.fails = if consumer.contains("billing") { 0.0 } else { 0.3 };
        reading.max_deliver = 3;
    }
    check(&scenario, 74..78);
}
