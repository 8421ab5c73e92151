//! The guard: whether a channel may be listened to at this moment.
//!
//! * A stream: while it is there with these subjects, it takes their messages whether we listen or not. When it is gone, a publisher
//!   must learn at once that nobody keeps its message.
//! * A bare subject: while another program listens to all that we would hear. Where others listen to parts of it alone, those parts
//!   are listened to.
//!
//! One question per channel and look; an answer that does not come within a second is a no.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::forbidden::why_not;
use crate::model::id::{ChannelId, Name, SourceId, escape, unescape};
use crate::model::subject::{covers, overlap, wrong_name, wrong_subject};
use crate::model::tap::TapState;
use crate::source::nats::api::{Api, ApiError, Reply, codes, read};
use crate::source::nats::connections::{Connection, ConnzAnswer};
use crate::source::nats::lenient::one_line;
use crate::source::nats::options::CONNECTION_NAME;
use crate::source::nats::streams::StreamConfig;
use crate::source::nats::wire::{Failure, Patience};

/// The broker may take so long to answer the guard.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// In a cluster: quiet after which those servers that did not answer have nobody who listens.
const QUIET: Duration = Duration::from_millis(300);
/// Connections that are told of one subject: one would do.
const CONNECTIONS: usize = 256;
/// Subjects that are listened to for one channel.
const MOST_SUBJECTS: usize = 64;
/// Names that are told of those who listen.
const NAMES: usize = 3;

const CONNZ: &str = "$SYS.REQ.ACCOUNT.PING.CONNZ";
const LOOKED_AT: &str = "looked at every second";

/// What a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Stream(String),
    Subject(String),
}

impl Target {
    /// Of a channel of this source; `None` for another's.
    pub(super) fn of(channel: &ChannelId, source: &SourceId) -> Option<Self> {
        let rest = channel.as_str().strip_prefix(&*escape(source.as_str()))?.strip_prefix('/')?;
        match rest.strip_prefix("subject:") {
            Some(subject) => unescape(subject).map(Self::Subject),
            None if rest.contains('/') => None,
            None => unescape(rest).map(Self::Stream),
        }
    }
}

/// What the guard says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// These may be listened to, as long as this holds.
    Listen { subjects: BTreeSet<String>, while_: String },
    /// No; without a state it depends on whether it was listened to before.
    No { state: Option<TapState>, why: String },
}

impl Verdict {
    fn no(why: impl Into<String>) -> Self {
        Self::No { state: None, why: why.into() }
    }

    fn refused(why: impl Into<String>) -> Self {
        Self::No { state: Some(TapState::Refused), why: why.into() }
    }
}

/// `STREAM.INFO`, as far as the guard looks.
#[derive(Debug, Default, Deserialize)]
struct Info {
    #[serde(default)]
    error: Option<ApiError>,
    #[serde(default)]
    config: Option<StreamConfig>,
}

impl Reply for Info {
    fn error(&mut self) -> Option<ApiError> {
        self.error.take()
    }
}

pub(super) struct Guard<'a> {
    pub api: &'a Api<'a>,
    pub inbox_prefix: Option<&'a str>,
}

impl Guard<'_> {
    pub(super) async fn judge(&self, target: &Target) -> Verdict {
        match target {
            Target::Stream(name) => self.stream(name).await,
            Target::Subject(subject) => self.subject(subject).await,
        }
    }

    /// Why this may not be subscribed to.
    fn why_not(&self, subject: &str) -> Option<Verdict> {
        if let Some(why) = why_not(subject, self.inbox_prefix) {
            return Some(Verdict::refused(one_line(&why)));
        }
        let literal = !subject.split('.').any(|part| matches!(part, "*" | ">"));
        if !literal {
            return None;
        }
        let desk = self.api.desk;
        let subject = one_line(subject);
        if desk.delivers_to(&subject) {
            let why = format!("a push consumer delivers to {subject}: it would take us for its reader");
            return Some(Verdict::refused(why));
        }
        match desk.unknown_deliveries() {
            None => None,
            Some(why) if why.is_empty() => Some(Verdict::No {
                state: Some(TapState::Asked),
                why: "consumers are not listed yet, and one might deliver there".to_owned(),
            }),
            Some(why) => Some(Verdict::refused(format!(
                "consumers cannot be listed ({why}), and one that delivers to {subject} would take us for its reader"
            ))),
        }
    }

    async fn stream(&self, name: &str) -> Verdict {
        if let Some(why) = wrong_name(name) {
            return Verdict::refused(format!("{} is no name of a stream: {why}", one_line(name)));
        }
        let shown = one_line(name);
        let config = match self.info(name).await {
            Ok(config) => config,
            Err(Failure::Refused { err_code: codes::STREAM_NOT_FOUND, .. }) => {
                return Verdict::no(format!(
                    "there is no stream {shown}: publishers must learn that nobody keeps their messages"
                ));
            }
            Err(Failure::Denied(subject)) => {
                let why = format!(
                    "permission denied for {subject}, by which the guard sees that the stream is there; allow this user to publish to it"
                );
                return Verdict::refused(one_line(&why));
            }
            Err(failure) => {
                return Verdict::no(one_line(&format!(
                    "the guard cannot see that the stream is there: {failure}"
                )));
            }
        };
        if let Some(mirror) = &config.mirror {
            let why = format!(
                "a mirror has no subjects of its own: tap {}, which it mirrors",
                one_line(&mirror.name)
            );
            return Verdict::refused(why);
        }
        if config.subjects.is_empty() {
            let sources: Vec<String> = config.sources.iter().map(|source| one_line(&source.name)).collect();
            let why = format!("it has no subjects of its own: tap what feeds it ({})", sources.join(", "));
            return Verdict::refused(why);
        }
        if config.subjects.len() > MOST_SUBJECTS {
            let why = format!(
                "it has {} subjects, more than the {MOST_SUBJECTS} that are listened to at a time: tap one of them",
                config.subjects.len()
            );
            return Verdict::refused(why);
        }
        if let Some(verdict) = config.subjects.iter().find_map(|subject| self.why_not(subject)) {
            return verdict;
        }
        let fed = if config.sources.is_empty() { "" } else { ", but what its sources feed it" };
        let while_ = format!("all that is published to it{fed}; while the stream is there, {LOOKED_AT}");
        Verdict::Listen { subjects: widest(config.subjects), while_ }
    }

    /// What a stream is now. The guard waits for nobody else's questions, and is not asked in vain.
    async fn info(&self, name: &str) -> Result<StreamConfig, Failure> {
        let Api { wire, desk, prefix } = self.api;
        let subject = format!("{prefix}.STREAM.INFO.{name}");
        desk.requested();
        desk.budget().spend(1);
        let answer = wire.ask(&subject, Bytes::new(), ANSWER_WITHIN).await?;
        desk.answered(answer.trip, answer.payload.len());
        let mut info: Info = read(&subject, &answer.payload)?;
        match (info.error(), info.config) {
            (Some(error), _) => Err(error.refusal(&subject)),
            (None, Some(config)) => Ok(config),
            (None, None) => Err(Failure::Unreadable { subject, why: "it has no configuration".to_owned() }),
        }
    }

    async fn subject(&self, subject: &str) -> Verdict {
        let shown = one_line(subject);
        if let Some(why) = wrong_subject(subject) {
            return Verdict::refused(format!("{shown} is no subject: {why}"));
        }
        if let Some(verdict) = self.why_not(subject) {
            return verdict;
        }
        let others = match self.others(subject).await {
            Ok(others) => others,
            Err(Failure::Denied(asked)) => {
                let why = format!(
                    "permission denied for {asked}, by which the guard sees who else listens; allow this user to publish to it"
                );
                return Verdict::refused(one_line(&why));
            }
            Err(failure) => {
                return Verdict::no(one_line(&format!("the guard cannot see who else listens: {failure}")));
            }
        };
        let covering: BTreeSet<&Name> =
            others.iter().filter(|(theirs, _)| covers(theirs, subject)).map(|(_, name)| name).collect();
        if !covering.is_empty() {
            let while_ = format!("while {} too, {LOOKED_AT}", listens(&covering));
            return Verdict::Listen { subjects: [subject.to_owned()].into(), while_ };
        }
        let parts = others.iter().filter(|(theirs, _)| covers(subject, theirs));
        let parts: Vec<_> = parts.filter(|(theirs, _)| self.why_not(theirs).is_none()).collect();
        let subjects = widest(parts.iter().map(|(theirs, _)| theirs.clone()).collect());
        if subjects.is_empty() {
            return Verdict::no(format!("nobody else listens to {shown}: a request to it must fail at once"));
        }
        if subjects.len() > MOST_SUBJECTS {
            let why = format!(
                "{} of its subjects are listened to by others, more than the {MOST_SUBJECTS} that are listened to at a time: name one of them",
                subjects.len()
            );
            return Verdict::refused(why);
        }
        let names: BTreeSet<&Name> = parts.iter().map(|(_, name)| name).collect();
        Verdict::Listen {
            subjects,
            while_: format!("the parts of it that {} to, {LOOKED_AT}", listens(&names)),
        }
    }

    /// What others listen to that has to do with a subject, and their names.
    pub(super) async fn others(&self, subject: &str) -> Result<BTreeSet<(String, Name)>, Failure> {
        let Api { wire, desk, .. } = self.api;
        let body = json!({
            "subscriptions": true, "subscriptions_detail": true, "auth": false,
            "sort": "cid", "limit": CONNECTIONS, "filter_subject": subject,
        });
        let server = wire.client().server_info();
        let alone = server.cluster.as_deref().unwrap_or_default().is_empty();
        let mut others = BTreeSet::new();
        desk.requested();
        desk.budget().spend(1);
        let patience = Patience { longest: ANSWER_WITHIN, quiet: QUIET };
        let answers = wire
            .gather(CONNZ, Bytes::from(body.to_string()), &patience, |answer| {
                let Ok(told) = read::<ConnzAnswer>(CONNZ, &answer.payload) else { return false };
                let Some(data) = told.data else { return false };
                let id = if told.server.id.is_empty() { &data.server_id } else { &told.server.id };
                let own = |one: &&Connection| *id == server.server_id && one.cid == server.client_id;
                // Another Headwater listens only because somebody else does.
                let another = |one: &&Connection| one.name().is_some_and(|name| *name == *CONNECTION_NAME);
                for one in data.connections.read.iter().filter(|one| !own(one) && !another(one)) {
                    let name = one.name().unwrap_or_else(|| "somebody without a name".into());
                    let theirs = one.subjects().filter(|theirs| overlap(theirs, subject));
                    others.extend(theirs.map(|theirs| (theirs.to_owned(), name.clone())));
                }
                // One who listens to all of it is enough.
                alone || others.iter().any(|(theirs, _)| covers(theirs, subject))
            })
            .await?;
        for answer in &answers {
            desk.answered(answer.trip, answer.payload.len());
        }
        Ok(others)
    }
}

/// `billing and accounts listen`
fn listens(names: &BTreeSet<&Name>) -> String {
    let shown: Vec<String> = names.iter().take(NAMES).map(|name| one_line(name)).collect();
    let verb = if names.len() == 1 { "listens" } else { "listen" };
    match names.len().saturating_sub(NAMES) {
        0 => format!("{} {verb}", shown.join(" and ")),
        more => format!("{} and {more} more {verb}", shown.join(", ")),
    }
}

/// Subjects without those that others of them take in.
fn widest(subjects: Vec<String>) -> BTreeSet<String> {
    let all: BTreeSet<String> = subjects.into_iter().collect();
    let within = |one: &String| all.iter().any(|other| other != one && covers(other, one));
    all.iter().filter(|one| !within(one)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_stream_or_a_subject_of_its_source() {
        let source = SourceId::from("my nats");
        let of = |channel: &ChannelId| Target::of(channel, &source);
        assert_eq!(of(&ChannelId::named(&source, "ORDERS")), Some(Target::Stream("ORDERS".into())));
        assert_eq!(of(&ChannelId::subject(&source, "a.b/c.>")), Some(Target::Subject("a.b/c.>".into())));
        assert_eq!(of(&ChannelId::named(&"nats".into(), "ORDERS")), None);
        assert_eq!(of(&"my%20nats/ORDERS/billing".into()), None);
        assert_eq!(of(&"my%20nats/%zz".into()), None);
    }

    #[test]
    fn the_widest_take_in_the_others() {
        let all = ["a.b", "a.>", "c", "a.*"].map(str::to_owned).to_vec();
        assert_eq!(widest(all).into_iter().collect::<Vec<_>>(), ["a.>", "c"]);
    }
}
