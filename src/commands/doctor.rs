//! `headwater doctor`: for each source what may be read, what each right unlocks, and how to grant what is missing.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::cli::{Doctor, Global};
use crate::commands::watch::{self, Plan};
use crate::commands::{CommandError, print, runtime};
use crate::model::snapshot::{Service, Snapshot};
use crate::settings::{NatsSource, Settings};
use crate::source::nats::options::NatsOptions;
use crate::source::nats::permissions::{Examination, Outcome, Right, examine};
use crate::theme::{Glyph, Glyphs};
use crate::ui::signs;
use crate::ui::widget::number;
use crate::ui::widget::text::{clean, pad_right, width};

/// Each right may take a while to be tried; a server that never answers must not keep us.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs it.
pub fn run(global: &Global, doctor: &Doctor) -> Result<(), CommandError> {
    let (plan, settings) = watch::plan(global)?;
    let glyphs = Glyphs::of_process(settings.terminal.ascii);
    runtime()?.block_on(async {
        let (mut unreached, mut useless) = (Vec::new(), Vec::new());
        let mut out = String::new();
        for source in &settings.sources {
            let options = NatsOptions { probe: settings.probe.value, ..source.options.clone() };
            match timeout(LONGEST, examine(&options)).await {
                Ok(Ok(found)) => {
                    rights(&mut out, source, &found, glyphs);
                    if let Some(why) = found.nothing_readable() {
                        useless.push(format!("{}: {why}", shown(&source.options)));
                    }
                }
                Ok(Err(failure)) => unreached.push(failure.to_string()),
                Err(_) => unreached.push(format!(
                    "{}: no end after {} s",
                    shown(&source.options),
                    LONGEST.as_secs()
                )),
            }
        }
        // One that tells something is enough, as it is for the commands that watch.
        let useful = unreached.len() + useless.len() < settings.sources.len();
        let reached = unreached.len() < settings.sources.len();
        health(&mut out, plan, &settings, doctor.wait_for, glyphs).await;
        print(&out)?;
        if reached {
            for line in unreached {
                print(&format!("\n{} {line}\n", glyphs.get(Glyph::Down)))?;
            }
            return if useful { Ok(()) } else { Err(CommandError::NoSource(useless)) };
        }
        Err(CommandError::NoSource(unreached))
    })
}

/// The address of a source, as a person gave it.
fn shown(options: &NatsOptions) -> String {
    if options.servers.is_empty() { options.monitors_shown() } else { options.servers_shown() }
}

fn rights(out: &mut String, source: &NatsSource, found: &Examination, glyphs: Glyphs) {
    let as_whom = match (&found.user, &found.account) {
        (Some(user), Some(account)) => format!("user {}, account {}", clean(user), clean(account)),
        (Some(user), None) => format!("user {}", clean(user)),
        (None, Some(account)) => format!("account {}", clean(account)),
        (None, None) => "the server does not say as whom".to_owned(),
    };
    let _ = writeln!(
        out,
        "{}  nats {}{}\n",
        source.options.source,
        clean(&found.version),
        if source.options.servers.is_empty() {
            String::new()
        } else {
            format!(
                " at {} (from {})\n  {as_whom}; credentials: {}",
                source.options.servers_shown(),
                source.servers_from,
                source.auth_from
            )
        },
    );
    let widest = found.rights.iter().map(|right| width(&clean(&right.subject))).max().unwrap_or(0);
    for right in &found.rights {
        let (glyph, word, why) = outcome(right);
        let subject = pad_right(&clean(&right.subject), widest, "");
        let _ =
            writeln!(out, "  {} {} {subject}  {}", glyphs.get(glyph), pad_right(word, 9, ""), right.unlocks);
        if let Some(why) = why {
            let _ = writeln!(out, "      {}", clean(why));
        }
    }
    match found.snippet(false) {
        Some(snippet) => {
            let _ = writeln!(
                out,
                "\nTo grant what is missing, in the server's configuration of this user:\n\n{snippet}"
            );
        }
        None if source.options.servers.is_empty() => {
            let _ = writeln!(
                out,
                "\nThere is no connection to a server: what monitoring does not tell (answers of services, notices) needs one, \
                 with --nats URL."
            );
        }
        None => {
            let _ = writeln!(out, "\nNothing that could be granted is missing.");
        }
    }
}

fn outcome(right: &Right) -> (Glyph, &'static str, Option<&str>) {
    match &right.outcome {
        Outcome::Readable => (Glyph::Ok, "readable", None),
        Outcome::Denied(why) => (Glyph::Down, "denied", Some(why)),
        Outcome::NoAnswer(why) => (Glyph::Unknown, "no answer", Some(why)),
        Outcome::NotInUse(why) => (Glyph::Ok, "not used", Some(why)),
        Outcome::NotTried(why) => (Glyph::Unknown, "not tried", Some(why)),
    }
}

/// Asks every declared health endpoint once.
async fn health(out: &mut String, plan: Plan, settings: &Settings, within: Duration, glyphs: Glyphs) {
    let expected: usize =
        plan.topology.as_ref().map_or(0, |d| d.topology.services.values().map(|s| s.health.len()).sum());
    if expected == 0 {
        // Where nothing was reached there is a reason to tell, and no list to complete.
        if settings.topology.is_none() && !out.is_empty() {
            out.push_str(
                "\nhealth  no topology, so no health endpoints are known; --topology DIR declares them\n",
            );
        }
        return;
    }
    let mut watching = watch::start(Plan { nats: Vec::new(), ..plan });
    let deadline = Instant::now() + within;
    let asked = |snapshot: &Snapshot| {
        let answered = |service: &Arc<Service>| {
            service.health.iter().filter(|h| h.latency.by.len() + h.detail.len() > 0).count()
        };
        snapshot.services.iter().map(answered).sum::<usize>()
    };
    while asked(&watching.snapshots.borrow_and_update()) < expected {
        if !matches!(timeout_at(deadline, watching.snapshots.changed()).await, Ok(Ok(()))) {
            break;
        }
    }
    let snapshot = Arc::clone(&watching.snapshots.borrow());
    let between = if out.is_empty() { "" } else { "\n" };
    let _ = writeln!(out, "{between}health  {expected} endpoints declared\n");
    for service in &snapshot.services {
        for check in &service.health {
            let sign = glyphs.get(signs::health(check.state).0);
            let latency = number::bounds(glyphs, &check.latency.bounds, |d| number::duration(*d));
            let _ = writeln!(
                out,
                "  {sign} {}/{}  {}  {latency}  {}",
                clean(service.id.as_str()),
                clean(&check.name),
                clean(&check.url),
                clean(&check.detail)
            );
        }
    }
}
