//! Waiting for a condition with a deadline, never for a fixed time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Between two looks: short, so that tests are as quick as the thing they wait for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `check` is true; panics with `what` when `within` has passed.
pub async fn wait_until<F, Fut>(within: Duration, what: &str, mut check: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    wait_for(within, what, || {
        let answer = check();
        async move { if answer.await { Ok(()) } else { Err("not yet".to_owned()) } }
    })
    .await;
}

/// Looks until `check` gives a value; panics with `what` and the last explanation when `within` has passed.
pub async fn wait_for<T, F, Fut>(within: Duration, what: &str, mut check: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + within;
    let mut last = "never looked to the end".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left.max(LOOK_EVERY), check()).await {
            Ok(Ok(value)) => return value,
            Ok(Err(why)) => last = why,
            Err(_) => {}
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what} (last look: {last})");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same for tests without a runtime.
pub fn wait_for_blocking<T>(within: Duration, what: &str, mut check: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + within;
    loop {
        match check() {
            Ok(value) => return value,
            Err(why) => {
                assert!(Instant::now() < deadline, "not within {within:?}: {what} (last look: {why})");
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
