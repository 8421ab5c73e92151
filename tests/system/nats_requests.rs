//! Requests and their answers at the probe level `tap`, against programs that write down what they do themselves; and that
//! hearing the answers harms nobody.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::{Client, HeaderMap, Message};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use headwater::model::calls::{CallKey, CallTally, Calls};
use headwater::model::command::{Command, ProbeLevel};
use headwater::model::histogram::Histogram;
use headwater::model::id::ChannelId;
use headwater::model::tap::TapState;
use headwater::source::nats::options::NatsOptions;
use serde_json::json;

use crate::support::{Broker, Config, Watch, headwater as program, jet, wait_until};

const SOON: Duration = Duration::from_secs(60);
const CHECK: &str = "stock.check";
/// Where the requesters become known, before anything is measured.
const WARM: &str = "stock.warm";
const NEXT: &str = "$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing";
/// Requests of each requester, so many of them at a time.
const REQUESTS: u32 = 1_500;
const AT_A_TIME: u32 = 5;
/// How long somebody waits for an answer that does not come.
const IMPATIENT: Duration = Duration::from_millis(300);

/// What the programs wrote down, in nanoseconds: by the responder alone, and by the requester with its own way.
#[derive(Default)]
struct Diary {
    served: Vec<i64>,
    waited: Vec<i64>,
    failed: u64,
    silent: u64,
}

type Shared = Arc<Mutex<Diary>>;

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap()
}

fn key(subject: &str, requester: &str) -> CallKey {
    CallKey { subject: subject.into(), requester: Some(requester.into()) }
}

fn watch_at(url: &str) -> Watch {
    let options = NatsOptions::new("nats".into(), url).unwrap();
    Watch::with(NatsOptions { probe: ProbeLevel::Tap, ..options })
}

/// Taps a subject and waits until it is listened to.
async fn tap(watch: &mut Watch, on: &str) {
    let channel = ChannelId::subject(&"nats".into(), on);
    watch.commands.send(Command::Tap { channel: channel.clone(), on: true }).unwrap();
    watch
        .until(SOON, &format!("{on} is listened to"), |world| {
            let tap = world.taps.get(channel.as_str()).ok_or("nothing said")?;
            if tap.state == TapState::Listening { Ok(()) } else { Err(format!("{tap:?}")) }
        })
        .await;
}

/// Answers after as many milliseconds as it is asked for; `fail` with an error, `silent` never.
async fn stock(broker: &Broker, diary: Shared) -> tokio::task::JoinHandle<()> {
    let client = broker.connect_as("stock").await;
    let mut requests = client.subscribe("stock.*").await.unwrap();
    client.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let came = Instant::now();
            tokio::spawn(answer(client.clone(), request, came, Arc::clone(&diary)));
        }
    })
}

async fn answer(client: Client, request: Message, came: Instant, diary: Shared) {
    let text = std::str::from_utf8(&request.payload).unwrap();
    let reply = request.reply.unwrap();
    let mut headers = HeaderMap::new();
    match text {
        "silent" => return diary.lock().unwrap().silent += 1,
        "fail" => {
            headers.insert("Nats-Service-Error", "out of order");
            headers.insert("Nats-Service-Error-Code", "500");
        }
        millis => tokio::time::sleep(Duration::from_millis(millis.parse().unwrap())).await,
    }
    let measured = &*request.subject == CHECK;
    if measured {
        let mut diary = diary.lock().unwrap();
        diary.served.push(ns(came.elapsed()));
        diary.failed += u64::from(text == "fail");
    }
    client.publish_with_headers(reply, headers, Bytes::from_static(b"{\"left\":7}")).await.unwrap();
}

/// Asks so often, and writes down how long each answer took.
async fn shop(client: Client, diary: Shared, first: u32, count: u32) {
    for n in first..first + count {
        let text = match n % 50 {
            7 => "fail".to_owned(),
            n => (1 + n % 20).to_string(),
        };
        let asked = Instant::now();
        client.request(CHECK, text.into()).await.unwrap();
        diary.lock().unwrap().waited.push(ns(asked.elapsed()));
    }
}

fn quantile(mut times: Vec<i64>, q: f64) -> i64 {
    times.sort_unstable();
    times[((q * times.len() as f64).ceil() as usize).clamp(1, times.len()) - 1]
}

/// Whether the figures heard lie between those of the responder and those of the requesters, within 1 ms and 1 %.
fn agrees(times: &Histogram, diary: &Diary) -> Result<(), String> {
    for q in [0.5, 0.95, 0.99] {
        let heard = times.quantile(q).ok_or("nothing heard")?.middle();
        let (least, most) = (quantile(diary.served.clone(), q), quantile(diary.waited.clone(), q));
        let allowed = 1_000_000 + most / 100;
        if heard < least - allowed || heard > most + allowed {
            return Err(format!("p{}: heard {heard}, between {least} and {most}", q * 100.0));
        }
    }
    Ok(())
}

/// All that was heard, in short.
fn told(calls: &Calls) -> String {
    let of = calls.iter().map(|(key, tally)| {
        let CallTally { answered, failed, unanswered, unfollowed, .. } = tally;
        format!(
            "{} by {:?}: {answered} ({failed} failed), {unanswered}, {unfollowed}",
            key.subject, key.requester
        )
    });
    of.collect::<Vec<_>>().join("; ")
}

/// Asks until it is known whose inbox it is, and its answers are heard.
async fn become_known(watch: &mut Watch, name: &str, client: &Client) {
    let asking = {
        let client = client.clone();
        tokio::spawn(async move {
            loop {
                client.request(WARM, "1".into()).await.unwrap();
            }
        })
    };
    watch
        .until(SOON, &format!("answers to {name} are heard"), |world| {
            let answered = world.calls.get(&key(WARM, name)).map_or(0, |tally| tally.answered);
            if answered > 0 { Ok(()) } else { Err(format!("{:?} {:?}", world.calls.keys(), world.taps)) }
        })
        .await;
    asking.abort();
}

/// The new server, and the old one where it can be had.
fn brokers() -> Vec<Broker> {
    [Some(Broker::start(Config::jetstream())), Broker::start_old(Config::jetstream())]
        .into_iter()
        .flatten()
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_and_answers_are_those_of_the_programs() {
    for broker in brokers() {
        let diary = Shared::default();
        let stock = stock(&broker, Arc::clone(&diary)).await;
        let (web, app) = (broker.connect_as("web").await, broker.connect_as("app").await);
        let mut watch = watch_at(&broker.url());
        tap(&mut watch, WARM).await;
        tap(&mut watch, CHECK).await;
        become_known(&mut watch, "web", &web).await;
        become_known(&mut watch, "app", &app).await;

        let each = REQUESTS / AT_A_TIME;
        let asking = [&web, &app].into_iter().flat_map(|client| {
            let diary = &diary;
            (0..AT_A_TIME).map(move |n| shop(client.clone(), Arc::clone(diary), n * each, each))
        });
        let silent = (0..3).map(|_| tokio::time::timeout(IMPATIENT, web.request(CHECK, "silent".into())));
        let (silent, _) = tokio::join!(join_all(silent), join_all(asking));
        assert!(silent.iter().all(Result::is_err), "nobody answered them");

        let all = u64::from(REQUESTS);
        let tallies = watch
            .until(SOON, "every request is told", |world| {
                let of = |name| world.calls.get(&key(CHECK, name)).cloned().ok_or_else(|| told(&world.calls));
                let (web, app): (CallTally, CallTally) = (of("web")?, of("app")?);
                if web.asked() == all + 3 && app.asked() == all {
                    Ok([web, app])
                } else {
                    Err(told(&world.calls))
                }
            })
            .await;
        let mut sum = CallTally::default();
        tallies.iter().for_each(|tally| sum.merge(tally));
        let told = std::mem::take(&mut *diary.lock().unwrap());
        assert_eq!((sum.answered, sum.failed), (2 * all, told.failed), "none is lost and none invented");
        assert_eq!((sum.unanswered, sum.unfollowed), (3, 0), "{} were silent", told.silent);
        assert_eq!((sum.times.count(), sum.times.negative()), (2 * all, 0));
        agrees(&sum.times, &told).unwrap();
        let why = watch.world.taps[ChannelId::subject(&"nats".into(), CHECK).as_str()].why.clone();
        assert!(why.contains("answers to app, web are heard, while they are connected"), "{why}");
        stock.abort();
        watch.end().await;
    }
}

/// Inboxes of connections of this name.
async fn inboxes(client: &Client, of: &str) -> Vec<String> {
    let mut subjects = jet::subscriptions(client, of).await;
    subjects.retain(|subject| subject.starts_with("_INBOX."));
    subjects
}

/// The inbox of a program, and whether Headwater listens there too.
async fn overheard(client: &Client, of: &str) -> bool {
    let (theirs, ours) = (inboxes(client, of).await, inboxes(client, "headwater").await);
    theirs.iter().any(|inbox| ours.contains(inbox))
}

#[tokio::test]
async fn a_puller_that_dies_loses_nothing_to_us() {
    for broker in brokers() {
        let stock = stock(&broker, Shared::default()).await;
        let admin = broker.connect_as("admin").await;
        let orders = jet::stream(&admin, "ORDERS", &["orders.>"]).await;
        let billing = jet::pull(&orders, "billing").await;
        let mut watch = watch_at(&broker.url());
        tap(&mut watch, WARM).await;

        // It awaits all answers at one inbox, those to its pulls too.
        let client = broker.connect_as("puller").await;
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(format!("{inbox}.*")).await.unwrap();
        let send =
            |to: &'static str, body: String| client.publish_with_reply(to, format!("{inbox}.1"), body.into());
        let pull = |expires: Duration| send(NEXT, json!({ "batch": 1, "expires": ns(expires) }).to_string());
        let known = async {
            while !overheard(&admin, "puller").await {
                send(WARM, "1".into()).await.unwrap();
                answers.next().await.unwrap();
            }
        };
        tokio::time::timeout(SOON, known).await.expect("its answers are heard");
        jet::publish(&admin, "orders.created", 1).await;
        pull(Duration::from_secs(60)).await.unwrap();
        let first = answers.next().await.unwrap();
        assert_eq!(&*first.subject, "orders.created");
        client.publish(first.reply.unwrap(), "+ACK".into()).await.unwrap();
        wait_until(SOON, "its inbox is left alone", || async { !overheard(&admin, "puller").await }).await;
        let channel = ChannelId::subject(&"nats".into(), WARM);
        watch
            .until(SOON, "it says why", |world| {
                let why = world.taps[channel.as_str()].why.to_string();
                let told = "answers to puller are not: messages of streams are pulled there too";
                if why.contains(told) { Ok(()) } else { Err(why) }
            })
            .await;

        // It asks again, which changes nothing; then it dies with a pull under way.
        let before = watch.world.heard.len();
        send(WARM, "1".into()).await.unwrap();
        watch
            .until(
                SOON,
                "that is heard",
                |world| if world.heard.len() > before { Ok(()) } else { Err("no".into()) },
            )
            .await;
        pull(Duration::from_secs(60)).await.unwrap();
        wait_until(SOON, "its pull waits", || async {
            jet::consumer_info(&admin, "ORDERS", "billing").await["num_waiting"] == 1
        })
        .await;
        assert!(!overheard(&admin, "puller").await, "for good");
        drop((answers, client));
        wait_until(SOON, "it is gone", || async { inboxes(&admin, "puller").await.is_empty() }).await;
        jet::publish(&admin, "orders.created", 1).await;
        let message = jet::fetch(&billing, 1).await.remove(0);
        assert_eq!(message.info().unwrap().delivered, 1, "no delivery attempt was burnt");
        stock.abort();
        watch.end().await;
    }
}

#[tokio::test]
async fn an_inbox_is_left_with_its_program() {
    let broker = Broker::start(Config::jetstream());
    let stock = stock(&broker, Shared::default()).await;
    let admin = broker.connect_as("admin").await;
    let mut watch = watch_at(&broker.url());
    tap(&mut watch, WARM).await;
    let web = broker.connect_as("web").await;
    become_known(&mut watch, "web", &web).await;
    let inbox = inboxes(&admin, "web").await.remove(0);
    assert!(inboxes(&admin, "headwater").await.contains(&inbox));
    drop(web);
    wait_until(SOON, "the inbox is left", || async { !inboxes(&admin, "headwater").await.contains(&inbox) })
        .await;
    // The same when it is not to be listened any more.
    let app = broker.connect_as("app").await;
    become_known(&mut watch, "app", &app).await;
    let inbox = inboxes(&admin, "app").await.remove(0);
    assert!(inboxes(&admin, "headwater").await.contains(&inbox));
    let channel = ChannelId::subject(&"nats".into(), WARM);
    watch.commands.send(Command::Tap { channel, on: false }).unwrap();
    wait_until(SOON, "the inbox is left", || async { !inboxes(&admin, "headwater").await.contains(&inbox) })
        .await;
    stock.abort();
    watch.end().await;
}

#[tokio::test]
async fn who_asks_is_told_in_json() {
    let broker = Broker::start(Config::jetstream());
    let stock = stock(&broker, Shared::default()).await;
    let web = broker.connect_as("web").await;
    let asking = tokio::spawn(async move {
        loop {
            web.request(CHECK, "2".into()).await.unwrap();
        }
    });
    let url = broker.url();
    let flow = program::beside(move || {
        let mut stream = program::Stream::start(&["--nats", &url, "--every", "500ms", "--tap", "stock.*"]);
        let requests = |line: &serde_json::Value| {
            let flows = line["flows"].as_array().cloned().unwrap_or_default();
            flows.into_iter().find(|flow| flow["asked_by"][0]["answered"].as_u64() > Some(10))
        };
        let line = stream.until(200, "a flow that is asked for", |line| requests(line).is_some());
        requests(&line).unwrap()
    })
    .await;
    // Nobody declares it: what it is was heard.
    assert_eq!(
        (&flow["kind"], &flow["from"], &flow["to"]),
        (&json!("request"), &json!(["stock"]), &json!(["web"]))
    );
    let web = &flow["asked_by"][0];
    assert_eq!((&web["name"], &web["services"]), (&json!("web"), &json!(["web"])));
    assert_eq!(flow["delay_ms"]["method"], "exact");
    let p50 = flow["delay_ms"]["p50"].as_f64().unwrap();
    assert!((1.5..50.0).contains(&p50), "{p50} ms of a responder that takes 2");
    assert!(web["rate"].as_f64().unwrap() > 1.0, "{web}");
    asking.abort();
    stock.abort();
}

/// Pulls as client libraries do: each time by an inbox of its own, whose name begins like that of all of this program.
async fn pull_again_and_again(client: Client, next: &'static str) {
    let kept = client.subscribe("_INBOX.PullerPuller0000000001.*").await.unwrap();
    for n in 2_u64.. {
        let inbox = format!("_INBOX.PullerPuller{n:010}");
        let mut answers = client.subscribe(inbox.clone()).await.unwrap();
        let body = json!({ "batch": 1, "expires": ns(Duration::from_millis(100)) }).to_string();
        client.publish_with_reply(next, inbox, body.into()).await.unwrap();
        answers.next().await.unwrap();
    }
    drop(kept);
}

/// Who pulls is told after it was asked for, at the level that allows it; and a pull on a consumer that is gone fails at once
/// again when listening has ended.
#[tokio::test]
async fn who_pulls_is_named_on_asking() {
    for broker in brokers() {
        let admin = broker.connect_as("admin").await;
        let orders = jet::stream(&admin, "ORDERS", &["orders.>"]).await;
        jet::pull(&orders, "c-17").await;
        // Old servers let who pulls from nothing wait, whoever listens.
        let at_once = jet::fails_at_once(&admin, "$JS.API.CONSUMER.MSG.NEXT.ORDERS.nobody").await;
        let worker = broker.connect_as("billing-worker").await;
        let pulling = tokio::spawn(pull_again_and_again(worker, "$JS.API.CONSUMER.MSG.NEXT.ORDERS.c-17"));
        let mut watch = watch_at(&broker.url());
        watch.until(SOON, "the consumer", |world| world.consumer("nats/ORDERS/c-17").map(drop)).await;
        let next = "$JS.API.CONSUMER.MSG.NEXT.>";
        let hears =
            || async { jet::subscriptions(&admin, "headwater").await.iter().any(|subject| subject == next) };

        // Below the level nothing is heard, whatever is asked.
        watch.commands.send(Command::Probe(ProbeLevel::Acks)).unwrap();
        watch.commands.send(Command::Pullers).unwrap();
        let polls = watch.world.clients_polls;
        watch
            .until(SOON, "polls go on", |world| {
                if world.clients_polls > polls + 1 { Ok(()) } else { Err("no".into()) }
            })
            .await;
        assert!(!hears().await);
        assert!(watch.world.consumer("nats/ORDERS/c-17").unwrap().members.is_empty());

        watch.commands.send(Command::Probe(ProbeLevel::Tap)).unwrap();
        watch.commands.send(Command::Pullers).unwrap();
        watch
            .until(SOON, "its puller is named", |world| {
                let members = &world.consumer("nats/ORDERS/c-17")?.members;
                if *members == ["billing-worker".into()] { Ok(()) } else { Err(format!("{members:?}")) }
            })
            .await;
        assert!(
            watch.world.source.remarks.iter().any(|remark| remark.contains("who pulls")),
            "it says so meanwhile"
        );
        assert!(hears().await);
        watch.commands.send(Command::Probe(ProbeLevel::Passive)).unwrap();
        wait_until(SOON, "listening has ended", || async { !hears().await }).await;
        pulling.abort();
        orders.delete_consumer("c-17").await.unwrap();
        wait_until(SOON, "a pull on it fails as soon as before", || async {
            jet::fails_at_once(&admin, "$JS.API.CONSUMER.MSG.NEXT.ORDERS.c-17").await == at_once
        })
        .await;
        watch.end().await;
    }
}
