//! `headwater trace`: finds one message, and tells who has it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::app::search::Pursued;
use crate::cli::{self, Global, TraceFormat};
use crate::commands::once::{PATIENCE, TRIES, newest, reached, until_deadline};
use crate::commands::watch::{self, Watching};
use crate::commands::{CommandError, print, runtime};
use crate::model::command::Command;
use crate::model::id::ChannelId;
use crate::model::message::{Search, SearchOutcome, SearchReport};
use crate::model::observation::ChannelKind;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::model::trace::Trace;
use crate::report::{otlp, trace};
use crate::theme::Glyphs;
use crate::tui;
use crate::ui::propagation::words;

/// Until the streams and their consumers are listed.
const LISTED_WITHIN: Duration = Duration::from_secs(5);
/// The longest that one search takes: its budget of requests, with room.
const SEARCHED_WITHIN: Duration = Duration::from_secs(20);
/// What comes of a message comes within so much time, as a rule.
const CONSEQUENCES: Duration = Duration::from_secs(5);
/// Streams that are searched when none is named.
const MOST_STREAMS: usize = 20;

/// Runs it.
pub fn run(global: &Global, asked: &cli::Trace) -> Result<(), CommandError> {
    let search = wanted(asked)?;
    let (plan, settings) = watch::plan(global)?;
    let sources = plan.sources();
    let snapshot = runtime()?.block_on(async {
        let mut watching = watch::start(plan);
        reached(&mut watching, sources, TRIES, Instant::now() + asked.watch_for + PATIENCE).await?;
        find(&mut watching, asked, &search).await?;
        let deadline = Instant::now() + asked.watch_for;
        Ok::<_, CommandError>(follow(&mut watching, deadline).await)
    })?;
    let unprintable = |e: serde_json::Error| CommandError::Usage(e.to_string());
    let text = match asked.format {
        TraceFormat::Table => {
            let text = trace::render(&snapshot, Glyphs::of_process(settings.terminal.ascii), tui::columns());
            text.trim_start().to_owned()
        }
        TraceFormat::Json => trace::json(&snapshot).map_err(unprintable)? + "\n",
        TraceFormat::OtlpJson => serde_json::to_string(&otlp::spans(&snapshot)).map_err(unprintable)? + "\n",
    };
    print(&text).map(drop)
}

/// Follows what was found and what came of it, until nothing more can come of it or the time is over.
async fn follow(watching: &mut Watching, deadline: Instant) -> Arc<Snapshot> {
    let mut pursued = Pursued::default();
    loop {
        let snapshot = newest(watching);
        for command in pursued.unasked(&snapshot.traces) {
            // Only fails when the sources have ended, and then the wait below does.
            let _ = watching.commands.send(command).await;
        }
        let now = snapshot.taken_at;
        if snapshot.traces.iter().all(|trace| is_over(trace, now))
            || !matches!(timeout_at(deadline, watching.snapshots.changed()).await, Ok(Ok(())))
        {
            return newest(watching);
        }
    }
}

/// Everybody is done with it, and it was looked everywhere for what came of it, once that had time to.
fn is_over(trace: &Trace, now: Timestamp) -> bool {
    let looked = trace.looked.iter().all(|looked| looked.caught_up || looked.ended.is_some());
    let old = trace.looked.is_empty() || words::waited(trace, now).is_none_or(|age| age > CONSEQUENCES);
    trace.legs.iter().all(|leg| leg.state.is_settled()) && trace.pursuits.is_empty() && looked && old
}

/// What is looked for.
fn wanted(asked: &cli::Trace) -> Result<Search, CommandError> {
    let pair = |flag: &str, text: &str| {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        pair.map(|(name, value)| (name.into(), value.into())).ok_or_else(|| {
            CommandError::Usage(format!("{flag} {text}: write it as name=value, for example user_id=42"))
        })
    };
    match (asked.seq, &asked.key, &asked.header) {
        (Some(seq), _, _) => Ok(Search::Seq(seq)),
        (_, Some(key), _) => pair("--key", key).map(|(name, value)| Search::Field { name, value }),
        (_, _, Some(header)) => pair("--header", header).map(|(name, value)| Search::Header { name, value }),
        (None, None, None) => Err(CommandError::Usage("say which message: --seq, --key or --header".into())),
    }
}

/// Looks on one stream after the other; content with one message found.
async fn find(watching: &mut Watching, asked: &cli::Trace, search: &Search) -> Result<(), CommandError> {
    let channels = streams(watching, asked.stream.as_deref()).await?;
    let mut told = Vec::new();
    let (mut found, mut silent) = (false, false);
    for channel in channels {
        let command =
            Command::Find { channel: channel.clone(), search: search.clone(), before: asked.before };
        // Only fails when the sources have ended, and then the wait below does.
        let _ = watching.commands.send(command).await;
        let of = |snapshot: &Snapshot| snapshot.searches.iter().any(|report| report.channel == channel);
        if !until_deadline(watching, Instant::now() + SEARCHED_WITHIN, of).await {
            silent = true;
            told.push(format!(
                "{channel}: the search was not answered within {} s",
                SEARCHED_WITHIN.as_secs()
            ));
            continue;
        }
        let snapshot = newest(watching);
        let reports = snapshot.searches.iter().filter(|report| report.channel == channel);
        for report in reports {
            let report: &SearchReport = report;
            found |= matches!(report.outcome, SearchOutcome::Found(_));
            told.push(trace::absence(report, &snapshot));
        }
    }
    match (found, silent) {
        (true, _) => Ok(()),
        (false, false) => Err(CommandError::NotFound(told)),
        // Whoever was not asked cannot say that it is not there.
        (false, true) => Err(CommandError::NoSource(told)),
    }
}

/// The streams to look on: the one that is named, or all.
async fn streams(watching: &mut Watching, name: Option<&str>) -> Result<Vec<ChannelId>, CommandError> {
    let ids = |snapshot: &Snapshot| -> Vec<ChannelId> {
        let kept = snapshot.channels.iter().filter(|c| c.report.kind != ChannelKind::Subject);
        let named =
            kept.filter(|c| name.is_none_or(|name| *c.report.name == *name || c.report.id.as_str() == name));
        named.map(|c| c.report.id.clone()).collect()
    };
    // With the positions of all their consumers, not just their names: a message is followed at each.
    let listed = |snapshot: &Snapshot| {
        let ids = ids(snapshot);
        let read = || snapshot.consumers.iter().filter(|c| c.report.is_some());
        let count = |id: &ChannelId| read().filter(|c| c.channel == *id).count() as u64;
        let told = |id: &ChannelId| snapshot.channel(id).and_then(|c| c.report.consumers);
        !ids.is_empty() && ids.iter().all(|id| told(id).is_none_or(|n| count(id) >= n))
    };
    until_deadline(watching, Instant::now() + LISTED_WITHIN, listed).await;
    let snapshot: Arc<Snapshot> = newest(watching);
    let ids = ids(&snapshot);
    if ids.is_empty() {
        let known: Vec<&str> = snapshot
            .channels
            .iter()
            .filter(|c| c.report.kind != ChannelKind::Subject)
            .map(|c| &*c.report.name)
            .take(MOST_STREAMS)
            .collect();
        let here = if known.is_empty() {
            "no streams are seen".to_owned()
        } else {
            format!("there are {}", known.join(", "))
        };
        let what = name.map_or_else(|| "no stream to look on".to_owned(), |name| format!("no stream {name}"));
        return Err(CommandError::Usage(format!("{what}; {here}")));
    }
    if ids.len() > MOST_STREAMS {
        return Err(CommandError::Usage(format!(
            "there are {} streams: say with --stream on which to look",
            ids.len()
        )));
    }
    Ok(ids)
}
