//! The schedule at its edges, the shipped scenario, and the loader's words.

use super::load::{Known, Wrong, read};
use super::*;

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn known() -> Known {
    let names = |list: &[&str]| list.iter().map(|name| Name::from(*name)).collect();
    Known {
        services: names(&["accounts", "billing", "gateway"]),
        consumers: names(&["ORDERS/billing"]),
        sends: names(&["OrderCreated", "user.profile"]),
        operations: names(&["orders.order.place"]),
        components: names(&["accounts-db"]),
    }
}

fn store() -> Scenario {
    let topology = crate::demo::sample::load().topology.unwrap();
    read(STORE_FILE, STORE, &Known::of(&topology)).unwrap()
}

fn ids(active: &[Active<'_>]) -> Vec<String> {
    active.iter().map(|a| a.fault.id.to_string()).collect()
}

#[test]
fn the_shipped_scenario_has_a_healthy_start_and_every_fault() {
    let store = store();
    let nobody = ByHand::new();
    assert_eq!(ids(&store.active(secs(0), &nobody)), [""; 0]);
    assert_eq!(ids(&store.active(secs(54), &nobody)), [""; 0]);
    assert_eq!(ids(&store.active(secs(60), &nobody)), ["billing-slow"]);
    let all: Vec<&str> = store.faults().iter().map(|fault| &*fault.id).collect();
    assert_eq!(all, ["billing-slow", "burst", "poison", "accounts-down", "notifications-stop"]);
    for fault in store.faults() {
        assert!(!fault.title.is_empty() && !fault.effect.is_empty() && !fault.does.is_empty());
    }
    assert!(store.asks.values().sum::<f64>() > 0.0 && store.sends.values().sum::<f64>() > 0.0);
    let billing = store.reading("ORDERS/billing");
    assert_eq!((billing.workers, billing.ack_wait), (2, secs(5)), "what an entry leaves out is as in `*`");
}

#[test]
fn faults_begin_end_and_come_again() {
    let mut store = store();
    let nobody = ByHand::new();
    let slow = |s: &Scenario, at| s.active(at, &nobody).iter().any(|a| &*a.fault.id == "billing-slow");
    let edge = secs(55);
    assert!(!slow(&store, Duration::from_millis(54_999)));
    assert!(slow(&store, edge) && slow(&store, Duration::from_millis(94_999)));
    assert!(!slow(&store, secs(95)));
    assert!(slow(&store, edge + secs(360) * 7));
    assert_eq!(store.active(edge + secs(361), &nobody)[0].began, edge + secs(360));
    store.again_after = None;
    assert!(!slow(&store, edge + secs(360)));
}

#[test]
fn a_persons_word_holds_until_the_next_turn() {
    let store = store();
    let word = |on, at| ByHand::from([("billing-slow".into(), HandMade { on, at })]);
    let begun = store.active(secs(11), &word(true, secs(10)));
    assert_eq!(
        (ids(&begun), begun[0].began, begun[0].by_hand),
        (vec!["billing-slow".into()], secs(10), true)
    );
    assert_eq!(
        ids(&store.active(secs(50), &word(true, secs(10)))),
        [""; 0],
        "it lasts as long as it always does"
    );
    assert_eq!(ids(&store.active(secs(61), &word(false, secs(60)))), [""; 0], "ended by hand");
    assert_eq!(ids(&store.active(secs(60 + 360), &word(false, secs(60)))), ["billing-slow"], "its next turn");
    assert_eq!(ids(&store.active(secs(60), &word(false, secs(20)))), ["billing-slow"], "an old word");
}

#[test]
fn conditions_are_what_faults_do() {
    let store = store();
    let at = |s| store.conditions(secs(s), &ByHand::new());
    assert_eq!(at(0), Conditions::default());
    assert!((at(60).slow("ORDERS/billing") - 20.0).abs() < f64::EPSILON);
    assert!((at(60).slow("ORDERS/shipping") - 1.0).abs() < f64::EPSILON);
    assert!((at(131).burst("orders.order.place") - 6.0).abs() < f64::EPSILON);
    let accounts = ServiceId::from("accounts");
    let down = at(221);
    assert!(down.runs(&accounts) && !down.works(&accounts));
    assert_eq!(down.down[&accounts].as_deref(), Some("accounts-db"));
    assert!(!at(281).runs(&ServiceId::from("notifications")));
    assert_eq!(at(171).poison[&("BILLING/notifications".into(), secs(170))], 3);
}

#[test]
fn times_have_the_mean_that_was_asked_for() {
    let mut random = fastrand::Rng::with_seed(3);
    let times = Times { mean: Duration::from_millis(10), jitter: 0.6 };
    let n = 40_000;
    let sum: f64 = (0..n)
        .map(|_| {
            let (u, v) = (1.0 - random.f64(), random.f64());
            let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
            times.draw(normal, 1.0).as_secs_f64()
        })
        .sum();
    let mean = sum / f64::from(n);
    assert!((mean - 0.010).abs() < 0.000_2, "{mean}");
    assert_eq!(times.draw(1e9, 1e9), times.mean, "a time that is no number is the mean");
}

#[test]
fn an_event_follows_when_the_draw_is_in_its_part() {
    let store = store();
    for draw in [0.0, 0.5, 0.929, 0.93, 0.999] {
        assert_ne!(store.follows("PaymentReceived", draw), store.follows("PaymentFailed", draw));
    }
    assert!(store.follows("ParcelShipped", 0.999));
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_nearest_name() {
    let lines = |text: &str| match read("my.toml", text, &known()) {
        Ok(_) => Vec::new(),
        Err(Wrong(lines)) => lines,
    };
    let table: &[(&str, &str)] = &[
        ("tilte = \"x\"", "my.toml:1:1: no key `tilte`: did you mean `title`?"),
        (
            "\n[sends]\nOrderCreatd = 3",
            "my.toml:3:1: no event or feed `OrderCreatd`: did you mean `OrderCreated`?",
        ),
        (
            "[sends]\nOrderCreated = \"3\"",
            "my.toml:2:16: `sends.OrderCreated`: expected a number from 0 to 100000, found string",
        ),
        (
            "[sends]\nOrderCreated = -1",
            "my.toml:2:16: `sends.OrderCreated`: expected a number from 0 to 100000, found -1",
        ),
        (
            "[sends]\nOrderCreated = nan",
            "my.toml:2:16: `sends.OrderCreated`: expected a number from 0 to 100000, found nan",
        ),
        ("sends = 3", "my.toml:1:9: `sends`: expected a table, found 3"),
        (
            "again_after = \"4 hours\"",
            "my.toml:1:15: `again_after`: expected a time such as \"40ms\" or \"1m30s\", found `4 hours` (no such unit)",
        ),
        (
            "[asks.gatway]\n\"orders.order.place\" = 1",
            "my.toml:1:7: no service `gatway`: did you mean `gateway`?",
        ),
        (
            "[asks.gateway]\nxyzzy = 1",
            "my.toml:2:1: no operation `xyzzy`: expected one of orders.order.place",
        ),
        (
            "[reads]\n\"ORDERS/billing\" = { take = \"1s\" }",
            "my.toml:2:22: no key `take`: did you mean `takes`?",
        ),
        (
            "[reads]\n\"*\" = { workers = 0 }",
            "my.toml:2:19: `reads.*.workers`: expected a whole number from 1 to 1000, found 0",
        ),
        (
            "[follows]\nOrderCreated = { from = 0.9, to = 0.1 }",
            "my.toml:2:16: `follows.OrderCreated`: `from` is above `to`",
        ),
        (
            "[[fault]]\nid = \"a\"\ntitle = \"a\"\nstart = \"1s\"\nlasts = \"1s\"\ndoes = [{ slow = \"ORDERS/biling\", by = 2 }]",
            "my.toml:6:18: no consumer `ORDERS/biling`: did you mean `ORDERS/billing`?",
        ),
        (
            "[[fault]]\nid = \"a\"\ntitle = \"a\"\nstart = \"1s\"\nlasts = \"1s\"\ndoes = [{ slow = \"ORDERS/billing\" }]",
            "my.toml:6:9: `fault.does.slow` wants `by`: how many times",
        ),
        (
            "[[fault]]\nid = \"a\"\ntitle = \"a\"\nstart = \"1s\"\nlasts = \"1s\"\ndoes = [{ slow = \"ORDERS/billing\", stop = \"billing\" }]",
            "my.toml:6:9: `does` wants exactly one of slow, stop, down, poison, burst",
        ),
        (
            "[[fault]]\nid = \"a\"\ntitle = \"a\"\nlasts = \"1s\"\ndoes = []",
            "my.toml:1:1: a fault without `start` (a time, or \"by hand\")",
        ),
        ("title = \"\\u001b[31m\"", "my.toml:1:9: `title`: expected a line of text, found string"),
    ];
    for (text, expected) in table {
        assert_eq!(lines(text), [*expected], "{text}");
    }
    let several = lines("b = 1\n[sends]\nx = 1\n[bytes]\ny = 2");
    assert_eq!(several.len(), 3, "{several:?}");
    assert!(lines("title = ").first().unwrap().starts_with("my.toml:1:"), "{:?}", lines("title = "));
    assert_eq!(lines(""), [""; 0], "everything may be left out");
}
