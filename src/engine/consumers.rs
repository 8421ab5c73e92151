//! Named positions: what polls and notices say of each consumer, and the row made of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counted::Counted;
use super::delay::{DelayInterval, Delays};
use super::gave_up::{GaveUp, Marks};
use super::heard::{self, Heard};
use super::progress::{self, ChannelPoint, Reading, Sample};
use super::rates::{READINGS, Windows, base_of, elapsed, per_second, replaces};
use super::status::{Case, Presence, Verdict, judge};
use super::wiring::Bound;
use super::words;
use super::{staleness, trend};
use crate::model::acks::AckTally;
use crate::model::histogram::Histogram;
use crate::model::id::{ChannelId, ConsumerId, Name, ServiceId, SourceId};
use crate::model::measured::{Bounds, Measured};
use crate::model::observation::{
    AckPolicy, BacklogReport, ChannelReport, ClockOffset, ConsumerReport, Notice, NoticeKind, Span,
};
use crate::model::series::History;
use crate::model::snapshot::{
    ConsumerIdentity, ConsumerStatus, Delay, Drain, Loss, Processing, Since, Trend,
};
use crate::model::time::{Mono, Stamp, Timestamp};

/// What is kept of one consumer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ConsumerState {
    pub(super) id: ConsumerId,
    pub(super) name: Name,
    pub(super) channel: ChannelId,
    pub(super) source: SourceId,
    /// What the broker last said; `None` while only the name is known.
    pub(super) report: Option<Arc<ConsumerReport>>,
    /// When it last said so.
    pub(super) polled: Option<Stamp>,
    /// When its name was first seen.
    pub(super) seen: Stamp,
    /// It was there when watching its channel began.
    pub(super) was_there: bool,
    /// How it read at the last poll.
    how: Option<Reading>,
    /// Polls since it began (anew).
    samples: Vec<Sample>,
    /// The first of them: rates over the whole run begin here.
    first: Option<Sample>,
    advanced: Option<Stamp>,
    idle: Option<Stamp>,
    free: Option<Stamp>,
    /// The first poll after a time in which nobody could look, or in which it was paused.
    resumed: Option<Stamp>,
    /// The first poll after its last pause.
    #[serde(default)]
    pause_ended: Option<Stamp>,
    /// The highest position before it went back.
    rewound: Option<u64>,
    pub(super) backlog: Option<BacklogReport>,
    delays: Delays,
    heard: Heard<AckTally>,
    /// Its acknowledgements while all of them were heard.
    #[serde(default)]
    counted: Counted,
    /// Samples of its own processing times.
    #[serde(default)]
    processing: Heard<Histogram>,
    /// Until when those were told.
    #[serde(default)]
    sampled: Option<Mono>,
    /// Until when its acknowledgements were listened to.
    listened: Option<Mono>,
    pub(super) gave_up: GaveUp,
    /// Rate of errors: counter of given-up, refused and terminated messages.
    pub(super) status: ConsumerStatus,
    pub(super) why: Name,
    pub(super) since: Since,
    judged: Option<Mono>,
    /// The largest lag since it fell behind, until it has caught up.
    peak: Option<u64>,
    trend: Trend,
    pub(super) lag_history: History,
    pub(super) staleness_history: History,
    /// How old its oldest message was at the last poll: see [`staleness`].
    pub(super) staleness: Measured<Duration>,
    /// The poll whose staleness is in the history.
    drawn: Option<Mono>,
    /// Bytes per message of its channel at the last poll.
    pub(super) mean_size: Option<f64>,
    /// When its channel took its newest message, at the last poll, if every message is for it and none came since.
    newest: Option<Timestamp>,
    /// Messages processed per second over time.
    pub(super) history: History,
    /// When anything was last delivered.
    pub(super) last_seen: Option<Timestamp>,
    /// What its polls amount to, as judged last.
    pub(super) figures: Figures,
    /// By what polls of it are known: the same words in every row.
    pub(super) listed_by: Name,
    /// The engine's revision when what decides who it is last changed.
    pub(super) rewired: u64,
    /// Where it stands in the wiring. Not written down: whoever goes on wires everything anew.
    #[serde(skip)]
    pub(super) wired: Option<Wired>,
    /// Its judgement and figures are those of all that it was told.
    #[serde(skip)]
    settled: bool,
    /// It is among those whose rows are to be made anew.
    #[serde(skip)]
    pub(super) stale: bool,
}

/// Where a consumer stands in the wiring and among the rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wired {
    /// Whose it is.
    pub(super) bound: Arc<Bound>,
    /// Who it is, as its rows tell.
    pub(super) identity: Arc<ConsumerIdentity>,
    /// The place of its row.
    pub(super) row: usize,
    /// The places of the flows that show its numbers.
    pub(super) flows: Vec<usize>,
}

/// Numbers over a window: made once after a poll, for its own row and for those of its flows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// Deliveries per second, redeliveries included.
    pub(super) delivered_rate: Measured<f64>,
    /// Messages processed per second.
    pub(super) acked_rate: Measured<f64>,
    /// Messages per second that went wrong: given up, refused, terminated.
    pub(super) errors_rate: Measured<f64>,
    /// When its backlog will be gone.
    pub(super) drain: Measured<Drain>,
    /// Append → processed.
    pub(super) delay: Option<Delay>,
    /// What was heard of its acknowledgements, when anything was.
    pub(super) acks: Option<Arc<AckTally>>,
    /// Last delivery → acknowledgement, of those that were sampled.
    pub(super) processing: Measured<Processing>,
}

/// What a poll is judged with.
pub(super) struct Poll<'a> {
    pub(super) at: Stamp,
    /// The broker's clock at that moment, as well as it is known.
    pub(super) broker_now: Timestamp,
    pub(super) channel: Option<&'a ChannelReport>,
    /// Nobody tells what is given up.
    pub(super) unheard: bool,
}

impl ConsumerState {
    /// A consumer whose name was seen.
    pub(super) fn new(
        id: ConsumerId,
        name: Name,
        channel: ChannelId,
        source: SourceId,
        seen: Stamp,
        was_there: bool,
    ) -> Self {
        let listed_by = format!("consumer list of {source}").into();
        Self {
            id,
            name,
            channel,
            source,
            report: None,
            polled: None,
            seen,
            was_there,
            how: None,
            samples: Vec::with_capacity(READINGS + 1),
            first: None,
            advanced: None,
            idle: None,
            free: None,
            resumed: None,
            pause_ended: None,
            rewound: None,
            backlog: None,
            delays: Delays::default(),
            heard: Heard::default(),
            counted: Counted::from(seen.mono),
            processing: Heard::default(),
            sampled: None,
            listened: None,
            gave_up: GaveUp::default(),
            status: ConsumerStatus::Unknown,
            why: words::NAME_ONLY.clone(),
            since: Since { at: seen.wall, or_earlier: was_there },
            judged: None,
            peak: None,
            trend: Trend::Steady,
            lag_history: History::default(),
            staleness_history: History::default(),
            staleness: Measured::unknown(words::NAME_ONLY.clone(), seen.wall),
            drawn: None,
            mean_size: None,
            newest: None,
            history: History::default(),
            last_seen: None,
            figures: Figures {
                delivered_rate: Measured::unknown(words::NAME_ONLY.clone(), seen.wall),
                acked_rate: Measured::unknown(words::NAME_ONLY.clone(), seen.wall),
                errors_rate: Measured::unknown(words::NAME_ONLY.clone(), seen.wall),
                drain: Measured::unknown(words::NAME_ONLY.clone(), seen.wall),
                delay: None,
                acks: None,
                processing: Measured::unknown(words::NAME_ONLY.clone(), seen.wall),
            },
            listed_by,
            rewired: 0,
            wired: None,
            settled: false,
            stale: false,
        }
    }

    /// Takes what the broker says now.
    pub(super) fn poll(&mut self, report: &ConsumerReport, poll: &Poll<'_>) {
        if self.polled.is_some_and(|last| poll.at.mono <= last.mono) {
            return;
        }
        self.settled = false;
        self.draw();
        let how = Reading::of(report, poll.channel);
        self.how = Some(how);
        let channel = poll.channel.map(ChannelPoint::of).unwrap_or_default();
        if self.is_remade(report) {
            let reached = self.samples.last().and_then(|last| last.delivered.or(last.floor)).map(|p| p.1);
            self.begin_anew(poll.at.mono);
            // What it had reached under its name it has to reach again.
            self.rewound = reached;
        }
        self.gave_up.poll(report, channel, !self.was_there);
        let unheard = poll.unheard.then(|| Marks::of(report, channel));
        if let Some(marks) = unheard {
            self.gave_up.unheard(poll.at.wall, marks);
        }
        let (abandoned, refused) = (self.gave_up.abandoned(), self.gave_up.refused);
        let sample = Sample::of(report, poll.at, channel, abandoned, refused, unheard);
        if let Some(last) = self.samples.last().copied().filter(|last| sample.is_behind(last)) {
            self.go_back(&last);
        }
        let position = sample.delivered.or(sample.floor).map(|p| p.1);
        // Nothing pending: what it has not reached again is not for it any more.
        let there = matches!((self.rewound, position), (Some(target), Some(seq)) if seq >= target);
        if there || sample.lag == Some(0) {
            self.rewound = None;
        }
        let mut surely = 0;
        let ended = self.report.as_ref().is_some_and(|before| is_paused(before)) && !is_paused(report);
        if ended || is_interruption(&self.samples, poll.at) {
            self.resumed = Some(poll.at);
        }
        if ended {
            self.pause_ended = Some(poll.at);
            // It grew because nothing was taken, which has ended.
            self.trend = Trend::Steady;
        }
        if let Some(last) = self.samples.last().copied() {
            if progress::advanced(&last, &sample, how) {
                self.advanced = Some(poll.at);
            }
            let count = progress::processed(&last, &sample, how);
            let processed = count.as_ref().and_then(progress::likely).unwrap_or(0);
            surely = processed;
            if progress::in_doubt(&last, &sample) {
                // Which of them were processed is not known: delays are told of those that surely were.
                surely = count.as_ref().and_then(|count| count.low().copied()).unwrap_or(0);
                self.delays.doubt(poll.at.mono);
            }
            let same_server = self.same_leader(report);
            let rate =
                count.and_then(|_| per_second(processed as f64, elapsed(&last.at, &poll.at, same_server)));
            if let Some(rate) = rate {
                let over = crate::model::observation::Span { from: last.at.mono, to: poll.at.mono };
                super::rates::fill(&mut self.history, over, rate);
            }
            let delivered = |s: &Sample| s.delivered.map(|d| d.0);
            if processed > 0 || delivered(&sample) > delivered(&last) {
                self.last_seen = Some(poll.at.wall);
            }
        }
        if sample.lag == Some(0) {
            self.idle = Some(poll.at);
        }
        if sample.backlog() == Some(0) {
            self.free = Some(poll.at);
        }
        self.first.get_or_insert(sample);
        if replaces(&self.samples, |s| s.at.mono) {
            self.samples.pop();
        }
        self.samples.push(sample);
        if self.samples.len() > READINGS {
            self.samples.remove(0);
        }
        if let Some(lag) = report.lag.low() {
            self.lag_history.push(poll.at.mono, *lag as f64);
        }
        self.delays.poll(report, poll.channel, surely, poll.at.mono, poll.broker_now, poll.at.travel);
        self.trend = trend::trend(self.recent(), self.trend);
        self.mean_size = poll.channel.and_then(|c| match (c.bytes, c.messages) {
            (Some(bytes), Some(messages @ 1..)) => Some(bytes as f64 / messages as f64),
            _ => None,
        });
        // Lists are read one after the other: only where nothing was delivered or is pending that the channel's list did not know is
        // its newest message still the newest.
        let known = |c: &&ChannelReport| {
            report.filters.is_empty()
                && report.lag == Bounds::Exact(0)
                && matches!((report.delivered, c.last_seq), (Some(d), Some(last)) if d.channel_seq <= last)
        };
        self.newest = poll.channel.filter(known).and_then(|c| c.last_at);
        self.polled = Some(poll.at);
        if self.channel != report.channel {
            self.channel = report.channel.clone();
        }
        if self.name != report.name {
            self.name = report.name.clone();
        }
        // Every poll brings its names anew: one copy of them is enough.
        let before = self.report.as_ref().filter(|before| before.filters == report.filters);
        self.report = Some(Arc::new(ConsumerReport {
            id: self.id.clone(),
            name: self.name.clone(),
            channel: self.channel.clone(),
            filters: before.map_or(&report.filters, |before| &before.filters).clone(),
            ..report.clone()
        }));
    }

    /// Whether it is another one under the old name.
    pub(super) fn is_remade(&self, report: &ConsumerReport) -> bool {
        /// A server before 2.10 tells a creation time that is a little later after a restart.
        const SAME: Duration = Duration::from_secs(1);
        let created = (self.report.as_ref().and_then(|r| r.created_at), report.created_at);
        let (Some(before), Some(now)) = created else { return false };
        let went_back = || {
            let position = |r: &ConsumerReport| r.delivered.map(|p| (p.consumer_seq, p.channel_seq));
            self.report.as_ref().is_some_and(|before| position(report) < position(before))
        };
        let apart = now.age_since(before).max(before.age_since(now));
        apart >= SAME || (!apart.is_zero() && went_back())
    }

    /// It is another one under the old name.
    fn begin_anew(&mut self, now: Mono) {
        self.samples.clear();
        self.first = None;
        self.advanced = None;
        self.idle = None;
        self.free = None;
        self.resumed = None;
        self.rewound = None;
        self.backlog = None;
        self.was_there = false;
        self.delays = Delays::default();
        self.heard.reset();
        self.counted = Counted::from(now);
        self.processing.reset();
        self.gave_up.reset();
        self.trend = Trend::Steady;
    }

    /// Its position went back: rates start again, and it is rewound until it is where it was.
    fn go_back(&mut self, last: &Sample) {
        let was = last.delivered.or(last.floor).map(|p| p.1);
        self.rewound = self.rewound.max(was);
        self.samples.clear();
        self.first = None;
        self.advanced = None;
        self.backlog = None;
        self.delays.go_back();
    }

    /// The oldest message that it has to process was read, as of the poll at `at`: it was waiting at `waiting_at` on the
    /// broker's clock.
    pub(super) fn backlog(
        &mut self,
        backlog: BacklogReport,
        at: Mono,
        waiting_at: Timestamp,
        windows: Windows,
    ) {
        let more = self.delays.backlog(&backlog.oldest, backlog.channel_seq, at, waiting_at);
        if more && self.settled && self.figures.acks.is_none() {
            self.figures.delay = self.delays.distribution(windows.delay, at);
        }
        self.backlog = Some(backlog);
    }

    /// Its acknowledgements were listened to until `at`.
    /// `stretch` is the time up to then in which all of its source's were.
    pub(super) fn hear(&mut self, tally: &AckTally, at: Mono, stretch: Option<Span>, windows: Windows) {
        self.heard.add(tally, at);
        if let Some(stretch) = stretch {
            self.counted.add(tally.acknowledged, tally.span, stretch, windows.rate);
        }
        self.listened = Some(at);
        self.settled = false;
    }

    /// The broker told how long it took of its own for some messages, until `at`.
    pub(super) fn sampled(&mut self, times: &Histogram, at: Mono) {
        self.processing.add(times, at);
        self.sampled = Some(at);
        self.settled = false;
    }

    /// They are not listened to any more.
    pub(super) fn unhear(&mut self) {
        self.heard.reset();
        self.listened = None;
        self.settled = false;
    }

    /// Its figures are to be worked out anew.
    pub(super) fn unsettle(&mut self) {
        self.settled = false;
    }

    /// What polls say of the delays of single messages.
    pub(super) fn intervals(&self) -> Vec<DelayInterval> {
        self.delays.intervals().collect()
    }

    /// Something happened to one of its messages.
    pub(super) fn notice(&mut self, at: Timestamp, notice: &Notice) {
        self.settled = false;
        match notice.kind {
            NoticeKind::GaveUp => self.gave_up.told(at),
            NoticeKind::Terminated => self.gave_up.terminated = self.gave_up.terminated.saturating_add(1),
            NoticeKind::Refused => self.gave_up.refused = self.gave_up.refused.saturating_add(1),
            _ => return,
        }
        if let (NoticeKind::GaveUp | NoticeKind::Terminated, Some(seq)) = (notice.kind, notice.channel_seq) {
            self.delays.abandoned(seq);
        }
    }

    fn same_leader(&self, report: &ConsumerReport) -> bool {
        self.report.as_ref().is_none_or(|before| before.leader == report.leader)
    }

    /// The polls of the last window, oldest first, and none from before an interruption.
    fn recent(&self) -> &[Sample] {
        let resumed = self.resumed.map_or(0, |at| self.samples.partition_point(|s| s.at.mono < at.mono));
        self.samples.get(self.samples.len().saturating_sub(11).max(resumed)..).unwrap_or_default()
    }

    /// Notices of it were missed: what they count is a lower bound from here on.
    pub(super) fn missed(&mut self) {
        self.gave_up.missed();
        self.settled = false;
    }

    /// Takes its place; returns who it is, and whether it is another one's now.
    pub(super) fn wire(
        &mut self,
        bound: &Arc<Bound>,
        row: usize,
        flows: Vec<usize>,
    ) -> (Arc<ConsumerIdentity>, bool) {
        let same = |before: &mut Wired| {
            let identity = &before.identity;
            before.bound == *bound && (&identity.name, &identity.channel) == (&self.name, &self.channel)
        };
        let before = self.wired.take_if(same);
        let moved = before.is_none();
        self.settled &= !moved;
        let identity = before.map_or_else(|| Arc::new(self.identity(bound)), |before| before.identity);
        self.wired = Some(Wired { bound: Arc::clone(bound), identity: Arc::clone(&identity), row, flows });
        (identity, moved)
    }

    fn identity(&self, bound: &Bound) -> ConsumerIdentity {
        ConsumerIdentity {
            id: self.id.clone(),
            name: self.name.clone(),
            channel: self.channel.clone(),
            source: self.source.clone(),
            services: Arc::clone(&bound.services),
            services_likely: bound.likely,
            max_delay: bound.max_delay,
            feeds: Arc::clone(&bound.feeds),
            bound_by: Arc::clone(&bound.evidence),
        }
    }

    /// Judges it and works out its figures, unless nothing came since that was done last.
    /// `stretch` is the time in which all acknowledgements of its source were heard, up to now.
    pub(super) fn settle(&mut self, windows: Windows, stretch: Option<Span>) {
        if !self.settled {
            self.judge();
            self.measure(windows, stretch);
            self.settled = true;
        }
    }

    /// The same right after a poll, while all that it rests on is at hand. The first judgement waits for the wiring, which tells
    /// whether anybody is there; where acknowledgements are listened to, what was heard comes after the polls.
    pub(super) fn settle_again(&mut self, windows: Windows, listens: bool) {
        if self.judged.is_some() && self.wired.is_some() && self.listened.is_none() && !listens {
            self.settle(windows, None);
        }
    }

    /// Works out what its polls amount to.
    fn measure(&mut self, windows: Windows, stretch: Option<Span>) {
        let now = self.polled.map(|at| at.mono).max(self.listened);
        let acks = now.and_then(|now| self.heard.window(windows.heard, now)).map(Arc::new);
        let delay = match &acks {
            Some(acks) => Some(heard::delay(acks)),
            None => self.polled.and_then(|at| self.delays.distribution(windows.delay, at.mono)),
        };
        let ends = self.ends(windows);
        let acked_rate = self.acked_rate_heard(windows, stretch).unwrap_or_else(|| self.acked_rate(ends));
        let drain = self.drain(match &acked_rate.bounds {
            Bounds::Between { lo, hi } => Some(f64::midpoint(*lo, *hi)),
            bounds => bounds.low().copied(),
        });
        let (delivered_rate, errors_rate) = (self.delivered_rate(ends), self.errors_rate(ends));
        let processing = self.processing(windows);
        self.figures = Figures { delivered_rate, acked_rate, errors_rate, drain, delay, acks, processing };
    }

    fn judge(&mut self) {
        let Some(report) = &self.report else { return };
        let (Some(polled), Some(first)) = (self.polled, self.first) else { return };
        let bound = self.wired.as_ref().map(|wired| &wired.bound);
        let presence = bound.map_or(Presence::NotKnown, |bound| bound.presence);
        let service = bound.and_then(|bound| bound.services.first()).map(ServiceId::as_str);
        let Verdict { status, why, from, or_earlier } = judge(&Case {
            report,
            samples: &self.samples,
            advanced: self.advanced,
            idle: self.idle,
            free: self.free,
            began: first.at,
            resumed: self.resumed,
            after_pause: self.resumed.is_some() && self.resumed == self.pause_ended,
            was_there: self.was_there,
            presence,
            service,
            at: bound.is_some_and(|bound| bound.names_source).then_some(self.source.as_str()),
            gave_up: self.gave_up.bounds().low().copied().unwrap_or(0),
            rewound: self.rewound,
            trend: self.trend,
            peak: self.peak,
        });
        let behind =
            matches!(status, ConsumerStatus::Slow | ConsumerStatus::Stalled | ConsumerStatus::Stopped);
        let lag = report.lag.low().copied().unwrap_or(0);
        self.peak = behind.then(|| self.peak.map_or(lag, |peak| peak.max(lag)));
        let newly = self.judged.is_none();
        self.judged = Some(polled.mono);
        let before = self.status;
        self.why = why;
        if status == before && !newly {
            return;
        }
        self.status = status;
        let at = from.map_or(polled.wall, |s| s.wall);
        let since_start = newly && self.was_there && status != ConsumerStatus::Unknown;
        self.since = Since { at, or_earlier: or_earlier || since_start };
    }

    /// Deliveries per second, redeliveries included: Δ deliveries ÷ Δ time.
    fn delivered_rate(&self, ends: Option<(&Sample, &Sample)>) -> Measured<f64> {
        let at = self.measured_at();
        let Some((base, last)) = ends else {
            return Measured::unknown(words::ONE_POLL.clone(), at);
        };
        let (Some((c1, _)), Some((c2, _))) = (base.delivered, last.delivered) else {
            return Measured::unknown(words::NOT_REPORTED.clone(), at);
        };
        match per_second(c2.saturating_sub(c1) as f64, elapsed(&base.at, &last.at, true)) {
            Some(rate) => Measured::exact(rate, at, words::BY_DELIVERED.clone()),
            None => Measured::unknown(words::ONE_POLL.clone(), at),
        }
    }

    /// What its service takes of its own, as far as the broker samples it.
    fn processing(&mut self, windows: Windows) -> Measured<Processing> {
        let at = self.measured_at();
        let now = self.polled.map(|at| at.mono).max(self.sampled);
        let sampling = self.report.as_ref().and_then(|report| report.sampling);
        let by = || match sampling {
            Some(freq) => format!("sampled by the broker, sample_freq {freq}"),
            // It was sampled, and is not any more.
            None => "sampled by the broker".to_owned(),
        };
        if let Some(times) = now.and_then(|now| self.processing.window(windows.heard, now)) {
            return Measured::exact(heard::processing(&times), at, by());
        }
        let Some(report) = &self.report else { return Measured::unknown(words::NAME_ONLY.clone(), at) };
        let why = match (report.ack, report.sampling) {
            (AckPolicy::All | AckPolicy::None, _) => &words::NOT_EACH,
            (AckPolicy::Explicit, None) => &words::NOT_SAMPLED,
            (AckPolicy::Explicit, Some(_)) => &words::NONE_SAMPLED,
        };
        Measured::unknown((*why).clone(), at)
    }

    /// Messages acknowledged per second, where all acknowledgements were heard for as long as the rate covers. Of one that
    /// processes messages again, or acknowledges several at once, they do not tell everything.
    fn acked_rate_heard(&self, windows: Windows, stretch: Option<Span>) -> Option<Measured<f64>> {
        let (stretch, first) = (stretch?, self.first.as_ref()?);
        if self.rewound.is_some() || self.report.as_ref()?.ack != AckPolicy::Explicit {
            return None;
        }
        let rate = self.counted.rate(stretch, windows.rate, first.at.mono)?;
        Some(Measured::exact(rate, self.measured_at(), words::BY_HEARD.clone()))
    }

    /// Messages processed per second: see [`progress`].
    fn acked_rate(&self, ends: Option<(&Sample, &Sample)>) -> Measured<f64> {
        let at = self.measured_at();
        let (Some((base, last)), Some(how)) = (ends, self.how) else {
            return Measured::unknown(words::ONE_POLL.clone(), at);
        };
        let time = elapsed(&base.at, &last.at, true);
        let Some(count) = progress::processed(base, last, how) else {
            return Measured::unknown(words::NOT_REPORTED.clone(), at);
        };
        if time.is_zero() {
            return Measured::unknown(words::ONE_POLL.clone(), at);
        }
        Measured::new(count.map(|n| n as f64 / time.as_secs_f64()), at, words::BY_PROCESSED.clone())
    }

    /// Messages per second that went wrong: given up, refused, terminated.
    fn errors_rate(&self, ends: Option<(&Sample, &Sample)>) -> Measured<f64> {
        let at = self.measured_at();
        let Some((base, last)) = ends else {
            return Measured::unknown(words::ONE_POLL.clone(), at);
        };
        let refused = last.refused.saturating_sub(base.refused);
        let errors = progress::surely_abandoned(base, last).saturating_add(refused);
        match per_second(errors as f64, elapsed(&base.at, &last.at, true)) {
            Some(rate) if base.unheard.is_some() || last.unheard.is_some() => {
                Measured::new(Bounds::AtLeast(rate), at, words::BY_MARKS.clone())
            }
            Some(rate) => Measured::exact(rate, at, words::BY_NOTICES.clone()),
            None => Measured::unknown(words::ONE_POLL.clone(), at),
        }
    }

    /// The polls that a rate lies between.
    fn ends(&self, windows: Windows) -> Option<(&Sample, &Sample)> {
        let last = self.samples.last()?;
        let first = self.first.as_ref().filter(|first| {
            self.samples.len() > 1
                && last.at.mono.since(first.at.mono) <= windows.rate.saturating_add(windows.rate / 5)
        });
        let base = match first {
            Some(first) => first,
            None => base_of(&self.samples, windows.rate, |s| s.at.mono)?,
        };
        Some((base, last))
    }

    fn measured_at(&self) -> Timestamp {
        self.polled.map_or(self.seen.wall, |at| at.wall)
    }

    /// A number as the broker told it.
    pub(super) fn told(&self, pick: impl Fn(&ConsumerReport) -> &Bounds<u64>) -> Measured<u64> {
        match &self.report {
            Some(report) => Measured::new(pick(report).clone(), self.measured_at(), words::BY_BROKER.clone()),
            None => Measured::unknown(words::NAME_ONLY.clone(), self.seen.wall),
        }
    }

    pub(super) fn gave_up(&self) -> Measured<u64> {
        if self.report.is_none() && self.lost_since().is_none() {
            return Measured::unknown(words::NAME_ONLY.clone(), self.seen.wall);
        }
        Measured::new(self.gave_up.bounds(), self.measured_at(), words::BY_GAVE_UP.clone())
    }

    /// Whether nobody tells what it gives up.
    pub(super) fn is_unheard(&self) -> bool {
        self.samples.last().is_some_and(|last| last.unheard.is_some())
    }

    /// When messages were lost to it while watching.
    pub(super) fn losses(&self) -> Vec<Loss> {
        self.gave_up.losses().to_vec()
    }

    /// Since when messages are lost to it, if any is.
    pub(super) fn lost_since(&self) -> Option<Since> {
        self.gave_up.since(self.first.as_ref().map_or(self.seen.wall, |first| first.at.wall))
    }

    /// Says anew how old its oldest message was at the last poll: after the poll, and after that message was read.
    pub(super) fn age(&mut self, clocks: &BTreeMap<Option<Name>, ClockOffset>) {
        let (Some(report), Some(polled)) = (&self.report, self.polled) else { return };
        self.staleness = staleness::staleness(&staleness::Inputs {
            polled,
            lag: &report.lag,
            in_flight: &report.in_flight,
            floor: report.floor.map(|f| f.channel_seq),
            backlog: self.backlog.as_ref(),
            newest: self.newest,
            free: self.free,
            clocks,
        });
        // Mere bounds wait for the message to be read, which follows the poll.
        if matches!(self.staleness.bounds, Bounds::Exact(_) | Bounds::About { .. }) {
            self.draw();
        }
    }

    /// Draws the staleness of the last poll, once.
    fn draw(&mut self) {
        let Some(polled) = self.polled.filter(|polled| self.drawn != Some(polled.mono)) else { return };
        if let Some(age) = self.staleness.bounds.high().or(self.staleness.low()) {
            self.drawn = Some(polled.mono);
            self.staleness_history.push(polled.mono, age.as_secs_f64());
        }
    }

    fn drain(&self, processed_rate: Option<f64>) -> Measured<Drain> {
        let (bounds, by) = trend::drain(self.recent(), self.trend, processed_rate);
        let bounds = match bounds {
            // Nothing is taken from it, whatever its last polls before that say.
            Bounds::About { .. }
                if matches!(self.status, ConsumerStatus::Paused | ConsumerStatus::Stopped) =>
            {
                Bounds::Exact(Drain::Never)
            }
            // Nothing waits for delivery, and what is in flight may still be worked on.
            Bounds::Exact(Drain::Never)
                if self.samples.last().is_some_and(|s| s.lag == Some(0))
                    && !matches!(self.status, ConsumerStatus::Stalled | ConsumerStatus::Stopped) =>
            {
                Bounds::unknown("nothing waits for delivery; what is in flight is not acknowledged yet")
            }
            bounds => bounds,
        };
        Measured::new(bounds, self.measured_at(), by)
    }

    pub(super) fn trend(&self) -> Trend {
        self.trend
    }
}

/// Whether its configuration holds it back.
fn is_paused(report: &ConsumerReport) -> bool {
    report.paused.is_some_and(|left| !left.is_zero())
}

/// Whether nobody could look for a while before a poll: it came much later than polls came before.
fn is_interruption(samples: &[Sample], at: Stamp) -> bool {
    /// Shorter than this, one answer may just have been slow.
    const SHORTEST: Duration = Duration::from_secs(4);
    /// So many of the longest steps so far.
    const STEPS: u32 = 3;
    let Some(last) = samples.last() else { return false };
    let steps = samples.iter().zip(samples.iter().skip(1)).map(|(a, b)| b.at.mono.since(a.at.mono));
    steps.max().is_some_and(|longest| at.mono.since(last.at.mono) > (longest * STEPS).max(SHORTEST))
}
