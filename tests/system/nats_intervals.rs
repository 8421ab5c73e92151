//! What polls alone say of delays, on real servers and against services that write down what they do: the interval that is said
//! of a message must hold what it really took.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::{self, AckKind, consumer};
use futures_util::StreamExt as _;
use headwater::engine::{DelayInterval, Engine, EngineOptions};
use headwater::model::id::{ConsumerId, SourceId};
use headwater::source::nats::options::NatsOptions;
use headwater::source::nats::systems::Systems;
use headwater::source::{Clock, Outbox};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep, timeout_at};

use crate::support::{Broker, Config, jet};

const SOON: Duration = Duration::from_secs(90);
const MESSAGES: u64 = 400;
const EVERY: Duration = Duration::from_millis(40);
/// Half of the messages come after a pause in which everybody has nothing to do.
const PAUSE: Duration = Duration::from_secs(3);
const CONSUMERS: [&str; 4] = ["prompt", "unordered", "refusing", "slow"];

/// Append → acknowledged in nanoseconds, by message: when it was said, and when the server had confirmed it.
type Diary = Arc<Mutex<BTreeMap<u64, (i64, i64)>>>;

fn wall() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

/// Works on one message for as long as its consumer does, and writes down when that was acknowledged.
async fn work(message: jetstream::Message, of: &'static str, diary: Diary) {
    let info = message.info().unwrap();
    let (seq, first) = (info.stream_sequence, info.delivered == 1);
    let stored = i64::try_from(info.published.unix_timestamp_nanos()).unwrap();
    let takes = match of {
        // No two neighbours are done in their order.
        "unordered" => Duration::from_millis(seq * 7_919 % 1_700),
        "slow" => Duration::from_millis(45),
        _ => Duration::ZERO,
    };
    sleep(takes).await;
    if of == "refusing" && first && seq % 3 == 0 {
        message.ack_with(AckKind::Nak(Some(Duration::from_millis(seq % 5 * 300)))).await.unwrap();
        return;
    }
    let before = wall();
    message.double_ack().await.unwrap();
    diary.lock().unwrap().insert(seq, (before - stored, wall() - stored));
}

/// Reads with one program; all but `slow` work on many messages at a time.
async fn serve(consumer: consumer::PullConsumer, of: &'static str, diary: Diary) {
    let mut messages = consumer.stream().messages().await.unwrap();
    while let Some(message) = messages.next().await {
        let working = work(message.unwrap(), of, Arc::clone(&diary));
        if of == "slow" { working.await } else { drop(tokio::spawn(working)) }
    }
}

async fn round(broker: &Broker) {
    let admin = broker.connect_as("admin").await;
    let orders = jet::stream(&admin, "ORDERS", &["orders.>"]).await;
    let mut diaries: BTreeMap<ConsumerId, Diary> = BTreeMap::new();
    let mut tasks = Vec::new();
    for name in CONSUMERS {
        let diary = Diary::default();
        let consumer = jet::pull(&orders, name).await;
        tasks.push(tokio::spawn(serve(consumer, name, Arc::clone(&diary))));
        diaries.insert(ConsumerId::named(&"nats".into(), "ORDERS", name), diary);
    }
    let publisher = broker.connect_as("orders").await;
    tasks.push(tokio::spawn(async move {
        for n in 0..MESSAGES {
            jet::publish(&publisher, "orders.created", 1).await;
            sleep(if n == MESSAGES / 2 { PAUSE } else { EVERY }).await;
        }
    }));

    let options = NatsOptions::new(SourceId::from("nats"), &broker.url()).unwrap();
    let (clock, (sender, mut batches)) = (Clock::start(), mpsc::channel(64));
    let (_commands, receiver) = broadcast::channel(8);
    let outbox = Outbox::new(options.source.clone(), clock, sender);
    let systems = Systems::of([&options]);
    tasks.push(tokio::spawn(headwater::source::nats::run(options, systems, outbox, receiver)));
    let mut engine = Engine::new(EngineOptions::new(clock.now()));
    let mut told: BTreeMap<&ConsumerId, Vec<DelayInterval>> = BTreeMap::new();
    let deadline = Instant::now() + SOON;
    // Until everything is acknowledged, and something was said of the last messages.
    let missing = |told: &BTreeMap<&ConsumerId, Vec<DelayInterval>>| {
        diaries.iter().find_map(|(id, diary)| {
            let done = diary.lock().unwrap().len() as u64;
            let upto = told.get(id).into_iter().flatten().map(|said| said.of.1).max().unwrap_or(0);
            (done < MESSAGES || upto < MESSAGES).then(|| format!("{id}: {done} done, told up to {upto}"))
        })
    };
    while let Some(lacks) = missing(&told) {
        let batch = timeout_at(deadline, batches.recv()).await.unwrap_or_else(|_| panic!("{lacks}"));
        engine.ingest(&batch.expect("the source goes on"));
        for id in diaries.keys() {
            let known = told.entry(id).or_default();
            for said in engine.intervals(id) {
                if !known.contains(&said) {
                    known.push(said);
                }
            }
        }
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);

    let (mut of, mut held, mut wrong) = (0_u64, 0_u64, Vec::new());
    for (id, diary) in &diaries {
        let diary = diary.lock().unwrap();
        let before = of;
        for said in told.get(id).into_iter().flatten() {
            for (seq, (sent, confirmed)) in diary.range(said.of.0..=said.of.1) {
                of += 1;
                // It took effect at some moment between the two.
                if said.lo <= *confirmed && *sent <= said.hi {
                    held += 1;
                } else {
                    wrong.push(format!("{id} #{seq}: {sent} to {confirmed} is not in {said:?}"));
                }
            }
        }
        assert!(of - before >= MESSAGES / 20, "{id}: said of {} messages", of - before);
    }
    assert!(held * 100 >= of * 99, "{held} of {of}: {wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_from_polls_hold_the_truth() {
    let old = Broker::start_old(Config::jetstream());
    for broker in [Some(Broker::start(Config::jetstream())), old].into_iter().flatten() {
        round(&broker).await;
    }
}
