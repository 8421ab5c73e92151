//! The store's streams and consumers on a broker: refuses where one of its names is taken, removes exactly what it made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull, push};
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{Context, context::AccountErrorKind};
use futures_util::TryStreamExt as _;

use super::neighbours::Neighbours;
use super::plan::{Durable, Plan};
use crate::demo::scenario::{Reading, Scenario};
use crate::model::id::Name;

/// By this description a later demo knows the streams that an earlier one left behind.
pub const MARK: &str = "Headwater demo";
/// Old messages go: a demo that runs for days must not fill a disk.
const MAX_AGE: Duration = Duration::from_secs(3600);
const MAX_BYTES: i64 = 64 * 1024 * 1024;

/// Why the store cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// Names of ours exist.
    #[error("{}", taken(.streams, .left_behind))]
    Taken {
        /// Streams of somebody else.
        streams: Vec<String>,
        /// Streams that an earlier demo left behind.
        left_behind: Vec<String>,
    },
    /// Somebody is there under names of ours.
    #[error(
        "the broker has names of the demo's already: {}; the demo would call and feed what is not its own, so it does not \
         start (use another broker or account)",
        .0.words()
    )]
    Neighbours(Neighbours),
    /// The server has no `JetStream` for us.
    #[error("the broker has no JetStream for this user: {0}")]
    NoJetStream(String),
    /// The lists are not answered: the user may not ask, or may not hear the answer.
    #[error(
        "the broker does not answer this user's JetStream requests: it may not publish to $JS.API.> or not subscribe to its \
         inbox; headwater doctor tells which"
    )]
    NoAnswer,
    /// It would not make one.
    #[error("the broker would not make the {what}: {why}")]
    Refused {
        /// `stream ORDERS`, `consumer ORDERS/billing`.
        what: String,
        /// What it says.
        why: String,
    },
}

fn taken(streams: &[String], left_behind: &[String]) -> String {
    let mut text = Vec::new();
    if !streams.is_empty() {
        text.push(format!(
            "the broker has streams of the demo's names already: {}; the demo would write into them, so it does not \
             start (use another broker or account)",
            streams.join(", ")
        ));
    }
    if !left_behind.is_empty() {
        text.push(format!(
            "another demo runs there, or one that was killed left these streams behind: {}; remove them when none \
             runs: {}",
            left_behind.join(", "),
            left_behind.iter().map(|name| format!("nats stream rm -f {name}")).collect::<Vec<_>>().join("; ")
        ));
    }
    text.join("; ")
}

/// What was made, in the order in which it was made.
#[derive(Debug, Default)]
pub struct Made {
    streams: Vec<Name>,
}

impl Made {
    /// The streams that were made.
    pub fn streams(&self) -> &[Name] {
        &self.streams
    }

    /// Removes the streams, and with them their consumers. What could not be removed is returned by name.
    pub async fn remove(self, context: &Context) -> Vec<Name> {
        let mut left = Vec::new();
        for stream in self.streams {
            if context.delete_stream(&*stream).await.is_err() {
                left.push(stream);
            }
        }
        left
    }
}

/// Makes the plan's streams and consumers. On an error, what was made before it is removed again.
///
/// `multi_filter` says whether the server knows consumers with several filters (2.10 and later).
pub async fn provision(
    client: &async_nats::Client,
    context: &Context,
    plan: &Plan,
    scenario: &Scenario,
    multi_filter: bool,
) -> Result<Made, ProvisionError> {
    let captured = refuse_taken_names(context, plan).await?;
    let neighbours = Neighbours::find(client, plan, &captured).await;
    if !neighbours.is_empty() {
        return Err(ProvisionError::Neighbours(neighbours));
    }
    let mut made = Made::default();
    match make(context, plan, scenario, multi_filter, &mut made).await {
        Ok(()) => Ok(made),
        Err(error) => {
            made.remove(context).await;
            Err(error)
        }
    }
}

/// Refuses where a stream has a name of ours; gives what the other streams capture.
async fn refuse_taken_names(
    context: &Context,
    plan: &Plan,
) -> Result<BTreeMap<String, Vec<String>>, ProvisionError> {
    let existing: Result<Vec<_>, _> = context.streams().try_collect().await;
    let existing = match existing {
        Ok(existing) => existing,
        Err(error) => {
            // The library tells it apart there only; asked second, as it cannot read what old servers answer.
            let account = context.query_account().await.map_err(|error| error.kind());
            return Err(match account {
                Err(AccountErrorKind::JetStreamUnavailable) => {
                    ProvisionError::NoJetStream("it is not enabled".to_owned())
                }
                Err(AccountErrorKind::TimedOut) => ProvisionError::NoAnswer,
                _ => ProvisionError::NoJetStream(error.to_string()),
            });
        }
    };
    let (mut streams, mut left_behind, mut captured) = (Vec::new(), Vec::new(), BTreeMap::new());
    for info in existing {
        if !plan.streams.contains_key(info.config.name.as_str()) {
            captured.insert(info.config.name, info.config.subjects);
            continue;
        }
        let ours = info.config.description.is_some_and(|text| text.starts_with(MARK));
        if ours { left_behind.push(info.config.name) } else { streams.push(info.config.name) }
    }
    if streams.is_empty() && left_behind.is_empty() {
        return Ok(captured);
    }
    Err(ProvisionError::Taken { streams, left_behind })
}

async fn make(
    context: &Context,
    plan: &Plan,
    scenario: &Scenario,
    multi_filter: bool,
    made: &mut Made,
) -> Result<(), ProvisionError> {
    let refused = |what: String| move |error: String| ProvisionError::Refused { what, why: error };
    for (name, subjects) in &plan.streams {
        let config = Config {
            name: name.to_string(),
            subjects: subjects.iter().map(ToString::to_string).collect(),
            description: Some(format!("{MARK}: the sample store's {}", name.to_lowercase())),
            max_age: MAX_AGE,
            max_bytes: MAX_BYTES,
            storage: StorageType::File,
            allow_direct: true,
            ..Config::default()
        };
        let stream = context.create_stream(config).await;
        stream.map_err(|e| e.to_string()).map_err(refused(format!("stream {name}")))?;
        made.streams.push(name.clone());
    }
    for durable in &plan.consumers {
        let what = format!("consumer {}/{}", durable.stream, durable.name);
        let every = plan.streams.get(&durable.stream);
        let reading = scenario.reading(&format!("{}/{}", durable.stream, durable.name));
        make_consumer(context, durable, reading, every, multi_filter).await.map_err(refused(what))?;
    }
    Ok(())
}

async fn make_consumer(
    context: &Context,
    durable: &Durable,
    reading: Reading,
    every: Option<&BTreeSet<Name>>,
    multi_filter: bool,
) -> Result<(), String> {
    let filters: Vec<String> = durable.filters.iter().map(ToString::to_string).collect();
    let (one, several) = match filters.as_slice() {
        [one] => (one.clone(), Vec::new()),
        // Servers before 2.10 ignore several filters silently: then only all subjects of the stream will do.
        _ if multi_filter => (String::new(), filters),
        _ if every == Some(&durable.filters) => (String::new(), Vec::new()),
        _ => return Err("it is too old for consumers with several filters (needs 2.10)".to_owned()),
    };
    let stream = &*durable.stream;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    match &durable.deliver_subject {
        None => {
            let config = pull::Config {
                durable_name: Some(durable.name.to_string()),
                description: Some(MARK.to_owned()),
                ack_policy: AckPolicy::Explicit,
                ack_wait: reading.ack_wait,
                max_deliver: whole(reading.max_deliver),
                max_ack_pending: whole(reading.max_in_flight),
                filter_subject: one,
                filter_subjects: several,
                ..pull::Config::default()
            };
            context.create_consumer_on_stream(config, stream).await.map(drop)
        }
        Some(subject) => {
            let config = push::Config {
                durable_name: Some(durable.name.to_string()),
                description: Some(MARK.to_owned()),
                deliver_subject: subject.to_string(),
                deliver_group: durable.queue.as_ref().map(ToString::to_string),
                ack_policy: AckPolicy::Explicit,
                ack_wait: reading.ack_wait,
                max_deliver: whole(reading.max_deliver),
                max_ack_pending: whole(reading.max_in_flight),
                filter_subject: one,
                filter_subjects: several,
                ..push::Config::default()
            };
            context.create_consumer_on_stream(config, stream).await.map(drop)
        }
    }
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_in_the_way() {
        let error =
            ProvisionError::Taken { streams: vec!["ORDERS".into(), "BILLING".into()], left_behind: vec![] };
        assert_eq!(
            error.to_string(),
            "the broker has streams of the demo's names already: ORDERS, BILLING; the demo would write into them, so \
             it does not start (use another broker or account)"
        );
        let error = ProvisionError::Taken { streams: vec![], left_behind: vec!["ORDERS".into()] };
        assert_eq!(
            error.to_string(),
            "another demo runs there, or one that was killed left these streams behind: ORDERS; remove them when none \
             runs: nats stream rm -f ORDERS"
        );
    }
}
