//! Real answers of both servers, and answers that no server would give.

use proptest::prelude::*;
use serde_json::Value;

use super::advisories;
use super::api::{MessageReply, Page, Reply};
use super::backlog::Work;
use super::connections::{Connz, ConnzAnswer, Ledger, ServerPicture, clients};
use super::consumers::ConsumerPage;
use super::micro::{self, Instance};
use super::streams::StreamPage;
use crate::model::id::SourceId;
use crate::model::measured::Bounds;
use crate::model::observation::{AckPolicy, ChannelKind, ChannelReport, ConsumerReport, Delivery};
use crate::model::time::{Mono, Timestamp};
use crate::model::traffic::TrafficKey;

fn source() -> SourceId {
    SourceId::from("nats")
}

fn streams(text: &str) -> Vec<ChannelReport> {
    let page: StreamPage = serde_json::from_str(text).unwrap();
    assert!(page.streams.unreadable.is_empty());
    assert_eq!(page.total() as usize, page.len());
    page.streams.read.iter().map(|info| info.report(&source(), &info.config.name)).collect()
}

fn consumers(text: &str) -> Vec<ConsumerReport> {
    let page: ConsumerPage = serde_json::from_str(text).unwrap();
    assert!(page.consumers.unreadable.is_empty());
    page.consumers.read.iter().map(|info| info.report(&source(), "ORDERS")).collect()
}

#[test]
fn streams_of_both_servers() {
    for (text, told_metadata) in
        [(include_str!("fixtures/streams-2.15.1.json"), 1), (include_str!("fixtures/streams-2.9.10.json"), 0)]
    {
        let all = streams(text);
        let one = |name: &str| all.iter().find(|one| &*one.name == name).unwrap();
        let orders = one("ORDERS");
        assert_eq!(orders.id.as_str(), "nats/ORDERS");
        assert_eq!((orders.messages, orders.first_seq, orders.last_seq), (Some(20), Some(1), Some(20)));
        assert_eq!((orders.distinct_subjects, orders.description.as_deref()), (Some(2), Some("all orders")));
        assert_eq!(&*orders.retention.policy, "limits");
        assert_eq!((orders.retention.max_messages, orders.replicas), (None, Some(1)));
        assert_eq!(orders.metadata.len(), told_metadata);
        assert!(orders.first_at < orders.last_at && orders.created_at < orders.first_at);
        let cart = one("KV_cart");
        assert_eq!((cart.kind, cart.messages, cart.first_at), (ChannelKind::KeyValue, Some(0), None));
        assert_eq!(cart.distinct_subjects, Some(0));
        for (name, how) in [("MIRROR", "mirror"), ("AGG", "source")] {
            let fed = &one(name).fed_by[0];
            assert_eq!((fed.channel.as_str(), &*fed.how, fed.lag), ("nats/ORDERS", how, Some(0)));
            assert!(fed.silent_for.is_some());
        }
    }
}

#[test]
fn consumers_of_both_servers() {
    for text in
        [include_str!("fixtures/consumers-2.15.1.json"), include_str!("fixtures/consumers-2.9.10.json")]
    {
        let all = consumers(text);
        let one = |name: &str| all.iter().find(|one| &*one.name == name).unwrap();
        let billing = one("billing");
        assert_eq!(billing.id.as_str(), "nats/ORDERS/billing");
        assert_eq!((&billing.lag, &billing.in_flight), (&Bounds::Exact(12), &Bounds::Exact(3)));
        assert_eq!((&billing.redelivered, billing.max_deliver), (&Bounds::Exact(3), Some(2)));
        assert_eq!((billing.durable, billing.ack, billing.sampling), (true, AckPolicy::Explicit, Some(100)));
        assert_eq!(billing.ack_wait.unwrap().as_millis(), 200);
        let (delivered, floor) = (billing.delivered.unwrap(), billing.floor.unwrap());
        assert_eq!((delivered.consumer_seq, delivered.channel_seq, floor.channel_seq), (11, 8, 1));
        assert!(delivered.last_active.is_some());
        let push = one("push");
        let (subject, queue) = ("push.here".into(), Some("g".into()));
        assert_eq!(push.delivery, Delivery::Push { subject, queue, bound: Some(false) });
        assert_eq!((push.ack, push.ack_wait, push.waiting_pulls), (AckPolicy::None, None, None));
        assert_eq!(push.filters, ["orders.created".into()]);
        assert_eq!(push.delivered.unwrap().last_active, None);
    }
    let all = consumers(include_str!("fixtures/consumers-2.15.1.json"));
    let one = |name: &str| all.iter().find(|one| &*one.name == name).unwrap();
    assert_eq!((one("multi").filters.len(), one("multi").ack), (2, AckPolicy::All));
    assert!(one("paused").paused.is_some() && one("multi").paused.is_none());
    assert_eq!(one("billing").metadata.len(), 1);
}

#[test]
fn errors_are_told_apart_from_lists() {
    let mut page: ConsumerPage =
        serde_json::from_str(include_str!("fixtures/no-stream-2.15.1.json")).unwrap();
    assert!(page.error().is_some());
    for text in [include_str!("fixtures/message-2.15.1.json"), include_str!("fixtures/message-2.9.10.json")] {
        let mut reply: MessageReply = serde_json::from_str(text).unwrap();
        assert!(reply.error().is_none());
        let message = reply.message.unwrap();
        assert!(message.seq == 3 && message.time.is_some());
    }
}

fn picture(data: Connz) -> ServerPicture {
    assert!(data.connections.unreadable.is_empty());
    ServerPicture {
        id: data.server_id.as_str().into(),
        now: data.now,
        at: Mono(1),
        connections: data.connections.read,
        whole: true,
    }
}

#[test]
fn connections_of_both_servers_and_both_ways() {
    let mut pictures = Vec::new();
    for text in [include_str!("fixtures/connz-2.15.1.json"), include_str!("fixtures/connz-2.9.10.json")] {
        let answer: ConnzAnswer = serde_json::from_str(text).unwrap();
        assert!(!answer.server.id.is_empty() && !answer.server.name.is_empty());
        pictures.push(picture(answer.data.unwrap()));
    }
    for text in [
        include_str!("fixtures/monitor-connz-2.15.1.json"),
        include_str!("fixtures/monitor-connz-2.9.10.json"),
    ] {
        pictures.push(picture(serde_json::from_str(text).unwrap()));
    }
    for picture in &pictures {
        let inbox = |subject: &str| super::connections::is_inbox(subject, None);
        let all = clients([picture], None, None, inbox, |_| false);
        let billing = all.iter().find(|one| one.name.as_deref() == Some("billing-7f9d")).unwrap();
        let subjects: Vec<_> = billing.subscriptions.iter().map(|one| &*one.subject).collect();
        assert_eq!(subjects, ["$JS.EVENT.ADVISORY.>", "orders.*"]);
        assert_eq!(billing.subscriptions[1].queue.as_deref(), Some("q"));
        assert_eq!((&*billing.libraries[0].lang, billing.connections, billing.own), ("python3", 1, false));
        assert!(billing.since.is_some());
    }
}

/// A connection's kind and name, and the subjects and queue groups of its subscriptions.
type Connected<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// These connections, each subscription having got `got` messages.
fn connected(at: u64, got: u64, of: &[Connected<'_>]) -> ServerPicture {
    let one = |(cid, (kind, name, subscriptions)): (usize, &Connected<'_>)| {
        let listed = |(sid, (subject, queue)): (usize, &(&str, &str))| serde_json::json!({ "subject": subject, "qgroup": queue, "sid": sid.to_string(), "msgs": got });
        let subscriptions: Vec<_> = subscriptions.iter().enumerate().map(listed).collect();
        serde_json::json!({
            "cid": cid, "kind": kind, "name": name, "subscriptions_list_detail": subscriptions,
        })
    };
    let all: Vec<_> = of.iter().enumerate().map(one).collect();
    let data = serde_json::json!({ "server_id": "S", "total": all.len(), "connections": all });
    ServerPicture { at: Mono(at), ..picture(serde_json::from_value(data).unwrap()) }
}

#[test]
fn programs_without_a_name_are_told_apart_by_their_groups_and_micro_services() {
    const ID: &str = "$SRV.PING.inventory.BrfpFkFPWCmCGQ01KQRZu6";
    let of: &[Connected<'_>] = &[
        ("Client", "", &[("t.x", "auditors")]),
        ("Client", "", &[("t.x", "auditors")]),
        ("Client", "", &[("other.y", ""), ("t.x", "")]),
        ("Client", "", &[("third.z", "billing")]),
        ("Client", "", &[("$SRV.PING", ""), ("$SRV.PING.inventory", ""), (ID, "")]),
        ("Client", "pod-1", &[("$SRV.PING.pricing", ""), ("t.x", "auditors")]),
        ("Leafnode", "leafsrv", &[("t.x", "")]),
    ];
    let inbox = |subject: &str| super::connections::is_inbox(subject, None);
    let all = clients([&connected(1, 0, of)], None, None, inbox, |_| false);
    let told: Vec<_> = all
        .iter()
        .map(|one| (one.name.as_deref(), one.stand_in.as_deref(), one.connections, one.answers_for.len()))
        .collect();
    assert_eq!(
        told,
        [
            (None, None, 1, 0),
            (None, Some("micro service inventory"), 1, 1),
            (Some("pod-1"), None, 1, 0),
            (None, Some("queue group auditors"), 2, 0),
            (None, Some("queue group billing"), 1, 0),
        ]
    );
    // What each is handed is counted apart, too.
    let mut ledger = Ledger::default();
    assert_eq!(ledger.enter(&connected(1, 0, of), None, inbox), []);
    let counted = ledger.enter(&connected(2, 10, of), None, inbox);
    let on_x = |client: Option<&str>| {
        let key = |key: &TrafficKey| match key {
            TrafficKey::Delivered { client: of, subject, .. } => {
                of.as_deref() == client && &**subject == "t.x"
            }
            _ => false,
        };
        counted.iter().filter(|(of, _)| key(of)).map(|(_, count)| count.messages).sum::<u64>()
    };
    assert_eq!([Some("queue group auditors"), None, Some("pod-1")].map(on_x), [20, 10, 10]);
}

#[test]
fn inboxes_are_told_by_prefix_and_shape() {
    use super::connections::is_inbox;
    for (subject, yes) in [
        ("_INBOX.BrfpFkFPWCmCGQ01KQRZu6.*", true),
        ("_R_.abc", true),
        ("mine.BrfpFkFPWCmCGQ01KQRZu6.*", true),
        ("mine.x", false),
        ("BrfpFkFPWCmCGQ01KQRZu6", false),
        ("orders.>", false),
        (">", false),
        ("*", false),
        ("", false),
    ] {
        assert_eq!(is_inbox(subject, None), yes, "{subject}");
    }
    assert!(is_inbox("mine.x", Some("mine")) && !is_inbox("minefield.x", Some("mine")));
}

/// A server's picture with one connection: when it began, what it sent, what its subscription got.
fn one_connection(at: u64, now: i64, start: i64, sent: u64, got: u64) -> ServerPicture {
    let time = |seconds: i64| jiff::Timestamp::from_second(1_700_000_000 + seconds).unwrap().to_string();
    let text = format!(
        r#"{{"server_id":"S","now":"{}","total":1,"connections":[{{"cid":7,"name":"billing","start":"{}",
            "in_msgs":{sent},"in_bytes":{},"subscriptions_list_detail":[{{"subject":"a","sid":"1","msgs":{got}}}]}}]}}"#,
        time(now),
        time(start),
        sent * 10
    );
    ServerPicture { at: Mono(at), ..picture(serde_json::from_str(&text).unwrap()) }
}

#[test]
fn counters_become_differences_over_real_time() {
    let none = |_: &str| false;
    let mut ledger = Ledger::default();
    let counted = |ledger: &mut Ledger, picture: &ServerPicture| -> Vec<(u64, u64, u64, u64)> {
        let all = ledger.enter(picture, None, none);
        all.iter().map(|(_, c)| (c.messages, c.bytes, c.span.from.0, c.span.to.0)).collect()
    };
    // At first sight nothing is known of how long it took.
    assert_eq!(counted(&mut ledger, &one_connection(10, 1, 0, 500, 900)), []);
    // Delivered 5, sent 3, in the time between.
    assert_eq!(counted(&mut ledger, &one_connection(25, 2, 0, 503, 905)), [(5, 0, 10, 25), (3, 30, 10, 25)]);
    // Nothing happened: zero is told.
    assert_eq!(counted(&mut ledger, &one_connection(30, 3, 0, 503, 905)), [(0, 0, 25, 30), (0, 0, 25, 30)]);
    // A poll that a server did not answer: the next covers both.
    assert_eq!(counted(&mut ledger, &one_connection(50, 5, 0, 504, 905)), [(0, 0, 30, 50), (1, 10, 30, 50)]);
    // Counters that went back give nothing, and go on from there.
    assert_eq!(counted(&mut ledger, &one_connection(60, 6, 0, 3, 2)), []);
    assert_eq!(counted(&mut ledger, &one_connection(70, 7, 0, 4, 3)), [(1, 0, 60, 70), (1, 10, 60, 70)]);
    // It leaves; a new one under its number began since the last poll, so all it counted is new.
    let gone = ServerPicture { connections: Vec::new(), ..one_connection(80, 8, 0, 0, 0) };
    assert_eq!(counted(&mut ledger, &gone), [(0, 0, 70, 80), (0, 0, 70, 80)]);
    assert_eq!(counted(&mut ledger, &one_connection(90, 10, 9, 6, 4)), [(4, 0, 80, 90), (6, 60, 80, 90)]);
    // One that was there before and was only not listed gives nothing.
    let partial = ServerPicture { connections: Vec::new(), whole: false, ..one_connection(95, 11, 0, 0, 0) };
    assert_eq!(counted(&mut ledger, &partial), []);
    assert_eq!(counted(&mut ledger, &one_connection(99, 12, 9, 7, 4)), [(0, 0, 90, 99), (1, 10, 90, 99)]);
    let mut other = Ledger::default();
    assert_eq!(counted(&mut other, &gone), []);
    assert_eq!(counted(&mut other, &one_connection(90, 10, 5, 600, 400)), []);
}

#[test]
fn what_ended_is_counted_as_nothing_for_a_while_also_when_its_server_went() {
    let none = |_: &str| false;
    let second = 1_000_000_000;
    let gone = |s: u64, server: &str| ServerPicture {
        connections: Vec::new(),
        id: server.into(),
        ..one_connection(s * second, i64::try_from(s).unwrap(), 0, 0, 0)
    };
    for server_goes in [false, true] {
        let mut ledger = Ledger::default();
        ledger.enter(&gone(1, "T"), None, none);
        ledger.enter(&one_connection(second, 1, 0, 5, 9), None, none);
        assert_eq!(ledger.enter(&one_connection(2 * second, 2, 0, 9, 15), None, none).len(), 2);
        let left = if server_goes { "T" } else { "S" };
        ledger.retain(|server| server == left);
        let counted: Vec<usize> = (3..25).map(|s| ledger.enter(&gone(s, left), None, none).len()).collect();
        assert_eq!(counted.iter().sum::<usize>(), 30, "{counted:?}");
        assert_eq!((counted[0], counted[14], counted[15]), (2, 2, 0));
    }
}

/// A connection that began between two polls has sent what it sent since it began.
#[test]
fn a_new_connection_counts_from_when_it_began() {
    let second = 1_000_000_000;
    let mut ledger = Ledger::default();
    let gone = ServerPicture { connections: Vec::new(), ..one_connection(10 * second, 10, 0, 0, 0) };
    ledger.enter(&gone, None, |_| false);
    let counted = ledger.enter(&one_connection(20 * second, 20, 17, 30, 60), None, |_| false);
    let span = counted[0].1.span;
    assert_eq!((span.from, span.to), (Mono(17 * second), Mono(20 * second)));
}

fn instance(id: &str, started: i64, counters: [u64; 3]) -> Instance {
    let started = jiff::Timestamp::from_second(started).unwrap();
    let [requests, errors, time] = counters;
    serde_json::from_str(&format!(
        r#"{{"type":"io.nats.micro.v1.stats_response","name":"api","id":"{id}","version":"1.0.0","started":"{started}",
            "endpoints":[{{"name":"get","subject":"api.get","queue_group":"q","num_requests":{requests},"num_errors":{errors},
            "processing_time":{time},"last_error":"","average_processing_time":1}}]}}"#
    ))
    .unwrap()
}

#[test]
fn instances_count_for_themselves() {
    let at = |seconds: i64| Timestamp(seconds * 1_000_000_000);
    let mut ledger = micro::Ledger::default();
    let mut enter = |instances: &[Instance], wall: i64, complete: bool| -> Vec<[u64; 3]> {
        let mono = Mono(u64::try_from(wall).unwrap());
        let counted = ledger.enter(instances, at(wall), mono, complete);
        counted.iter().map(|(_, count)| [count.messages, count.errors, count.busy_ns]).collect()
    };
    assert_eq!(enter(&[instance("a", 1, [100, 1, 50])], 10, true), Vec::<[u64; 3]>::new());
    // A second instance began since: all that it counted is new. Both add up.
    let both = [instance("a", 1, [103, 2, 80]), instance("b", 11, [4, 0, 7])];
    assert_eq!(enter(&both, 12, true), [[7, 1, 37]]);
    // One does not answer for a while and has lost nothing.
    assert_eq!(enter(&both[..1], 13, false), [[0, 0, 0]]);
    let both = [instance("a", 1, [103, 2, 80]), instance("b", 11, [9, 0, 9])];
    assert_eq!(enter(&both, 14, true), [[5, 0, 2]]);
    // A counter went back.
    assert_eq!(enter(&[instance("a", 1, [1, 0, 1])], 15, true), Vec::<[u64; 3]>::new());
    let one = micro::responders(&both, &std::collections::HashMap::new());
    assert_eq!((one.len(), one[0].instances, one[0].endpoints.len()), (1, 2, 1));
    assert_eq!(one[0].endpoints[0].last_error, None);
}

/// Any JSON, with our own field names often enough to get past the first look.
fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(Value::from("2026-11-23T05:53:24.871588882Z")),
        Just(Value::from("-009999-01-01T00:00:00Z")),
    ];
    let names = prop::sample::select(vec![
        "streams",
        "consumers",
        "config",
        "name",
        "state",
        "total",
        "missing",
        "created",
        "mirror",
        "sources",
        "external",
        "cluster",
        "leader",
        "delivered",
        "ack_floor",
        "consumer_seq",
        "stream_seq",
        "num_pending",
        "num_ack_pending",
        "max_deliver",
        "ack_policy",
        "filter_subjects",
        "metadata",
        "data",
        "server",
        "connections",
        "cid",
        "subscriptions_list_detail",
        "sid",
        "msgs",
        "in_msgs",
        "in_bytes",
        "start",
        "now",
        "endpoints",
        "id",
        "num_requests",
        "processing_time",
        "type",
        "stream",
        "consumer",
        "error",
        "message",
        "seq",
        "time",
        "messages",
        "first_seq",
        "last_seq",
        "first_ts",
        "last_ts",
        "subjects",
        "paused",
        "pause_remaining",
        "sample_freq",
    ]);
    scalar.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever a broker answers, reading it and everything that is computed from it ends without a panic.
    #[test]
    fn no_answer_makes_us_stumble(value in any_json()) {
        let text = value.to_string();
        let source = source();
        let mut listed = Vec::new();
        if let Ok(page) = serde_json::from_str::<StreamPage>(&text) {
            for info in page.streams.read {
                let _ = (info.report(&source, &info.config.name), info.leader());
                listed.push(info);
            }
        }
        if let Ok(page) = serde_json::from_str::<ConsumerPage>(&text) {
            for info in &page.consumers.read {
                let _ = info.report(&source, "S");
                for stream in &listed {
                    let _ = Work::of(info, stream);
                }
            }
        }
        for stream in &listed {
            let mut finds = super::backlog::Finds::default();
            finds.follow(stream, Mono(1));
            for info in &stream.consumer_detail.read {
                if let Some(work) = Work::of(info, stream) {
                    let _ = super::backlog::look(&work, &mut finds, stream, Mono(1));
                }
            }
        }
        let _ = serde_json::from_str::<MessageReply>(&text);
        if let Ok(answer) = serde_json::from_str::<ConnzAnswer>(&text)
            && let Some(data) = answer.data
        {
            let picture = ServerPicture {
                id: data.server_id.as_str().into(),
                now: data.now,
                at: Mono(5),
                connections: data.connections.read,
                whole: true,
            };
            let mut ledger = Ledger::default();
            ledger.enter(&picture, None, |_| false);
            ledger.enter(&picture, None, |_| false);
            clients([&picture], None, None, |_| false, |_| true);
        }
        if let Ok(one) = serde_json::from_str::<Instance>(&text) {
            let mut ledger = micro::Ledger::default();
            ledger.enter(std::slice::from_ref(&one), Timestamp(0), Mono(1), true);
            ledger.enter(&[one], Timestamp(0), Mono(2), true);
        }
        let _ = advisories::read(text.as_bytes(), &source);
    }
}

/// Numbers at the edge of what fits, in otherwise sound answers.
#[test]
fn extreme_numbers() {
    let most = u64::MAX;
    let stream: StreamPage = serde_json::from_str(&format!(
        r#"{{"streams":[{{"config":{{"name":"S"}},"state":{{"messages":{most},"bytes":{most},"first_seq":{most},"last_seq":{most},
            "first_ts":"2026-01-01T00:00:00Z","last_ts":"2026-01-01T00:00:00Z"}}}}]}}"#
    ))
    .unwrap();
    let stream = &stream.streams.read[0];
    for (delivered, floor, pending, flight) in [
        (most, most, most, most),
        (0, most, most, most),
        (most, 0, 0, most),
        (0, 0, most, 0),
        (most, most, most, 0),
    ] {
        let page: ConsumerPage = serde_json::from_str(&format!(
            r#"{{"consumers":[{{"name":"c","config":{{"max_deliver":2,"ack_wait":-5}},
                "delivered":{{"consumer_seq":{delivered},"stream_seq":{delivered}}},
                "ack_floor":{{"consumer_seq":{floor},"stream_seq":{floor}}},"num_pending":{pending},"num_ack_pending":{flight}}}]}}"#
        ))
        .unwrap();
        let info = &page.consumers.read[0];
        let mut finds = super::backlog::Finds::default();
        finds.follow(stream, Mono(0));
        if let Some(work) = Work::of(info, stream) {
            let _ = super::backlog::look(&work, &mut finds, stream, Mono(0));
        }
    }
}
