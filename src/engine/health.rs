//! Health checks as they were answered.

use serde::{Deserialize, Serialize};

use super::words;
use crate::model::measured::Measured;
use crate::model::observation::{HealthReport, HealthState};
use crate::model::series::History;
use crate::model::snapshot::HealthCheck;
use crate::model::time::Stamp;

/// What is kept of one health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CheckState {
    pub(super) report: HealthReport,
    pub(super) at: Stamp,
    pub(super) history: History,
}

impl CheckState {
    pub(super) fn new(report: &HealthReport, at: Stamp) -> Self {
        let mut state = Self { report: report.clone(), at, history: History::default() };
        state.draw();
        state
    }

    pub(super) fn take(&mut self, report: &HealthReport, at: Stamp) {
        self.report = report.clone();
        self.at = at;
        self.draw();
    }

    /// A check that failed has no latency to draw: a gap.
    fn draw(&mut self) {
        let answered =
            matches!(self.report.state, HealthState::Up | HealthState::Degraded | HealthState::Down);
        if let (true, Some(latency)) = (answered, self.report.latency) {
            self.history.push(self.at.mono, latency.as_secs_f64() * 1_000.0);
        }
    }

    pub(super) fn row(&self) -> HealthCheck {
        let report = &self.report;
        HealthCheck {
            name: report.check.clone(),
            url: report.url.clone(),
            state: report.state,
            latency: match report.latency {
                Some(latency) => Measured::exact(latency, self.at.wall, words::BY_CHECK.clone()),
                None => Measured::unknown(report.detail.clone(), self.at.wall),
            },
            detail: report.detail.clone(),
            interval: report.interval,
            components: report.components.clone(),
            history: self.history.clone(),
        }
    }
}

/// Worse is more.
pub(super) fn badness(state: HealthState) -> u8 {
    match state {
        HealthState::Up => 0,
        HealthState::Unknown => 1,
        HealthState::Unreachable => 2,
        HealthState::Degraded => 3,
        HealthState::Down => 4,
    }
}
