//! The simulation's chance: repeatable from a seed.

use std::time::Duration;

use super::nanos;
use crate::demo::scenario::Times;

/// A source of chance.
#[derive(Debug)]
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Another source of chance beside this one, which takes nothing from it.
    pub(super) fn beside(&self) -> Self {
        Self(fastrand::Rng::with_seed(self.0.get_seed() ^ 0x6964_735f_6f66_6d73))
    }

    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// Any long number but 0.
    pub(super) fn long(&mut self) -> u128 {
        self.0.u128(1..)
    }

    /// From 0 to 1, 1 excluded.
    pub(super) fn share(&mut self) -> f64 {
        self.0.f64()
    }

    /// One of `n`; 0 when there is none.
    pub(super) fn one_of(&mut self, n: usize) -> usize {
        self.0.usize(..n.max(1))
    }

    /// A time out of a distribution, in nanoseconds.
    pub(super) fn time(&mut self, times: &Times, factor: f64) -> u64 {
        // Box and Muller: two even numbers give a normal one.
        let (u, v) = (1.0 - self.0.f64(), self.0.f64());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        nanos(times.draw(normal, factor))
    }

    /// The time until something happens that happens `rate` times a second without memory.
    pub(super) fn gap(&mut self, rate: f64) -> u64 {
        let seconds = -(1.0 - self.0.f64()).ln() / rate;
        nanos(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(3_600)))
    }
}
