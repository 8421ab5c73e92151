//! What was heard on tapped channels: who asks, and who sends.

use serde::Serialize;

use super::{DelayRow, delay, rfc3339};
use crate::model::calls::Asker;
use crate::model::senders::Sender;

/// Requests of one program, as they were heard over the delay's window.
#[derive(Serialize)]
pub(super) struct AskerRow {
    name: Option<String>,
    services: Vec<String>,
    rate: f64,
    answered: u64,
    failed: u64,
    unanswered: u64,
    not_followed: u64,
    delay_ms: Option<DelayRow>,
}

/// Messages of one sender, since it was first heard.
#[derive(Serialize)]
pub(super) struct SenderRow {
    name: String,
    by: &'static str,
    services: Vec<String>,
    messages: u64,
    last_at: String,
}

pub(super) fn asker(asker: &Asker) -> AskerRow {
    AskerRow {
        name: asker.name.as_deref().map(ToOwned::to_owned),
        services: asker.services.iter().map(ToString::to_string).collect(),
        rate: asker.rate,
        answered: asker.tally.answered,
        failed: asker.tally.failed,
        unanswered: asker.tally.unanswered,
        not_followed: asker.tally.unfollowed,
        delay_ms: asker.delay.as_ref().map(delay),
    }
}

pub(super) fn sender(sender: &Sender) -> SenderRow {
    SenderRow {
        name: sender.name.to_string(),
        by: sender.by.word(),
        services: sender.services.iter().map(ToString::to_string).collect(),
        messages: sender.messages,
        last_at: rfc3339(sender.last),
    }
}
