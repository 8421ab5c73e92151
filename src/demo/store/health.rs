//! The health endpoint of one of the store's services: HTTP on a loopback port of its own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::conditions::Weather;
use super::plan::ServicePlan;
use crate::model::id::{EntityId, StoreId};

/// The versions that a service's copies have reached, by entity; shared by all that runs in the service.
#[derive(Clone, Debug, Default)]
pub struct Applied(Arc<Mutex<BTreeMap<EntityId, u64>>>);

impl Applied {
    /// A change was applied. A version older than what is there (redelivered, out of order) changes nothing.
    pub fn reach(&self, entity: &EntityId, version: u64) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = map.entry(entity.clone()).or_default();
        *reached = version.max(*reached);
    }

    fn version(&self, entity: &EntityId) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(entity).copied()
    }
}

/// Listens on a loopback port: any free one for 0, else that one again after a service's return.
pub async fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Answers until it is aborted; connections end with it.
pub async fn serve(listener: TcpListener, plan: Arc<ServicePlan>, weather: Weather, applied: Applied) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file handles, perhaps: give others time to close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (plan, weather, applied) = (Arc::clone(&plan), weather.clone(), applied.clone());
        connections.spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| {
                let answer = answer(request.uri().path(), &plan, &weather, &applied);
                async move { Ok::<_, Infallible>(answer) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            // A caller that hangs up early is no concern of the service.
            let _ = http.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

fn answer(
    path: &str,
    plan: &ServicePlan,
    weather: &Weather,
    applied: &Applied,
) -> Response<Full<bytes::Bytes>> {
    let Some(endpoint) = plan.health.iter().find(|endpoint| &*endpoint.path == path) else {
        return respond(StatusCode::NOT_FOUND, &json!({"status": "not found"}));
    };
    let now = weather.now();
    let down = now.down.get(&plan.id);
    let blamed = down.and_then(Option::as_deref);
    let mut document = status(plan, down.is_some(), blamed);
    for (entity, pointer) in &endpoint.applied {
        if let Some(version) = applied.version(entity) {
            put(&mut document, pointer, json!(version));
        }
    }
    let code = if down.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    respond(code, &Value::Object(document))
}

/// State and parts, as Spring Boot writes them; `blamed` is the part that a service that is down names.
fn status(plan: &ServicePlan, down: bool, blamed: Option<&str>) -> Map<String, Value> {
    let elsewhere = blamed.filter(|part| plan.stores.iter().all(|store| store.as_str() != *part));
    let parts = plan.stores.iter().map(StoreId::as_str).chain(elsewhere);
    let components: Map<String, Value> = parts
        .map(|part| {
            let state = if Some(part) == blamed {
                json!({"status": "DOWN", "details": {"error": "connection refused"}})
            } else {
                json!({"status": "UP"})
            };
            (part.to_owned(), state)
        })
        .collect();
    let state = if down { "DOWN" } else { "UP" };
    Map::from_iter([
        ("status".to_owned(), json!(state)),
        ("service".to_owned(), json!(plan.id.as_str())),
        ("components".to_owned(), Value::Object(components)),
    ])
}

/// Puts a value where a JSON pointer leads, with the objects on the way.
fn put(document: &mut Map<String, Value>, pointer: &str, value: Value) {
    let mut steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let Some(last) = steps.pop() else { return };
    let mut at = document;
    for step in steps {
        let next = at.entry(step).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(next) = next else { return };
        at = next;
    }
    at.insert(last, value);
}

fn respond(code: StatusCode, body: &Value) -> Response<Full<bytes::Bytes>> {
    let mut response = Response::new(Full::new(body.to_string().into()));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::HealthState;
    use crate::source::health::parse;

    #[test]
    fn what_it_says_is_understood() {
        let plan = super::super::plan::Plan::of(&crate::demo::sample::load().topology.unwrap(), "main");
        let accounts = &plan.services["accounts"];
        let up = parse(200, None, Value::Object(status(accounts, false, None)).to_string().as_bytes());
        assert_eq!((up.state, up.components.len()), (HealthState::Up, 2));
        let down = parse(
            503,
            None,
            Value::Object(status(accounts, true, Some("accounts-db"))).to_string().as_bytes(),
        );
        assert_eq!((down.state, &*down.detail), (HealthState::Down, "503, accounts-db: connection refused"));
        assert_eq!(down.components[1].state, HealthState::Up);
    }

    #[test]
    fn versions_stand_where_the_topology_points() {
        let mut document = Map::new();
        put(&mut document, "/feeds/user/version", json!(3));
        put(&mut document, "/feeds/a~1b", json!(4));
        assert_eq!(Value::Object(document), json!({"feeds": {"user": {"version": 3}, "a/b": 4}}));
    }

    #[test]
    fn versions_never_go_back() {
        let applied = Applied::default();
        let user = EntityId::from("User");
        assert_eq!(applied.version(&user), None);
        applied.reach(&user, 7);
        applied.reach(&user, 5);
        assert_eq!(applied.version(&user), Some(7));
    }
}
