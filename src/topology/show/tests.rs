//! The text of a small system, whole.

use crate::topology::load::{Source, read};

#[test]
fn a_system_reads_well() {
    let text = "headwater: 1
system: shop
domains: [{ id: d, owner: t }]
brokers: [{ id: main, kind: nats, servers: 'nats://ann:pass@h:4222' }]
objectives:
  - { entity: User, property: staleness, max: 2s, share: 0.999, window: 5m }
  - { service: b, property: error-rate, max: 0.01 }
checks: { ignore: [{ check: shared-store, subject: a-db, reason: migration, until: 2030-01-31 }] }
---
service: a
domain: d
description: Knows people.
identity: { nats: { client_name: 'a-*' }, otel: { service_name: a } }
stores: [{ id: a-db, kind: relational, technology: postgresql, reason: joins }]
owns: [{ entity: User, store: a-db, identifier: user_id, sensitive: [email] }]
provides_feeds: [{ feed: user.profile, channel: 'user.{id}.changed', stream: USERS, entity: User, mode: cdc }]
answers: [{ operation: user.get, protocol: nats, entity: User }]
x-cost: { centre: 7 }
---
service: b
kind: gateway
health: [{ url: 'http://h/health', interval: 2s, timeout: 500ms, applied: [{ entity: User, pointer: /v }] }]
uses_stores: [{ store: a-db, access: read }]
copies: [{ entity: User, identifier: [first, last], via: user.profile, mode: cdc, max_staleness: 2s }]
follows_feeds: [{ feed: user.profile, from: a, consumer: { stream: USERS, durable: b-users }, max_delay: 1s }]
calls: [{ service: a, operation: user.get, protocol: nats, breaker: false, retries: 1, criticality: hard }]
";
    let source = Source { file: "all.yaml".into(), content: Ok(text.as_bytes().to_vec()) };
    let loaded = read(vec![source]);
    assert_eq!(loaded.problems, []);
    let shown = super::show(&loaded.topology.expect("right"));
    assert_eq!(
        shown,
        "shop: 2 services, 1 store, 1 kind of data

Brokers
  main  nats  nats://***@h:4222

Domain d, owned by t
  a  t  (all.yaml:10)
    Knows people.
    seen as    client name a-*
               service.name a
    stores     a-db (relational, postgresql): joins
    owns       User by user_id in a-db; never shown: email
    provides   user.profile (cdc) about User on user.{id}.changed, kept in USERS
    answers    user.get (nats) about User
    x-cost: {\"centre\":7}

Services without a domain
  b  gateway  (all.yaml:20)
    health     health http://h/health, every 2s, waits 500ms, applied User at /v
    touches    a-db of a (read)
    copies     User by first+last, kept by user.profile (cdc), at most 2s old
    follows    user.profile from a on user.{id}.changed, as USERS/b-users, within 1s
    calls      a user.get (nats), no time-out said, 1 retry, no breaker, hard

Data
  User  owned by a by user_id; copied by b by first+last; asked for by b

Objectives
  staleness of User at most 2s, for 99.9 % in every 5m
  error-rate of service b at most 1 %, for 100 %

Ignored findings
  shared-store on a-db: migration (until 2030-01-31)
"
    );
}
