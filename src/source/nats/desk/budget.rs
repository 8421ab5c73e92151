//! What a source may spend.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::locked;
use crate::model::time::Mono;
use crate::source::Clock;

/// A token bucket: of requests, or of bytes.
pub(in crate::source::nats) struct Budget {
    clock: Clock,
    steady: f64,
    burst: f64,
    tokens: Mutex<(f64, Mono)>,
}

impl Budget {
    pub(in crate::source::nats) fn new(clock: Clock, steady: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self { clock, steady: f64::from(steady), burst, tokens: Mutex::new((burst, clock.now().mono)) }
    }

    fn refill(&self) -> MutexGuard<'_, (f64, Mono)> {
        let mut tokens = locked(&self.tokens);
        let now = self.clock.now().mono;
        let earned = now.since(tokens.1).as_secs_f64() * self.steady;
        *tokens = ((tokens.0 + earned).min(self.burst), now);
        tokens
    }

    /// Waits until a request may be made.
    pub(in crate::source::nats) async fn take(&self) {
        loop {
            {
                let mut tokens = self.refill();
                if tokens.0 >= 1.0 {
                    tokens.0 -= 1.0;
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Requests that may be made at once.
    pub(in crate::source::nats) fn left(&self) -> u32 {
        self.refill().0 as u32
    }

    /// Whether so much may be spent; what is larger than can ever be saved up may when all is there.
    pub(in crate::source::nats) fn covers(&self, amount: u64) -> bool {
        self.refill().0 >= (amount as f64).min(self.burst)
    }

    /// It was spent, even if it was more than thought.
    pub(in crate::source::nats) fn spend(&self, amount: u64) {
        self.refill().0 -= amount as f64;
    }
}
