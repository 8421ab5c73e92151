//! Which sign and role stands for which meaning: the one place where the model's words become glyphs.
//!
//! Used by every view, so that the same thing looks the same everywhere.

use crate::model::measured::EvidenceKind;
use crate::model::observation::{HealthState, SourceState};
use crate::model::snapshot::{ConsumerStatus, FlowKind, Severity, Snapshot, Trend};
use crate::model::trace::{Leg, LegState};
use crate::theme::{Glyph, Role};

/// How a consumer fares.
pub const fn status(status: ConsumerStatus) -> (Glyph, Role) {
    match status {
        ConsumerStatus::Ok => (Glyph::Ok, Role::StateOk),
        ConsumerStatus::Slow => (Glyph::Degraded, Role::StateDegraded),
        ConsumerStatus::Stalled => (Glyph::Stalled, Role::StateStalled),
        ConsumerStatus::Stopped => (Glyph::Down, Role::StateDown),
        ConsumerStatus::Rewound => (Glyph::Rewound, Role::StateRewound),
        ConsumerStatus::Paused => (Glyph::Paused, Role::StatePaused),
        ConsumerStatus::GaveUp => (Glyph::GaveUp, Role::StateGaveUp),
        ConsumerStatus::Unknown => (Glyph::Unknown, Role::StateUnknown),
    }
}

/// How far a message is at a consumer. What waits has the sign of the consumer that it waits for; where that keeps up, it is on
/// its way.
pub fn leg(snapshot: &Snapshot, leg: &Leg) -> (Glyph, Role) {
    match leg.state {
        LegState::Applied | LegState::Acknowledged => (Glyph::Ok, Role::StateOk),
        LegState::Passed | LegState::NotForIt => (Glyph::Ok, Role::Muted),
        LegState::InFlight | LegState::Waiting => {
            match snapshot.consumer(&leg.consumer).map(|consumer| consumer.status) {
                None | Some(ConsumerStatus::Ok | ConsumerStatus::GaveUp | ConsumerStatus::Unknown) => {
                    (Glyph::Moving, Role::Text)
                }
                Some(other) => status(other),
            }
        }
        LegState::Terminated => (Glyph::Failed, Role::StateGaveUp),
        LegState::GaveUp | LegState::Missed => (Glyph::GaveUp, Role::StateGaveUp),
        LegState::NoConsumer => (Glyph::Down, Role::StateDown),
        LegState::Unknown => (Glyph::Unknown, Role::StateUnknown),
    }
}

/// The word for a consumer's state in sentences.
pub const fn status_word(status: ConsumerStatus) -> &'static str {
    match status {
        ConsumerStatus::GaveUp => "gave up messages",
        other => other.word(),
    }
}

/// How a service, a store or a check fares.
pub const fn health(state: HealthState) -> (Glyph, Role) {
    match state {
        HealthState::Up => (Glyph::Ok, Role::StateOk),
        HealthState::Degraded => (Glyph::Degraded, Role::StateDegraded),
        HealthState::Down => (Glyph::Down, Role::StateDown),
        HealthState::Unreachable | HealthState::Unknown => (Glyph::Unknown, Role::StateUnknown),
    }
}

/// How bad a cause is.
pub const fn severity(severity: Severity) -> (Glyph, Role) {
    match severity {
        Severity::Unseen => (Glyph::Unknown, Role::StateUnknown),
        Severity::Degraded => (Glyph::Degraded, Role::StateDegraded),
        Severity::Lost => (Glyph::GaveUp, Role::StateGaveUp),
        Severity::Stalled => (Glyph::Stalled, Role::StateStalled),
        Severity::Down => (Glyph::Down, Role::StateDown),
    }
}

/// How a source fares.
pub const fn source(state: SourceState) -> (Glyph, Role, &'static str) {
    match state {
        SourceState::Connecting => (Glyph::Unknown, Role::StateUnknown, "connecting"),
        SourceState::Up => (Glyph::Ok, Role::StateOk, "up"),
        SourceState::Degraded => (Glyph::Degraded, Role::StateDegraded, "answers in part"),
        SourceState::Down => (Glyph::Down, Role::StateDown, "not reached"),
    }
}

/// The line of a way of sharing data.
pub const fn kind(kind: FlowKind) -> (Glyph, Role) {
    match kind {
        FlowKind::Event => (Glyph::Event, Role::Event),
        FlowKind::Feed => (Glyph::Feed, Role::Feed),
        FlowKind::Request => (Glyph::Request, Role::Request),
    }
}

/// Where a number is going.
pub const fn trend(trend: Trend) -> (Glyph, Role) {
    match trend {
        Trend::Growing => (Glyph::Growing, Role::Growing),
        Trend::Steady => (Glyph::Steady, Role::Muted),
        Trend::Draining => (Glyph::Draining, Role::Draining),
    }
}

/// The word for a kind of evidence.
pub const fn evidence(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Inferred => "inferred",
        EvidenceKind::Declared => "declared",
        EvidenceKind::Imported => "imported",
        EvidenceKind::Observed => "observed",
    }
}
