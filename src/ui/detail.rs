//! Everything that is known of one thing: how it stands and why, its numbers with their history, who has to do with it,
//! how each fact is known, what to do next.
//!
//! A page is built as lines ([`page::Page`]) and scrolled; one file for each kind of thing.

mod asked;
mod channel;
mod consumer;
mod entity;
mod flow;
mod heard;
mod page;
mod senders;
mod service;
mod source;
mod store;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::View;
use crate::app::hit::{Hit, HitAreas};
use crate::app::item::heard_of;
use crate::app::list::RowId;
use crate::model::snapshot::Thing;
use crate::theme::Role;

use super::Ctx;
use super::widget::Cell;
use super::widget::table::draw_scrollbar;
use page::Page;

/// The lines of the pane, inside its border. How many there are and how many fit is noted in `hits`, so that scrolling
/// stops at the end.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    if area.is_empty() {
        return;
    }
    // Room for the scroll bar and a column of air beside it.
    let width = area.width.saturating_sub(2);
    let lines = page(ctx, width, area.height).into_lines();
    let height = usize::from(area.height);
    let offset = ctx.app.detail_scroll().min(lines.len().saturating_sub(height));
    let look = ctx.look();
    for (row, cell) in lines.iter().skip(offset).take(height).enumerate() {
        cell.draw(buf, area.x, area.y + row as u16, width, &look);
    }
    if lines.len() > height {
        let bar = Rect::new(area.right() - 1, area.y, 1, area.height);
        draw_scrollbar(buf, bar, &look, offset, lines.len());
    }
    hits.add(area, Hit::Detail);
    hits.detail(lines.len(), height);
}

/// What is opened and what it is called.
pub fn title_of(ctx: &Ctx<'_>, row: &RowId, role: Role) -> Option<Cell> {
    if ctx.view() == View::Messages {
        return heard_of(ctx.snapshot, row).map(|message| heard::title(ctx, message, role));
    }
    row.thing.as_ref().map(|thing| title(ctx, thing, role))
}

/// What a thing is called and what kind of thing it is: `consumer ORDERS/billing`.
pub fn title(ctx: &Ctx<'_>, thing: &Thing, role: Role) -> Cell {
    let (kind, name) = match thing {
        Thing::Source(id) => ("source", id.as_str()),
        Thing::Service(id) => ("service", id.as_str()),
        Thing::Store(id) => ("store", id.as_str()),
        Thing::Entity(id) => ("entity", id.as_str()),
        Thing::Channel(id) => ("channel", super::phrase::local(id.as_str(), ctx.snapshot)),
        Thing::Consumer(id) => ("consumer", super::phrase::consumer_name(id, ctx.snapshot)),
        Thing::Flow(id) => match ctx.snapshot.flow(id) {
            Some(flow) => {
                let name = super::phrase::flow_name(flow, ctx.snapshot);
                return Cell::styled(format!("{} ", flow.kind.word()), Role::Muted).then(name, role);
            }
            None => ("flow", id.as_str()),
        },
    };
    Cell::styled(format!("{kind} "), Role::Muted).then(name, role)
}

/// The page of what is opened.
fn page<'a>(ctx: &Ctx<'a>, width: u16, height: u16) -> Page<'a> {
    let mut page = Page::new(ctx, usize::from(width));
    let Some(row) = ctx.app.opened() else {
        page.text("nothing is selected", Role::Muted);
        return page;
    };
    if ctx.view() == View::Messages {
        match heard_of(ctx.snapshot, row) {
            Some(message) => heard::fill(ctx, &mut page, message, (usize::from(width), usize::from(height))),
            None => page.text("it is no longer kept: newer messages have taken its place", Role::Muted),
        }
        return page;
    }
    let Some(thing) = &row.thing else {
        change(ctx, &mut page, row);
        return page;
    };
    page = page.with_look(ctx.look_at_thing(thing));
    if !known(ctx, &mut page, thing) {
        page.text("it is no longer there: the last snapshot does not have it", Role::Muted);
    }
    page
}

/// Fills in what is known of a thing; `false` when it is gone.
fn known(ctx: &Ctx<'_>, page: &mut Page<'_>, thing: &Thing) -> bool {
    let snapshot = ctx.snapshot;
    match thing {
        Thing::Source(id) => snapshot.source(id).map(|it| source::fill(ctx, page, it)),
        Thing::Service(id) => snapshot.service(id).map(|it| service::fill(ctx, page, it)),
        Thing::Store(id) => snapshot.store(id).map(|it| store::fill(ctx, page, it)),
        Thing::Entity(id) => snapshot.entity(id).map(|it| entity::fill(ctx, page, it)),
        Thing::Channel(id) => snapshot.channel(id).map(|it| channel::fill(ctx, page, it)),
        Thing::Consumer(id) => snapshot.consumer(id).map(|it| consumer::fill(ctx, page, it)),
        Thing::Flow(id) => snapshot.flow(id).map(|it| flow::fill(ctx, page, it)),
    }
    .is_some()
}

/// A change that is about nothing in particular.
fn change(ctx: &Ctx<'_>, page: &mut Page<'_>, row: &RowId) {
    let found =
        ctx.snapshot.changes.iter().find(|change| crate::app::item::Item::Change(change).row_id() == *row);
    match found {
        Some(change) => {
            page.text(&change.text, Role::Title);
            page.text(
                &format!("{}, seen {} times in a row", ctx.date_time(change.at), change.times),
                Role::Muted,
            );
        }
        None => page.text("it is no longer in the list of changes", Role::Muted),
    }
}
