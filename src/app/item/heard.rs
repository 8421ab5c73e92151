//! Rows of messages that were heard on tapped channels, and what filters ask of them.

use std::borrow::Cow;

use crate::app::list::RowId;
use crate::model::snapshot::{Snapshot, Thing};
use crate::model::tap::{Content, HeardMessage};

use super::{Field, yes_no};

/// Before the number of a message in its row's id: no other row of a channel begins so.
const PART: &str = "heard ";

/// The row of a message that was heard.
pub fn heard_row(message: &HeardMessage) -> RowId {
    RowId {
        thing: Some(Thing::Channel(message.channel.clone())),
        part: format!("{PART}{}", message.number).into(),
    }
}

/// The message that a row stands for; `None` for another kind of row, or when it is not kept any more.
pub fn heard_of<'a>(snapshot: &'a Snapshot, row: &RowId) -> Option<&'a HeardMessage> {
    let Some(Thing::Channel(channel)) = &row.thing else { return None };
    let number: u64 = row.part.strip_prefix(PART)?.parse().ok()?;
    let found = snapshot.heard.iter().rev().find(|m| m.number == number && m.channel == *channel);
    found.map(|message| &**message)
}

/// A field of a message that was heard.
pub(super) fn value<'a>(message: &'a HeardMessage, key: &str) -> Field<'a> {
    match key {
        "channel" => Field::text(message.channel.as_str()),
        "subject" => Field::text(&message.subject),
        "publisher" => Field::maybe(message.publisher.as_deref()),
        "size" => Field::Number(message.bytes as f64),
        "header" if message.headers.is_empty() => Field::Unknown,
        // As the palette's `find header` writes it.
        "header" => {
            let lines: Vec<String> =
                message.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
            Field::Text(Cow::Owned(lines.join("\n")))
        }
        "text" => match &message.payload.content {
            Content::Text(text) => Field::text(text),
            Content::Binary(_) | Content::Withheld(_) => Field::Unknown,
        },
        "asks" => yes_no(message.asks),
        _ => Field::Unknown,
    }
}
