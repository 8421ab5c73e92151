//! Who was heard to send to a channel, and by what that is known.

use crate::model::senders::Sender;
use crate::theme::Role;
use crate::ui::phrase;
use crate::ui::widget::text::clean;
use crate::ui::widget::{Cell, number};

use super::page::Page;

/// Senders that are listed: those who send most come first.
const MOST: usize = 12;

/// `of`: which channel, where the page is not about it.
pub(super) fn fill(page: &mut Page<'_>, of: &str, senders: &[Sender]) {
    if senders.is_empty() {
        return;
    }
    let look = page.look();
    page.heading_of("SENDERS HEARD", of);
    for sender in senders.iter().take(MOST) {
        let mut who = Cell::text(clean(&sender.name));
        // Most programs bear their service's name.
        if sender.services.iter().any(|service| service.as_str() != &*sender.name) {
            who = who.then(" is ", Role::Muted).and(phrase::services(&look, &sender.services, false));
        }
        let heard = format!(
            "  {} {}, by {}, {}",
            number::exact(sender.messages),
            if sender.messages == 1 { "message" } else { "messages" },
            sender.by.word(),
            phrase::ago(&look, sender.last)
        );
        page.cell(who.then(heard, Role::Muted));
    }
    if senders.len() > MOST {
        page.text(&format!("and {} more", senders.len() - MOST), Role::Muted);
    }
}
