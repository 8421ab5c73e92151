//! Judgements, each from a story of polls.

use super::*;
use crate::engine::progress::tests::poll;
use crate::engine::progress::{Reading, advanced};
use crate::engine::sample::consumer;

/// Judges a consumer by its polls, one a second.
struct Trial {
    report: ConsumerReport,
    samples: Vec<Sample>,
    presence: Presence,
    was_there: bool,
    gave_up: u64,
    peak: Option<u64>,
    /// The poll that was the first after nobody could look.
    resumed: Option<usize>,
    /// Its source, where there are several.
    at: Option<&'static str>,
}

impl Trial {
    /// Polls of (delivered, floor, pending, in flight), one a second.
    fn new(polls: &[(u64, u64, u64, u64)]) -> Self {
        let samples = polls
            .iter()
            .enumerate()
            .map(|(s, (d, floor, lag, in_flight))| poll(s as u64, *d, *d, *floor, *lag, *in_flight))
            .collect();
        Self {
            report: consumer("nats", "ORDERS", "billing"),
            samples,
            presence: Presence::Connected,
            was_there: true,
            gave_up: 0,
            peak: None,
            resumed: None,
            at: None,
        }
    }

    fn judge(&self) -> Verdict {
        let last = self.samples.last().unwrap();
        let how = Reading::of(&self.report, None);
        let moved = self.samples.windows(2).rfind(|w| advanced(&w[0], &w[1], how)).map(|w| w[1].at);
        let report = ConsumerReport {
            lag: Bounds::Exact(last.lag.unwrap()),
            in_flight: Bounds::Exact(last.in_flight.unwrap()),
            ..self.report.clone()
        };
        judge(&Case {
            report: &report,
            samples: &self.samples,
            advanced: moved,
            idle: self.samples.iter().rfind(|s| s.lag == Some(0)).map(|s| s.at),
            free: self.samples.iter().rfind(|s| s.backlog() == Some(0)).map(|s| s.at),
            began: self.samples[0].at,
            resumed: self.resumed.map(|at| self.samples[at].at),
            after_pause: false,
            was_there: self.was_there,
            presence: self.presence,
            service: Some("billing"),
            at: self.at,
            gave_up: self.gave_up,
            trend: crate::engine::trend::trend(&self.samples, Trend::Steady),
            peak: self.peak,
            rewound: None,
        })
    }

    fn with(mut self, change: impl Fn(&mut Sample)) -> Self {
        self.samples.iter_mut().for_each(change);
        self
    }
}

use ConsumerStatus::{GaveUp, Ok, Paused, Slow, Stalled, Stopped, Unknown};

fn polls_of(samples: Vec<Sample>) -> Trial {
    Trial { samples, ..Trial::new(&[]) }
}

/// `n` polls from a function of the second.
fn polls(n: u64, f: impl Fn(u64) -> (u64, u64, u64, u64)) -> Trial {
    Trial::new(&(0..n).map(f).collect::<Vec<_>>())
}

#[test]
fn a_quiet_channel_is_no_problem() {
    assert_eq!(polls(20, |_| (5, 5, 0, 0)).judge().status, Ok);
    assert_eq!(polls(1, |_| (5, 5, 0, 0)).judge().status, Ok);
}

#[test]
fn in_flight_at_its_maximum_is_said_at_once() {
    let verdict = polls(2, |s| (1_000, 0, 4_000 + s, 1_000)).judge();
    assert_eq!(verdict.status, Stalled);
    assert_eq!(&*verdict.why, "in flight is at its maximum of 1000: the service does not acknowledge");
    assert!(verdict.or_earlier);
}

#[test]
fn a_stall_that_begins_while_watching_dates_from_the_last_progress() {
    let trial = polls(12, |s| {
        let done = s.min(5) * 10;
        (done + 1_000, done, 10 + s, 1_000)
    });
    let verdict = trial.judge();
    assert_eq!((verdict.status, verdict.or_earlier), (Stalled, false));
    assert_eq!(verdict.from, Some(trial.samples[5].at));
}

#[test]
fn without_a_sign_a_whole_window_must_pass() {
    let stall = |n| polls(n, |s| (20, 0, 5 + s, 20)).judge().status;
    assert_eq!(stall(3), Unknown);
    assert_eq!(stall(9), Unknown);
    assert_eq!(stall(12), Stalled);
}

#[test]
fn one_message_at_a_time_may_take_its_time() {
    let mut trial = polls(15, |s| (1, 0, 5 + s, 1));
    trial.report.max_in_flight = Some(1);
    assert_eq!(trial.judge().status, Unknown);
    trial.report.ack_wait = Some(Duration::from_secs(10));
    assert_eq!(trial.judge().status, Stalled);
}

#[test]
fn nobody_pulling_is_stalled_while_its_service_is_connected_and_stopped_when_it_is_gone() {
    let mut trial = polls(6, |s| (50, 50, 5 + s, 0)).with(|s| s.waiting = Some(0));
    let verdict = trial.judge();
    assert_eq!((verdict.status, &*verdict.why), (Stalled, "nobody pulls, though billing is connected"));
    trial.presence = Presence::Gone;
    let verdict = trial.judge();
    assert_eq!((verdict.status, &*verdict.why), (Stopped, "nobody pulls, and billing has no connection"));
    trial.presence = Presence::NotKnown;
    let verdict = trial.judge();
    assert_eq!((verdict.status, &*verdict.why), (Stopped, "nobody pulls"));
}

#[test]
fn a_stopped_consumer_without_work_is_ok() {
    let mut trial = polls(20, |_| (50, 50, 0, 0)).with(|s| s.waiting = Some(0));
    trial.presence = Presence::Gone;
    assert_eq!(trial.judge().status, Ok);
}

#[test]
fn a_puller_that_works_on_what_it_fetched_is_not_missed() {
    let trial = polls(8, |_| (50, 40, 5, 10)).with(|s| s.waiting = Some(0));
    assert_eq!(trial.judge().status, Unknown);
}

#[test]
fn a_push_consumer_without_a_listener_has_no_subscriber() {
    let mut trial = polls(2, |s| (0, 0, 5 + s, 0));
    trial.report.delivery =
        Delivery::Push { subject: "deliver.billing".into(), queue: None, bound: Some(false) };
    trial.presence = Presence::Gone;
    let verdict = trial.judge();
    assert_eq!(verdict.status, Stopped);
    assert_eq!(
        &*verdict.why,
        "no subscriber on the deliver subject deliver.billing, and billing has no connection"
    );
}

#[test]
fn work_that_grows_faster_than_it_is_done_is_slow() {
    let verdict = polls(8, |s| (s * 10 + 5, s * 10, 100 + s * 20, 5)).judge();
    assert_eq!(verdict.status, Slow);
    assert!(verdict.or_earlier);
}

#[test]
fn work_that_is_worked_off_is_ok() {
    assert_eq!(polls(8, |s| (s * 100 + 5, s * 100, 1_000 - s * 50, 5)).judge().status, Ok);
}

#[test]
fn a_lag_that_was_zero_within_the_window_is_ok() {
    let trial = polls(9, |s| (s * 10, s * 10, if s < 4 { 0 } else { s * 5 }, 0));
    assert_eq!(trial.judge().status, Ok);
}

#[test]
fn a_poison_message_alone_stalls_after_its_acknowledgement_time() {
    let mut trial = polls(40, |_| (10, 9, 0, 1)).with(|s| s.redelivered = Some(1));
    assert_eq!(trial.judge().status, Stalled);
    trial.samples.truncate(20);
    assert_eq!(trial.judge().status, Unknown, "it has come again: that is not all well");
}

#[test]
fn messages_that_nobody_acknowledges_and_nobody_pulls_are_stopped_after_their_acknowledgement_time() {
    let mut trial = polls(40, |_| (10, 5, 0, 5)).with(|s| s.waiting = Some(0));
    trial.report.ack_wait = Some(Duration::from_secs(30));
    trial.report.max_deliver = Some(3);
    trial.presence = Presence::NotKnown;
    let verdict = trial.judge();
    assert_eq!(
        (verdict.status, &*verdict.why, verdict.or_earlier),
        (Stopped, "nobody pulls, and 5 delivered messages are not acknowledged", true)
    );
    trial.presence = Presence::Gone;
    assert_eq!(trial.judge().status, Stopped);
    trial.presence = Presence::Connected;
    assert_eq!(trial.judge().status, Stalled);
    // Within the acknowledgement time it is ordinary.
    trial.presence = Presence::Gone;
    trial.samples.truncate(31);
    assert_eq!(trial.judge().status, Ok);
}

#[test]
fn messages_held_by_a_service_that_pulls_or_was_just_given_them_are_no_problem() {
    // A pull waits.
    let mut trial = polls(60, |_| (10, 5, 0, 5));
    trial.report.ack_wait = Some(Duration::from_secs(30));
    assert_eq!(trial.judge().status, Ok);
    // It asked ten seconds ago.
    trial.samples.iter_mut().skip(50).for_each(|s| s.waiting = Some(0));
    assert_eq!(trial.judge().status, Ok);
    // It was handed a batch ten seconds ago, and does not pull while it works on it.
    let mut trial = polls(60, |s| (if s < 50 { 5 } else { 10 }, 3, 0, if s < 50 { 2 } else { 7 }))
        .with(|s| s.waiting = Some(0));
    trial.report.ack_wait = Some(Duration::from_secs(30));
    assert_eq!(trial.judge().status, Ok);
}

#[test]
fn a_backlog_that_does_not_shrink_needs_more_than_a_few_polls() {
    let behind = |n| polls(n, |s| (s * 10 + 5, s * 10, 1_000, 5)).judge().status;
    assert_eq!((behind(3), behind(6)), (Unknown, Ok));
    assert_eq!(polls(3, |s| (s * 10 + 5, s * 10, 1_000 - s * 10, 5)).judge().status, Ok);
}

#[test]
fn a_poison_message_beside_progress_is_no_stall() {
    // The floor stays, the rest flows; deliveries out of order.
    let trial = polls(15, |s| (s * 10 + 11, 10, 3, 1)).with(|s| s.redelivered = Some(1));
    assert_eq!(trial.judge().status, Ok);
}

#[test]
fn redeliveries_alone_are_no_progress() {
    // 1000 in flight come again and again: deliveries grow by a thousand a second.
    let trial = Trial {
        samples: (0..12)
            .map(|s| Sample {
                redelivered: Some(1_000),
                delivered: Some((1_000 * (s + 1), 1_000)),
                ..poll(s, 0, 0, 0, 10 + s, 1_000)
            })
            .collect(),
        ..polls(1, |_| (0, 0, 0, 0))
    };
    assert_eq!(trial.judge().status, Stalled);
}

#[test]
fn paused_and_given_up_are_said() {
    let mut trial = polls(1, |_| (5, 5, 3, 0));
    trial.report.paused = Some(Duration::from_secs(60));
    assert_eq!((trial.judge().status, trial.judge().or_earlier), (Paused, true));
    let mut trial = polls(1, |_| (5, 5, 0, 0));
    trial.gave_up = 2;
    assert_eq!(trial.judge().status, GaveUp);
}

/// A backlog that shrinks is still a backlog: nobody may read `nothing needs a person` while most of it is there.
#[test]
fn who_fell_behind_is_slow_until_most_is_worked_off() {
    let at = |lag: u64| {
        let polls: Vec<_> = (0..12).map(|s| (100 + s * 30, 90 + s * 30, lag + (11 - s) * 10, 10)).collect();
        Trial { peak: Some(400), ..Trial::new(&polls) }.judge()
    };
    assert_eq!(at(300).status, ConsumerStatus::Slow);
    assert_eq!(&*at(300).why, "catches up after it fell behind");
    assert_eq!(at(101).status, ConsumerStatus::Slow);
    assert_eq!(at(100).status, ConsumerStatus::Ok);
}

#[test]
fn of_one_that_is_behind_is_said_what_the_arrow_beside_its_lag_shows() {
    let with = |lag: &dyn Fn(u64) -> u64| {
        let polls: Vec<_> = (0..12).map(|s| (100 + s * 30, 90 + s * 30, lag(s), 10)).collect();
        let verdict = Trial { peak: Some(400), ..Trial::new(&polls) }.judge();
        (verdict.status, verdict.why.to_string())
    };
    let slow = |why: &str| (Slow, why.to_owned());
    assert_eq!(with(&|s| 400 - s * 10), slow("catches up after it fell behind"));
    assert_eq!(with(&|s| 398 + s % 3), slow("stays behind: as much comes in as it takes"));
    assert_eq!(with(&|s| 300 + s * 20), slow("falls behind, though it advances"));
}

#[test]
fn too_short_a_look_at_messages_in_flight_is_not_all_well() {
    // Delivered again, and nothing has moved since watching began.
    let again = polls(3, |_| (25, 20, 0, 3)).with(|s| s.redelivered = Some(3));
    assert_eq!(again.judge().status, Unknown);
    // Handed out longer ago than an acknowledgement may take, by the broker's clock.
    let mut old = polls(3, |_| (25, 20, 0, 3)).with(|s| s.at.broker = Some(s.at.wall));
    let now = old.samples[2].at.broker.unwrap();
    let handed = |ago: u64| crate::model::observation::Position {
        consumer_seq: 25,
        channel_seq: 25,
        last_active: Some(now - Duration::from_secs(ago)),
    };
    old.report.delivered = Some(handed(120));
    assert_eq!(old.judge().status, Unknown);
    old.report.delivered = Some(handed(2));
    assert_eq!(old.judge().status, Ok, "just handed out: being worked on");
}

#[test]
fn who_gives_everything_up_is_there() {
    // Older brokers keep what was given up in flight, marked as delivered again, until it has left the channel.
    let mut all = polls(40, |s| (s * 10, s * 10, 0, 10)).with(|s| s.redelivered = Some(10));
    all.presence = Presence::Gone;
    let floor = all.samples[0].floor;
    for (n, sample) in all.samples.iter_mut().enumerate() {
        sample.floor = floor;
        sample.abandoned = n as u64 * 10;
    }
    all.gave_up = 390;
    assert_eq!(all.judge().status, GaveUp);
    // Once nothing more is handed out and given up, what stays in flight is what nobody acknowledges.
    let mut since = polls(40, |_| (400, 0, 0, 10)).with(|s| (s.redelivered, s.abandoned) = (Some(10), 390));
    since.presence = Presence::Gone;
    since.gave_up = 390;
    assert_eq!(since.judge().status, Stopped);
}

/// Ten polls of work, ninety seconds without any, then polls in which nothing is processed and more comes.
fn interrupted(after: u64) -> Trial {
    let mut trial = polls(10 + after, |s| {
        let done = s.min(10) * 10;
        (done, done, 5 + s, 0)
    });
    for sample in trial.samples.iter_mut().skip(10) {
        sample.at = crate::engine::sample::at(sample.at.mono.0 / 1_000_000 + 90_000);
    }
    trial.resumed = Some(10);
    trial
}

/// Polls that come slowly: the time is long enough before the polls are many enough.
#[test]
fn a_growing_backlog_is_not_ok_until_it_is_called_slow() {
    let of = |n: u64| {
        let polls: Vec<Sample> =
            (0..n).map(|i| poll(3 * i, 20 * i, 20 * i, 20 * i, 900 + 30 * i, 5)).collect();
        // Also when it was watched for long before an interruption.
        let before: Vec<Sample> = (0..10).map(|i| poll(i, 5, 5, 5, 200, 5)).collect();
        let later = polls
            .iter()
            .map(|one| Sample { at: crate::engine::sample::at(one.at.mono.0 / 1_000_000 + 40_000), ..*one });
        let interrupted = Trial { resumed: Some(10), ..polls_of(before.into_iter().chain(later).collect()) };
        (polls_of(polls).judge().status, interrupted.judge().status)
    };
    let (watched, interrupted): (Vec<_>, Vec<_>) = (1..8).map(of).unzip();
    for told in [watched, interrupted] {
        assert_eq!(told, [Unknown, Unknown, Unknown, Unknown, Slow, Slow, Slow]);
    }
}

#[test]
fn what_was_seen_before_nobody_could_look_is_no_progress_of_now() {
    for after in 1..9 {
        let verdict = interrupted(after).judge();
        assert_eq!(verdict.status, Unknown, "{after} polls after: {verdict:?}");
        assert!(verdict.why.contains("since an interruption"), "{}", verdict.why);
    }
    let verdict = interrupted(12).judge();
    assert_eq!((verdict.status, &*verdict.why), (Stalled, "no acknowledgement while messages wait"));
}

#[test]
fn who_does_not_come_back_with_the_broker_is_stopped_as_soon_as_there_is_a_sign() {
    let gone = |after| {
        let mut trial = interrupted(after).with(|s| s.waiting = Some(0));
        trial.presence = Presence::Gone;
        trial.judge().status
    };
    assert_eq!((gone(3), gone(6)), (Unknown, Stopped));
}

#[test]
fn a_puller_that_stops_asking_is_missed_before_its_last_pull_leaves_the_window() {
    let mut trial = polls(8, |s| {
        let done = s.min(2) * 10;
        (done, done, 5 + s, 0)
    });
    for (s, sample) in trial.samples.iter_mut().enumerate() {
        sample.waiting = Some(u64::from(s <= 3));
    }
    trial.presence = Presence::Gone;
    assert_eq!(trial.judge().status, Stopped);
    trial.samples.truncate(7);
    assert_ne!(trial.judge().status, Stopped, "three polls, but only three seconds");
}

#[test]
fn a_service_without_a_connection_where_its_messages_are_may_have_one_elsewhere() {
    let mut trial = polls(3, |s| (0, 0, 10 + s, 0)).with(|s| s.waiting = Some(0));
    trial.presence = Presence::Gone;
    assert_eq!(&*trial.judge().why, "nobody pulls, and billing has no connection");
    trial.at = Some("eu");
    assert_eq!(&*trial.judge().why, "nobody pulls, and billing has no connection to eu");
}
