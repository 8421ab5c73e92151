//! What came of a message: where it is looked for, and whose doing it is.

use super::*;
use crate::model::id::ChannelId;
use crate::model::message::{Caused, Link, MessageId, MessageReport, PursuitReport, Want};
use crate::model::observation::{ChannelReport, ConsumerReport, HealthState, Listing, Observation};
use crate::model::trace::{LegState, Trace, find, story};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

const SHOP: &str = r#"
headwater: 1
system: shop
brokers: [{ id: main, kind: nats, servers: ["nats://127.0.0.1:4222"] }]
---
service: orders
publishes: [{ event: OrderCreated, broker: main, stream: ORDERS, channel: orders.created, key: order_id }]
---
service: billing
publishes:
  - { event: InvoiceIssued, broker: main, stream: BILLING, channel: "billing.{region}.issued", key: invoice_id }
  - { event: Reminded, broker: main, stream: BILLING, channel: billing.reminded }
consumes:
  - { event: OrderCreated, broker: main, consumer: { stream: ORDERS, durable: billing }, leads_to: [InvoiceIssued] }
---
service: mailer
consumes:
  - { event: InvoiceIssued, broker: main, consumer: { stream: BILLING, durable: mailer } }
publishes: [{ event: Mailed, broker: main, stream: MAIL, channel: mail.sent }]
---
service: users
publishes: [{ event: UserChanged, broker: main, stream: USERS, channel: users.changed }]
"#;

fn stream(name: &str, subject: &str) -> ChannelReport {
    ChannelReport { subjects: vec![subject.into()], ..filled(&channel("main", name), 100) }
}

/// An engine that knows four streams, and who reads two of them.
fn shop() -> Engine {
    let mut engine = engine();
    engine.set_topology(Some(super::super::sample::topology(SHOP)), None);
    let streams =
        [("ORDERS", "orders.>"), ("BILLING", "billing.>"), ("MAIL", "mail.>"), ("USERS", "users.>")];
    let streams: Vec<ChannelReport> = streams.iter().map(|(name, subject)| stream(name, subject)).collect();
    let listing = Listing { entries: streams, complete: true };
    let read = |channel: &str, name: &str| {
        let report: ConsumerReport = consumed(&consumer("main", channel, name), 100, 0, 0);
        Observation::Consumers {
            channel: report.channel.clone(),
            listing: Listing { entries: vec![report], complete: true },
            missing: Vec::new(),
        }
    };
    let seen = vec![Observation::Channels(listing), read("ORDERS", "billing"), read("BILLING", "mailer")];
    engine.ingest(&batch("main", 1_000, seen));
    engine
}

fn id(channel: &str, seq: u64) -> MessageId {
    MessageId { channel: ChannelId::named(&"main".into(), channel), seq }
}

fn message(channel: &str, seq: u64, subject: &str, after_ms: u64) -> MessageReport {
    MessageReport {
        id: id(channel, seq),
        subject: subject.into(),
        appended: at(2_000 + after_ms).wall,
        bytes: 100,
        headers: Vec::new(),
        fields: vec![("order_id".into(), "o-1".into()), ("user_id".into(), "u-1".into())],
        version: None,
        committed: None,
        caused: None,
        read_at: at(3_000).wall,
        read_on: None,
    }
}

fn traced(message: MessageReport, span: u64) -> MessageReport {
    let header = format!("00-{TRACE}-{span:016x}-01");
    MessageReport { headers: vec![("traceparent".into(), header.into())], ..message }
}

fn came(message: MessageReport, of: MessageId, link: Link) -> MessageReport {
    MessageReport { caused: Some(Caused { of, link }), ..message }
}

fn follow(engine: &mut Engine, messages: Vec<MessageReport>) -> Arc<[Trace]> {
    let seen = messages.into_iter().map(|message| Observation::Message(Box::new(message))).collect();
    engine.ingest(&batch("main", 3_000, seen));
    engine.tick(at(3_001)).traces
}

fn field(name: &str, value: &str) -> Link {
    Link::Field { name: name.into(), value: value.into() }
}

#[test]
fn it_is_looked_by_the_declared_key_where_it_is_declared_to_lead() {
    let traces = follow(&mut shop(), vec![message("ORDERS", 50, "orders.created", 0)]);
    let [pursuit] = traces[0].pursuits.as_slice() else { panic!("{:#?}", traces[0].pursuits) };
    assert_eq!((&pursuit.of, pursuit.channel.as_str()), (&id("ORDERS", 50), "main/BILLING"));
    // The key of the order alone: a user has many.
    assert_eq!(
        pursuit.wants,
        [Want { subject: "billing.*.issued".into(), links: vec![field("order_id", "o-1")] }]
    );
}

#[test]
fn what_carries_a_trace_is_looked_for_wherever_its_readers_may_send() {
    let traces = follow(&mut shop(), vec![traced(message("ORDERS", 50, "orders.created", 0), 1)]);
    let places: Vec<&str> = traces[0].pursuits.iter().map(|pursuit| pursuit.channel.as_str()).collect();
    assert_eq!(places, ["main/BILLING"], "billing sends nothing to the other streams");
    let wants = &traces[0].pursuits[0].wants;
    assert_eq!(wants[0].links, [Link::Trace(TRACE.into()), field("order_id", "o-1")]);
    assert_eq!(wants[1], Want { subject: ">".into(), links: vec![Link::Trace(TRACE.into())] });
}

#[test]
fn each_hangs_under_the_reader_whose_service_sent_it() {
    let mut engine = shop();
    let trace = || Link::Trace(TRACE.into());
    let order = traced(message("ORDERS", 50, "orders.created", 0), 1);
    let invoice = came(traced(message("BILLING", 7, "billing.eu.issued", 40), 2), id("ORDERS", 50), trace());
    let mail = came(traced(message("MAIL", 3, "mail.sent", 90), 3), id("ORDERS", 50), trace());
    let user = came(traced(message("USERS", 9, "users.changed", 20), 4), id("ORDERS", 50), trace());
    let traces = follow(&mut engine, vec![order, mail, invoice, user]);
    let origin = |channel: &str, seq: u64| {
        let origin = find(&traces, &id(channel, seq)).unwrap().origin.clone().unwrap();
        (origin.message, origin.consumer.map(|c| c.to_string()), origin.service.map(|s| s.to_string()))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(origin("BILLING", 7), (id("ORDERS", 50), some("main/ORDERS/billing"), some("billing")));
    assert_eq!(origin("MAIL", 3), (id("BILLING", 7), some("main/BILLING/mailer"), some("mailer")));
    // The users' service reads none of it: by whom it came is not known, only in which trace.
    assert_eq!(origin("USERS", 9), (id("ORDERS", 50), None, some("users")));
    let lines: Vec<(usize, String)> = story(&traces, &traces[0])
        .iter()
        .map(|line| {
            let of =
                line.leg.map_or_else(|| line.trace.message.subject.to_string(), |leg| leg.name.to_string());
            (line.depth, of)
        })
        .collect();
    let lines: Vec<(usize, &str)> = lines.iter().map(|(depth, of)| (*depth, of.as_str())).collect();
    assert_eq!(
        lines,
        [(0, "billing"), (1, "billing.eu.issued"), (1, "mailer"), (2, "mail.sent"), (1, "users.changed")]
    );
}

#[test]
fn a_story_has_no_circle_and_is_not_looked_for_twice() {
    let mut engine = shop();
    let order = traced(message("ORDERS", 50, "orders.created", 0), 1);
    let invoice = traced(message("BILLING", 7, "billing.eu.issued", 40), 2);
    let caused = came(invoice, id("ORDERS", 50), Link::Trace(TRACE.into()));
    let looked = |of: MessageId, channel: &str| {
        Observation::Pursuit(Box::new(PursuitReport {
            of,
            channel: ChannelId::named(&"main".into(), channel),
            next: 9,
            caught_up: true,
            lasting: false,
            ended: None,
            looked_at: 2,
            bytes: 2,
        }))
    };
    follow(&mut engine, vec![order.clone(), caused]);
    engine.ingest(&batch("main", 3_100, vec![looked(id("ORDERS", 50), "BILLING")]));
    // The invoice's own search may come upon the order again.
    let again = came(order, id("BILLING", 7), Link::Trace(TRACE.into()));
    let traces = follow(&mut engine, vec![again]);
    assert_eq!((traces.len(), &traces[0].origin, traces[0].asked), (2, &None, true));
    assert_eq!(traces[0].pursuits, [], "it is looked there already");
    let places: Vec<&str> = traces[1].pursuits.iter().map(|pursuit| pursuit.channel.as_str()).collect();
    assert_eq!(places, ["main/MAIL"], "what its own reader may send");
    assert_eq!(traces[1].legs[0].state, LegState::Passed);
}

#[test]
fn what_came_of_a_message_is_forgotten_with_it() {
    let mut engine = shop();
    let invoice =
        came(message("BILLING", 7, "billing.eu.issued", 40), id("ORDERS", 50), field("order_id", "o-1"));
    let mail = came(message("MAIL", 3, "mail.sent", 90), id("BILLING", 7), field("order_id", "o-1"));
    follow(&mut engine, vec![message("ORDERS", 50, "orders.created", 0), invoice, mail]);
    let more = (60..75).map(|seq| message("ORDERS", seq, "orders.created", 500)).collect();
    assert_eq!(follow(&mut engine, more).len(), 18);
    let traces = follow(&mut engine, vec![message("ORDERS", 80, "orders.created", 500)]);
    assert_eq!(traces.len(), 16, "{:?}", traces.iter().map(|t| &t.message.id).collect::<Vec<_>>());
    assert!(traces.iter().all(|trace| trace.asked));
}

const USERS: &str = r#"
headwater: 1
system: shop
brokers: [{ id: main, kind: nats, servers: ["nats://127.0.0.1:4222"] }]
---
service: users
owns: [{ entity: User, store: users-db, identifier: user_id }]
stores: [{ id: users-db, kind: relational }]
provides_feeds: [{ feed: user.profile, broker: main, stream: USERS, channel: users.changed, entity: User }]
---
service: billing
stores: [{ id: billing-db, kind: relational }]
copies: [{ entity: User, store: billing-db, identifier: user_id, via: user.profile, mode: feed }]
follows_feeds: [{ feed: user.profile, from: users, broker: main, consumer: { stream: USERS, durable: billing } }]
health: [{ name: ready, url: "http://127.0.0.1:1/health", applied: [{ entity: User, pointer: /user }] }]
---
service: search
stores: [{ id: search-db, kind: search }]
copies: [{ entity: User, store: search-db, identifier: user_id, via: user.profile, mode: feed }]
follows_feeds: [{ feed: user.profile, from: users, broker: main, consumer: { stream: USERS, durable: search } }]
---
service: audit
consumes: [{ event: user.profile, broker: main, channel: users.changed, consumer: { stream: USERS, durable: audit } }]
"#;

fn version(seq: u64, version: &str, of: Option<u64>) -> MessageReport {
    let caused = of.map(|of| Caused {
        of: id("USERS", of),
        link: Link::Version { name: "user_id".into(), value: "u-1".into() },
    });
    MessageReport { version: Some(version.into()), caused, ..message("USERS", seq, "users.changed", seq) }
}

/// The versions 6 (#40) and 7 (#60) of a user: `billing` has passed both, `search` the first, `audit` none.
fn versions(applied: Option<&str>) -> Arc<[Trace]> {
    let mut engine = engine();
    engine.set_topology(Some(super::super::sample::topology(USERS)), None);
    let at_seq = |name: &str, delivered: u64| {
        consumed(&consumer("main", "USERS", name), delivered, 0, 100 - delivered)
    };
    let readers = vec![at_seq("audit", 30), at_seq("billing", 100), at_seq("search", 50)];
    let mut seen = vec![
        Observation::Channels(Listing { entries: vec![stream("USERS", "users.>")], complete: true }),
        Observation::Consumers {
            channel: ChannelId::named(&"main".into(), "USERS"),
            listing: Listing { entries: readers, complete: true },
            missing: Vec::new(),
        },
    ];
    if let Some(applied) = applied {
        let mut report = services::check("ready", HealthState::Up, "");
        report.service = "billing".into();
        report.applied = [("User".into(), applied.into())].into();
        seen.push(Observation::Health(Box::new(report)));
    }
    engine.ingest(&batch("main", 1_000, seen));
    follow(&mut engine, vec![version(60, "7", None), version(40, "6", Some(60))])
}

#[test]
fn the_newest_version_that_each_holder_has_is_told() {
    let traces = versions(None);
    let trace = &traces[0];
    let record = trace.record.as_ref().unwrap();
    assert_eq!(
        (record.entity.as_ref().unwrap().as_str(), &*record.name, &*record.value),
        ("User", "user_id", "u-1")
    );
    assert!(record.declared);
    let held = |name: &str| {
        let leg = trace.legs.iter().find(|leg| &*leg.name == name).unwrap();
        (leg.state, leg.holds.as_deref(), leg.copy)
    };
    assert_eq!(held("billing"), (LegState::Passed, Some("v7"), true));
    assert_eq!(held("search"), (LegState::Waiting, Some("v6"), true));
    assert_eq!(held("audit"), (LegState::Waiting, None, false));
    let own = trace.pursuits.iter().find(|pursuit| pursuit.channel.as_str() == "main/USERS").unwrap();
    assert!(own.earlier && !own.lasting);
    assert_eq!(own.wants, [record.want(&trace.message)]);
    // A version is no consequence, and nothing is looked for on its behalf.
    assert_eq!((&traces[1].origin, &traces[1].version_of), (&None, &Some(id("USERS", 60))));
    assert!(traces[1].pursuits.is_empty() && !traces[1].asked);
}

#[test]
fn applied_is_what_health_says_and_no_more() {
    let billing = |applied: Option<&str>| {
        let traces = versions(applied);
        let leg = traces[0].legs.iter().find(|leg| &*leg.name == "billing").unwrap();
        (leg.state, leg.why.to_string())
    };
    for (applied, state, why) in [
        (Some("7"), LegState::Applied, "its health says that it has version 7"),
        (Some("12"), LegState::Applied, "its health says that it has version 12"),
        (Some("6"), LegState::Passed, "its health says that it has version 6: not yet this one"),
        (Some("b3"), LegState::Passed, "not verified: its health says version b3, which cannot be compared"),
        (None, LegState::Passed, "not verified: no applied version in its health"),
    ] {
        let (is, said) = billing(applied);
        assert_eq!(is, state, "{applied:?}");
        assert!(said.ends_with(why), "{said}");
    }
}

#[test]
fn of_a_record_the_newest_versions_stay() {
    let mut engine = engine();
    let all = std::iter::once(version(60, "7", None)).chain((61..80).map(|seq| version(seq, "8", Some(60))));
    let traces = follow(&mut engine, all.collect());
    let kept: Vec<u64> = traces.iter().map(|trace| trace.message.id.seq).collect();
    assert_eq!(kept, [60, 72, 73, 74, 75, 76, 77, 78, 79]);
}

/// A consumer of another name than the declared one: the declared reader will never have it.
#[test]
fn a_declared_reader_whose_consumer_is_not_there_is_told() {
    let shop = |there: &str, told: u64| {
        let topology =
            SHOP.replace("stream: ORDERS, durable: billing }", "stream: ORDERS, durable: billing-v2 }");
        let mut engine = engine();
        engine.set_topology(Some(super::super::sample::topology(&topology)), None);
        let orders = ChannelReport { consumers: Some(told), ..stream("ORDERS", "orders.>") };
        let report: ConsumerReport = consumed(&consumer("main", "ORDERS", there), 100, 0, 0);
        let readers = Observation::Consumers {
            channel: report.channel.clone(),
            listing: Listing { entries: vec![report], complete: true },
            missing: Vec::new(),
        };
        let listing = Observation::Channels(Listing { entries: vec![orders], complete: true });
        engine.ingest(&batch("main", 1_000, vec![listing, readers]));
        let traces = follow(&mut engine, vec![message("ORDERS", 50, "orders.created", 0)]);
        traces[0]
            .legs
            .iter()
            .map(|leg| (leg.name.to_string(), leg.state, leg.why.to_string()))
            .collect::<Vec<_>>()
    };
    let legs = shop("billing", 1);
    assert_eq!((legs.len(), legs[1].0.as_str(), legs[1].1), (2, "billing-v2", LegState::NoConsumer));
    let why = "ORDERS has no consumer of this name; its service reads by billing, which is not declared";
    assert!(legs[1].2.starts_with("declared in ") && legs[1].2.ends_with(why), "{}", legs[1].2);
    // Where it is there, or perhaps there, nothing is said.
    assert_eq!(shop("billing-v2", 1).len(), 1);
    assert_eq!(shop("billing", 2).len(), 1, "one of its consumers is not listed yet");
}
