//! Clocks that are set, and how a source fares.

use super::*;

#[tokio::test]
async fn the_books_are_told_of_a_clock_that_was_set() {
    let (engine, mut batches) = tokio::sync::mpsc::channel(8);
    let clock = Clock::start();
    let desk = Desk::new(Outbox::new("nats".into(), clock, engine), "nats://a:4222", true);
    desk.listening(true);
    desk.set_streams([("ORDERS".into(), "n1".into())].into(), BTreeMap::new());
    let mut delay = |shows: i64, seq: u64| {
        let now = clock.now();
        desk.learn_time(Some("n1"), RoundTrip { sent: now, received: now }, Timestamp(shows));
        desk.flush();
        let stored = Timestamp::from_millis(1_000_000).0;
        let subject = format!("$JS.ACK.ORDERS.billing.1.{seq}.{seq}.{stored}.0");
        locked(&desk.ledger).hear(&subject, b"", now.mono);
        desk.flush();
        let told =
            std::iter::from_fn(|| batches.try_recv().ok()).find_map(|batch| batch.acks.into_values().next());
        told.unwrap().delays.max().unwrap()
    };
    let (first, second) = (1_000_005_000_000, 1_000_060_000_000_000 - 300_000_000_000);
    assert_eq!(delay(first, 1), first - 1_000_000_000_000);
    assert_eq!(delay(second, 2), second - 1_000_000_000_000);
}

#[test]
fn a_source_is_as_well_as_what_it_reaches() {
    use Reach::{Before, Never, NotWanted, Now};
    for (connection, monitoring, trouble, state) in [
        (Never, NotWanted, false, SourceState::Connecting),
        (Now, NotWanted, false, SourceState::Up),
        (Now, NotWanted, true, SourceState::Degraded),
        (Before, NotWanted, false, SourceState::Down),
        // The connection is refused, the monitoring endpoint answers.
        (Never, Now, false, SourceState::Degraded),
        (Before, Now, false, SourceState::Degraded),
        (NotWanted, Now, false, SourceState::Up),
        (NotWanted, Before, false, SourceState::Down),
        (NotWanted, NotWanted, false, SourceState::Connecting),
    ] {
        assert_eq!(how_it_fares(connection, monitoring, trouble), state, "{connection:?} {monitoring:?}");
    }
}
