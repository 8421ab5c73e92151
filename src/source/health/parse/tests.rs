//! Bodies as real frameworks send them.

use proptest::prelude::*;

use super::*;
use crate::model::observation::HealthState::{Degraded, Down, Unknown, Up};

/// Status, content type and body; state, detail and parts.
type Case = (
    u16,
    &'static str,
    &'static str,
    HealthState,
    &'static str,
    &'static [(&'static str, HealthState, &'static str)],
);

const CASES: &[Case] = &[
    // Plain codes and words.
    (200, "", "", Up, "200", &[]),
    (204, "", "", Up, "204", &[]),
    (200, "text/plain", "ok\n", Up, "200", &[]),
    (200, "text/plain", "pong", Up, "200, pong", &[]),
    (200, "text/plain", "OK - 3 of 3 nodes", Up, "200, OK - 3 of 3 nodes", &[]),
    (200, "text/plain", "WARNING: disk 91 %", Degraded, "200, WARNING: disk 91 %", &[]),
    (200, "text/html", "<!doctype html><title>Sign in</title>", Up, "200, a web page", &[]),
    (500, "text/plain", "NullPointerException\n  at x", Down, "500, NullPointerException", &[]),
    (503, "", "", Down, "503", &[]),
    (503, "text/plain", "ok", Down, "503, though its text says it is up", &[]),
    (502, "text/html", "<html>Bad gateway</html>", Down, "502, a web page", &[]),
    (302, "", "", Unknown, "302: redirected, and not followed", &[]),
    (401, "", "", Unknown, "401: the endpoint wants credentials", &[]),
    (404, "text/plain", "not found", Unknown, "404: nothing at this address", &[]),
    (429, "", "", Unknown, "429", &[]),
    (429, "application/json", r#"{"status":"warn"}"#, Degraded, "429", &[]),
    (999, "", "", Unknown, "999: not an answer to a health check", &[]),
    // ASP.NET: text, and the JSON that its UI package writes.
    (200, "text/plain", "Healthy", Up, "200", &[]),
    (200, "text/plain", "Degraded", Degraded, "200, degraded", &[]),
    (503, "text/plain", "Unhealthy", Down, "503", &[]),
    (
        503,
        "application/json",
        r#"{"status":"Unhealthy","totalDuration":"00:00:00.05","entries":{"sql":{"data":{},"description":"Login failed","duration":"00:00:00.04","status":"Unhealthy","tags":[]},"redis":{"data":{},"duration":"00:00:00.01","status":"Healthy","tags":[]}}}"#,
        Down,
        "503, sql: Login failed",
        &[("sql", Down, "Login failed"), ("redis", Up, "")],
    ),
    (
        200,
        "application/json",
        r#"{"status":"Degraded","results":{"queue":{"status":"Degraded","description":"4000 waiting","data":{"depth":4000}}}}"#,
        Degraded,
        "200, queue: 4000 waiting",
        &[("queue", Degraded, "4000 waiting")],
    ),
    // Spring Boot 2.2+ and 2.0.
    (
        200,
        "application/vnd.spring-boot.actuator.v3+json",
        r#"{"status":"UP","groups":["liveness","readiness"]}"#,
        Up,
        "200",
        &[],
    ),
    (
        503,
        "application/vnd.spring-boot.actuator.v3+json",
        r#"{"status":"DOWN","components":{"db":{"status":"DOWN","components":{"main":{"status":"DOWN","details":{"error":"org.postgresql.util.PSQLException: Connection to db:5432 refused"}}}},"diskSpace":{"status":"UP","details":{"total":62725623808,"free":5,"exists":true}},"ping":{"status":"UP"}}}"#,
        Down,
        "503, db: down; db/main: org.postgresql.util.PSQLException: Connection to db:5432 refused",
        &[
            ("db", Down, ""),
            ("db/main", Down, "org.postgresql.util.PSQLException: Connection to db:5432 refused"),
            ("diskSpace", Up, ""),
            ("ping", Up, ""),
        ],
    ),
    (
        503,
        "application/json",
        r#"{"status":"OUT_OF_SERVICE","details":{"rabbit":{"status":"UP","details":{"version":"3.10"}},"gate":{"status":"OUT_OF_SERVICE"}}}"#,
        Down,
        "503, gate: down",
        &[("rabbit", Up, ""), ("gate", Down, "")],
    ),
    // MicroProfile, Quarkus, WildFly; the older `outcome`; Vert.x.
    (
        503,
        "application/json",
        r#"{"status":"DOWN","checks":[{"name":"Database connections health check","status":"DOWN","data":{"<default>":"UP","error":"refused"}},{"name":"ready","status":"UP"}]}"#,
        Down,
        "503, Database connections health check: refused",
        &[("Database connections health check", Down, "refused"), ("ready", Up, "")],
    ),
    (
        503,
        "application/json",
        r#"{"outcome":"DOWN","checks":[{"id":"db","status":"DOWN","data":{"cause":"timeout"}}]}"#,
        Down,
        "503, db: timeout",
        &[("db", Down, "timeout")],
    ),
    // IETF application/health+json.
    (
        200,
        "application/health+json",
        r#"{"status":"warn","version":"1","releaseId":"1.2.2","output":"","checks":{"cassandra:responseTime":[{"componentId":"a","componentType":"datastore","observedValue":250,"observedUnit":"ms","status":"pass","output":""},{"componentId":"b","status":"warn","output":"slow"}],"uptime":[{"componentType":"system","observedValue":1209600.245,"observedUnit":"s","status":"pass"}],"cpu:utilization":[{"observedValue":85}]}}"#,
        Degraded,
        "200, cassandra:responseTime: slow",
        &[("cassandra:responseTime", Degraded, "slow"), ("uptime", Up, "")],
    ),
    (
        503,
        "application/health+json",
        r#"{"status":"fail","output":"no leader"}"#,
        Down,
        "503, no leader",
        &[],
    ),
    // Kubernetes.
    (
        500,
        "text/plain",
        "[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\nhealthz check failed\n",
        Down,
        "500, etcd: failed: reason withheld",
        &[("ping", Up, ""), ("log", Up, ""), ("etcd", Down, "failed: reason withheld")],
    ),
    (200, "text/plain", "[+]ping ok\nlivez check passed\n", Up, "200", &[("ping", Up, "")]),
    // NATS, RabbitMQ, Elasticsearch; others of that shape.
    (200, "application/json", r#"{"status":"ok"}"#, Up, "200", &[]),
    (
        503,
        "application/json",
        r#"{"status":"unavailable","status_code":503,"error":"JetStream is not current"}"#,
        Down,
        "503, JetStream is not current",
        &[],
    ),
    (
        200,
        "application/json",
        r#"{"cluster_name":"x","status":"yellow","timed_out":false}"#,
        Degraded,
        "200, degraded",
        &[],
    ),
    (200, "application/json", r#"{"healthy":false,"message":"draining"}"#, Down, "200, draining", &[]),
    (200, "application/json", r#"{"status":{"code":"UP","description":""}}"#, Up, "200", &[]),
    (200, "application/json", r#""UP""#, Up, "200", &[]),
    (
        200,
        "application/json",
        r#"{"checks":{"db":true,"cache":"down"}}"#,
        Down,
        "200, cache: down",
        &[("db", Up, ""), ("cache", Down, "")],
    ),
    (
        200,
        "application/json",
        r#"{"status":"UP","components":{"db":{"status":"DOWN"}}}"#,
        Degraded,
        "200, says it is up, but db: down",
        &[("db", Down, "")],
    ),
    (200, "application/json", r#"{"uptime":12}"#, Up, "200", &[]),
    (200, "application/json", r#"{"status":"ok""#, Up, "200, {\"status\":\"ok\"", &[]),
    // Secrets in what a service says.
    (
        503,
        "application/json",
        r#"{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"cannot reach postgres://app:hunter2@db:5432/x, password=hunter2"}}}}"#,
        Down,
        "503, db: cannot reach postgres://***@db:5432/x, password=***",
        &[("db", Down, "cannot reach postgres://***@db:5432/x, password=***")],
    ),
    // Hostile names.
    (
        200,
        "application/json",
        "{\"status\":\"UP\",\"checks\":{\"a\\u001b[2Jb\":\"UP\"}}",
        Up,
        "200",
        &[("a [2Jb", Up, "")],
    ),
];

#[test]
fn real_bodies() {
    for (status, content_type, body, state, detail, parts) in CASES {
        let kind = (!content_type.is_empty()).then_some(*content_type);
        let answer = parse(*status, kind, body.as_bytes());
        let mut found: Vec<(&str, HealthState, &str)> =
            answer.components.iter().map(|part| (&*part.name, part.state, &*part.detail)).collect();
        let mut parts = parts.to_vec();
        found.sort_by_key(|part| part.0.to_owned());
        parts.sort_by_key(|part| part.0.to_owned());
        assert_eq!((answer.state, &*answer.detail, found), (*state, *detail, parts), "{status} {body}");
    }
}

#[test]
fn applied_versions_are_read_by_pointer() {
    let body =
        br#"{"status":"UP","feeds":{"user":{"version":42},"stock":{"version":"v7"},"x":{"version":null}}}"#;
    let answer = parse(200, None, body);
    let pointers: [(Name, &str); 4] = [
        ("User".into(), "/feeds/user/version"),
        ("Stock".into(), "/feeds/stock/version"),
        ("X".into(), "/feeds/x/version"),
        ("Nothing".into(), "/feeds/nothing"),
    ];
    let applied = answer.applied(pointers.iter().map(|(entity, pointer)| (entity, *pointer)));
    let applied: Vec<(&str, &str)> =
        applied.iter().map(|(entity, version)| (&**entity, &**version)).collect();
    assert_eq!(applied, [("Stock", "v7"), ("User", "42")]);
}

#[test]
fn parts_are_bounded() {
    let many: Vec<String> = (0..1000).map(|n| format!("\"c{n}\":\"UP\"")).collect();
    let answer = parse(200, None, format!("{{\"checks\":{{{}}}}}", many.join(",")).as_bytes());
    assert_eq!(answer.components.len(), MOST_PARTS);
    let deep = format!("{}\"UP\"{}", "{\"checks\":{\"a\":".repeat(50), "}}".repeat(50));
    assert!(parse(200, None, deep.as_bytes()).components.len() <= DEEPEST);
}

fn is_clean(text: &str) -> bool {
    !text.chars().any(char::is_control) && text.chars().count() <= 1000
}

proptest! {
    #[test]
    fn any_bytes_give_a_clean_answer(status in 0u16..1000, kind in proptest::option::of(".*"), body in proptest::collection::vec(any::<u8>(), 0..512)) {
        let answer = parse(status, kind.as_deref(), &body);
        prop_assert!(is_clean(&answer.detail));
        if (500..600).contains(&status) { prop_assert_eq!(answer.state, Down); }
    }

    #[test]
    fn any_json_gives_clean_parts(name in ".*", word in ".*", reason in ".*") {
        let body = serde_json::json!({"status": word, "checks": {name: {"status": "DOWN", "error": reason}}}).to_string();
        let answer = parse(200, None, body.as_bytes());
        prop_assert!(answer.components.iter().all(|part| is_clean(&part.name) && is_clean(&part.detail)));
        prop_assert!(is_clean(&answer.detail));
        prop_assert_eq!(answer.components.len(), 1);
    }
}
