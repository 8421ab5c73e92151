//! Pictures of the map: the sample store in every size and dress, and systems of every shape.

use headwater::app::{Action, View};
use headwater::model::snapshot::{FlowKind, Snapshot};

use crate::fixture;
use crate::fixture::parts::{finish, flow, service};
use crate::stage::{Dress, Stage};

/// A system of services (name, domain) and flows (kind, from, to, channel, messages per second); no domain: none is known.
fn system(services: &[(&str, &str)], flows: &[(FlowKind, &str, &[&str], &str, f64)]) -> Snapshot {
    let services = services
        .iter()
        .map(|(name, domain)| {
            let mut one = service(name, "team", domain);
            one.domain = (!domain.is_empty()).then(|| (*domain).into());
            one
        })
        .collect();
    let flows =
        flows.iter().map(|(kind, from, to, label, rate)| flow(*kind, from, to, label, *rate)).collect();
    let mut snapshot =
        finish(fixture::good_day(), services, Vec::new(), Vec::new(), Vec::new(), Vec::new(), flows);
    snapshot.causes.clear();
    snapshot
}

fn picture(snapshot: Snapshot, size: (u16, u16)) -> String {
    Stage::new(snapshot, View::Map).text(size, Dress::Default)
}

#[test]
fn the_sample_store() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut stage = Stage::new(fixture::bad_day(), View::Map);
        let default = stage.text((width, height), Dress::Default);
        // Every meaning is there without colours.
        assert_eq!(default, stage.text((width, height), Dress::Mono));
        let ascii = stage.text((width, height), Dress::Ascii);
        assert!(ascii.is_ascii(), "{ascii}");
        insta::assert_snapshot!(format!("map-{width}x{height}"), default);
        insta::assert_snapshot!(format!("map-{width}x{height}-ascii"), ascii);
    }
}

#[test]
fn the_sample_store_as_lanes_and_as_matrix() {
    for (width, height) in [(80, 24), (200, 60)] {
        let mut stage = Stage::new(fixture::bad_day(), View::Map);
        stage.press(&[Action::Form]);
        insta::assert_snapshot!(
            format!("map-lanes-{width}x{height}"),
            stage.text((width, height), Dress::Default)
        );
        stage.press(&[Action::Form]);
        insta::assert_snapshot!(
            format!("map-matrix-{width}x{height}"),
            stage.text((width, height), Dress::Default)
        );
        stage.press(&[Action::FoldDomain]);
        insta::assert_snapshot!(
            format!("map-matrix-domains-{width}x{height}"),
            stage.text((width, height), Dress::Default)
        );
    }
}

#[test]
fn a_circle_of_three() {
    let services = [("a", ""), ("b", ""), ("c", "")];
    let flows: [(FlowKind, &str, &[&str], &str, f64); 3] = [
        (FlowKind::Event, "a", &["b"], "a.done", 3.0),
        (FlowKind::Feed, "b", &["c"], "b.rows", 30.0),
        (FlowKind::Request, "c", &["a"], "c.get", 300.0),
    ];
    insta::assert_snapshot!("map-circle", picture(system(&services, &flows), (120, 24)));
}

#[test]
fn a_hub_with_forty_consumers() {
    let names: Vec<String> = (0..40).map(|at| format!("reader-{at:02}")).collect();
    let mut services: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    services.push(("hub", ""));
    let readers: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut stage =
        Stage::new(system(&services, &[(FlowKind::Event, "hub", &readers, "hub.said", 12.0)]), View::Map);
    // So many are lanes first.
    insta::assert_snapshot!("map-hub-lanes", stage.text((120, 40), Dress::Default));
    stage.press(&[Action::Form, Action::Form]);
    insta::assert_snapshot!("map-hub", stage.text((120, 40), Dress::Default));
}

#[test]
fn two_systems_that_know_nothing_of_each_other() {
    let services = [("a", "left"), ("b", "left"), ("x", ""), ("y", ""), ("z", "")];
    let flows: [(FlowKind, &str, &[&str], &str, f64); 2] =
        [(FlowKind::Event, "a", &["b"], "a.done", 3.0), (FlowKind::Event, "x", &["y", "z"], "x.done", 3.0)];
    insta::assert_snapshot!("map-two-systems", picture(system(&services, &flows), (120, 30)));
}

#[test]
fn loops_and_parallel_edges() {
    let services = [("retry", ""), ("sink", "")];
    let flows: [(FlowKind, &str, &[&str], &str, f64); 4] = [
        (FlowKind::Event, "retry", &["retry", "sink"], "again", 1.0),
        (FlowKind::Event, "retry", &["sink"], "first", 1.0),
        (FlowKind::Feed, "retry", &["sink"], "second", 1.0),
        (FlowKind::Request, "retry", &["sink"], "third", 1.0),
    ];
    insta::assert_snapshot!("map-loops", picture(system(&services, &flows), (100, 24)));
}

#[test]
fn one_service_alone() {
    insta::assert_snapshot!("map-alone", picture(system(&[("alone", "")], &[]), (80, 15)));
}

#[test]
fn names_of_every_script() {
    let services = [("注文サービス", "商取引"), ("发货", "商取引"), ("📦-tracker", ""), ("naïve-é", "")];
    let flows: [(FlowKind, &str, &[&str], &str, f64); 2] = [
        (FlowKind::Event, "注文サービス", &["发货", "📦-tracker"], "注文.作成", 3.0),
        (FlowKind::Feed, "发货", &["naïve-é"], "📦.moved", 3.0),
    ];
    insta::assert_snapshot!("map-scripts", picture(system(&services, &flows), (140, 30)));
}

/// Two hundred services with six hundred flows.
fn large() -> Snapshot {
    let name = |at: usize| format!("service-{at:03}");
    let domain = |at: usize| format!("domain-{:02}", at / 10);
    let all: Vec<(String, String)> = (0..200).map(|at| (name(at), domain(at))).collect();
    let services: Vec<(&str, &str)> =
        all.iter().map(|(name, domain)| (name.as_str(), domain.as_str())).collect();
    let kinds = [FlowKind::Event, FlowKind::Event, FlowKind::Feed, FlowKind::Request];
    let ends: Vec<(usize, usize, String)> = (0..600)
        .map(|at| {
            let from = (at * 7) % 200;
            // Three of four stay in their domain.
            let to =
                if at % 4 == 0 { (at * 37 + 11) % 200 } else { from / 10 * 10 + (from + 1 + at % 5) % 10 };
            (from, to, format!("channel-{:03}", at / 2))
        })
        .collect();
    let names: Vec<(String, String)> = ends.iter().map(|(from, to, _)| (name(*from), name(*to))).collect();
    let targets: Vec<[&str; 1]> = names.iter().map(|(_, to)| [to.as_str()]).collect();
    let flows: Vec<(FlowKind, &str, &[&str], &str, f64)> = ends
        .iter()
        .zip(&names)
        .zip(&targets)
        .enumerate()
        .map(|(at, (((_, _, label), (from, _)), to))| {
            (kinds[at % 4], from.as_str(), &to[..], label.as_str(), (at % 97) as f64)
        })
        .collect();
    system(&services, &flows)
}

#[test]
fn very_many_services() {
    let mut stage = Stage::new(large(), View::Map);
    insta::assert_snapshot!("map-large-lanes", stage.text((120, 40), Dress::Default));
    stage.press(&[Action::Form]);
    insta::assert_snapshot!("map-large-matrix", stage.text((200, 60), Dress::Default));
    stage.press(&[Action::Form]);
    insta::assert_snapshot!("map-large-folded", stage.text((200, 60), Dress::Default));
    // One domain unfolded among the others.
    stage.press(&[Action::FoldDomain]);
    insta::assert_snapshot!("map-large-unfolded-one", stage.text((200, 60), Dress::Default));
}
