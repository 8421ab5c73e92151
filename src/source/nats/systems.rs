//! Which source watches which system: two addresses of one cluster, or of one server, are one source.
//!
//! Ids are scoped by source, so a system that is watched twice would be counted twice. Only the servers know who they are:
//! each source asks, once it is connected, and looks whether another watches the same system already. Of several the one that
//! was named first stays, unless it could not be reached in time. When it is lost for long, one that had stepped aside takes its
//! place, and keeps it.
//!
//! Two clusters may bear one name, and every account of a server without accounts is called `$G`: names alone prove nothing.
//! It is one system when a server of the one answers to the other too, and the account, JetStream's domain and the subjects of
//! its API are the same. Monitoring endpoints show all accounts of a server: where there is but one, that is the account, else two
//! such sources are one system with each other alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout;

use super::api::read;
use super::connections::ConnzAnswer;
use super::options::{Auth, NatsOptions};
use super::poll::who_we_are;
use super::wire::{Patience, Wire};
use crate::model::id::{Name, SourceId};

/// Who was named earlier is waited for so long.
const EARLIER_WITHIN: Duration = Duration::from_millis(1500);
/// Who was lost may come back for so long: longer than the longest wait between two of its tries.
const BACK_WITHIN: Duration = Duration::from_secs(8);
/// A server may take so long to say who it is.
const LONGEST: Duration = Duration::from_secs(1);
/// After an answer, those of other servers are awaited so long.
const QUIET: Duration = Duration::from_millis(250);

/// A system as one source sees it.
#[derive(Clone, Debug)]
pub(super) struct System {
    /// Ids of the servers that answer.
    servers: BTreeSet<String>,
    /// The cluster's name and the addresses that it tells its clients, where it is one.
    cluster: Option<(String, BTreeSet<String>)>,
    /// JetStream's domain.
    domain: Option<String>,
    /// Where JetStream is asked.
    js_api: String,
    view: View,
}

/// Which part of a system a source sees.
#[derive(Clone, Debug, PartialEq, Eq)]
enum View {
    /// One account: its name where the server tells, and how it was entered.
    Account(Option<Name>, Auth),
    /// All accounts.
    All,
}

impl System {
    /// Asks the servers behind a connection.
    pub(super) async fn ask(wire: &Wire, options: &NatsOptions) -> Self {
        let server = wire.client().server_info();
        let cluster = server.cluster.filter(|name| !name.is_empty());
        let patience = Patience { longest: LONGEST, quiet: QUIET };
        let alone = cluster.is_none();
        let body = Bytes::from_static(br#"{"limit":1}"#);
        let subject = "$SYS.REQ.ACCOUNT.PING.CONNZ";
        let (answers, account) =
            tokio::join!(wire.gather(subject, body, &patience, |_| alone), who_we_are(wire, LONGEST));
        // Where it is not permitted, the server that we know is all there is.
        let told = answers.unwrap_or_default();
        let told = told.iter().filter_map(|answer| read::<ConnzAnswer>(subject, &answer.payload).ok());
        let mut servers: BTreeSet<String> =
            told.map(|told| told.server.id).filter(|id| !id.is_empty()).collect();
        servers.insert(server.server_id);
        Self {
            servers,
            cluster: cluster.map(|name| (name, server.connect_urls.into_iter().collect())),
            domain: server.domain.filter(|domain| !domain.is_empty()),
            js_api: options.js_api.clone(),
            view: View::Account(account, options.auth.clone()),
        }
    }

    /// A server that is only monitored, with its accounts where it tells them.
    pub(super) fn monitored(
        server: &str,
        domain: &str,
        accounts: Option<&[Name]>,
        options: &NatsOptions,
    ) -> Self {
        let view = match accounts {
            Some([only]) => View::Account(Some(only.clone()), Auth::None),
            _ => View::All,
        };
        Self {
            servers: [server.to_owned()].into(),
            cluster: None,
            domain: Some(domain.to_owned()).filter(|domain| !domain.is_empty()),
            js_api: options.js_api.clone(),
            view,
        }
    }

    fn is(&self, other: &Self) -> bool {
        let view = match (&self.view, &other.view) {
            (View::Account(Some(one), _), View::Account(Some(another), _)) => one == another,
            // A server that does not tell gives the same credentials the same account.
            (View::Account(_, one), View::Account(_, another)) => one == another,
            (one, another) => one == another,
        };
        let servers = !self.servers.is_disjoint(&other.servers)
            || matches!((&self.cluster, &other.cluster), (Some((name, urls)), Some((other, others)))
                if name == other && !urls.is_disjoint(others));
        view && servers && self.domain == other.domain && self.js_api == other.js_api
    }
}

/// What is known of one source's system.
#[derive(Clone, Debug)]
enum Seat {
    /// Nothing yet.
    Trying,
    /// It was not reached at the first try.
    NotReached,
    /// It is watched by this source.
    Watched(Box<System>),
    /// It was watched by this source, and is not reached now.
    Lost(Box<System>),
    /// It is watched by that other source.
    Aside(SourceId),
}

/// The sources of one picture, in the order in which they were named. Cheap to copy.
#[derive(Clone, Debug)]
pub struct Systems {
    seats: Arc<watch::Sender<Vec<(SourceId, Seat)>>>,
}

impl Systems {
    /// Of all sources that will watch.
    pub fn of<'a>(sources: impl IntoIterator<Item = &'a NatsOptions>) -> Self {
        let seat = |options: &NatsOptions| (options.source.clone(), Seat::Trying);
        Self { seats: Arc::new(watch::Sender::new(sources.into_iter().map(seat).collect())) }
    }

    /// Whether there is more than one, so that two can be the same.
    pub(super) fn several(&self) -> bool {
        self.seats.borrow().len() > 1
    }

    fn sit(&self, source: &SourceId, change: impl FnOnce(Seat) -> Seat) {
        self.seats.send_modify(|seats| {
            if let Some((_, seat)) = seats.iter_mut().find(|(id, _)| id == source) {
                *seat = change(std::mem::replace(seat, Seat::Trying));
            }
        });
    }

    /// A try failed: nobody needs to wait, and whoever stepped aside for this source may take its place.
    pub(super) fn not_reached(&self, source: &SourceId) {
        self.sit(source, |seat| match seat {
            Seat::Watched(system) | Seat::Lost(system) => Seat::Lost(system),
            Seat::Aside(other) => Seat::Aside(other),
            Seat::Trying | Seat::NotReached => Seat::NotReached,
        });
    }

    /// Who has taken the place of this source since it was lost.
    pub(super) fn replaced(&self, source: &SourceId) -> Option<SourceId> {
        self.seats.borrow().iter().find_map(|(id, seat)| match seat {
            Seat::Aside(other) if id == source => Some(other.clone()),
            _ => None,
        })
    }

    fn watches(seats: &[(SourceId, Seat)], source: &SourceId) -> bool {
        seats.iter().any(|(id, seat)| id == source && matches!(seat, Seat::Watched(_)))
    }

    /// Whether that source watches its system now.
    pub(super) fn watching(&self, other: &SourceId) -> bool {
        Self::watches(&self.seats.borrow(), other)
    }

    /// Until that source no longer watches its system.
    pub(super) async fn left(&self, other: &SourceId) {
        // The seats live as long as this does.
        let _ = self.seats.subscribe().wait_for(|seats| !Self::watches(seats, other)).await;
    }

    /// Gives a source that was lost time to come back, before another takes its place.
    pub(super) async fn spared(&self, other: &SourceId) {
        let _ =
            timeout(BACK_WITHIN, self.seats.subscribe().wait_for(|seats| Self::watches(seats, other))).await;
    }

    /// Takes the system for this source, unless another watches it: that one's id is returned then.
    pub(super) async fn take(&self, source: &SourceId, system: System) -> Option<SourceId> {
        let settled = |seats: &Vec<(SourceId, Seat)>| {
            seats.iter().take_while(|(id, _)| id != source).all(|(_, seat)| !matches!(seat, Seat::Trying))
        };
        // Whoever is late finds the system taken.
        let _ = timeout(EARLIER_WITHIN, self.seats.subscribe().wait_for(settled)).await;
        let mut other = None;
        self.seats.send_modify(|seats| {
            other = seats.iter().find_map(|(id, seat)| match seat {
                Seat::Watched(theirs) if id != source && theirs.is(&system) => Some(id.clone()),
                _ => None,
            });
            if other.is_none() {
                // Whoever is lost, and watched the same, finds its place taken.
                let lost = |seat: &Seat| matches!(seat, Seat::Lost(theirs) if theirs.is(&system));
                for (_, seat) in seats.iter_mut().filter(|(id, seat)| id != source && lost(seat)) {
                    *seat = Seat::Aside(source.clone());
                }
            }
            if let Some((_, seat)) = seats.iter_mut().find(|(id, _)| id == source) {
                *seat = match &other {
                    Some(other) => Seat::Aside(other.clone()),
                    None => Seat::Watched(Box::new(system)),
                };
            }
        });
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::nats::secret::Secret;

    fn system(servers: &[&str], account: Option<&str>) -> System {
        System {
            servers: servers.iter().map(ToString::to_string).collect(),
            cluster: None,
            domain: None,
            js_api: "$JS.API".to_owned(),
            view: View::Account(account.map(Into::into), Auth::None),
        }
    }

    fn clustered(server: &str, name: &str, urls: &[&str]) -> System {
        let urls = urls.iter().map(ToString::to_string).collect();
        System { cluster: Some((name.to_owned(), urls)), ..system(&[server], Some("$G")) }
    }

    #[test]
    fn a_common_server_and_the_same_account_are_one_system() {
        let one = system(&["A", "B"], Some("$G"));
        assert!(one.is(&system(&["B", "C"], Some("$G"))));
        assert!(!one.is(&system(&["C"], Some("$G"))), "two servers, each with its own $G");
        assert!(!one.is(&system(&["A"], Some("BILLING"))));
        assert!(!one.is(&System { domain: Some("leaf".into()), ..one.clone() }));
        assert!(!one.is(&System { js_api: "$JS.leaf.API".into(), ..one.clone() }));
    }

    #[test]
    fn a_name_of_a_cluster_alone_proves_nothing() {
        let one = clustered("A", "nats", &["10.0.0.1:4222", "10.0.0.2:4222"]);
        assert!(one.is(&clustered("B", "nats", &["10.0.0.2:4222"])));
        assert!(!one.is(&clustered("B", "nats", &["10.9.0.1:4222"])));
        assert!(!one.is(&clustered("B", "other", &["10.0.0.1:4222"])));
    }

    #[test]
    fn where_the_account_is_not_told_the_credentials_decide() {
        let token = |token: &str| System {
            view: View::Account(None, Auth::Token(Secret::new(token.to_owned()))),
            ..system(&["A"], None)
        };
        assert!(token("x").is(&token("x")));
        assert!(!token("x").is(&token("y")));
        assert!(!token("x").is(&system(&["A"], Some("$G"))));
    }

    #[test]
    fn monitoring_shows_all_accounts_and_is_one_system_with_the_only_one() {
        let options = NatsOptions::new(SourceId::from("m"), "nats://127.0.0.1").unwrap();
        let monitored = |server, accounts: &[&str]| {
            let accounts: Vec<Name> = accounts.iter().copied().map(Into::into).collect();
            System::monitored(server, "", Some(&accounts), &options)
        };
        let only = monitored("A", &["$G"]);
        assert!(only.is(&system(&["A", "B"], Some("$G"))) && only.is(&monitored("A", &["$G"])));
        assert!(!only.is(&monitored("B", &["$G"])) && !only.is(&system(&["B"], Some("$G"))));
        let all = monitored("A", &["APP", "OTHER"]);
        assert!(all.is(&monitored("A", &["APP", "OTHER"])));
        assert!(!all.is(&system(&["A"], Some("APP"))), "the other account would not be seen");
        let untold = System::monitored("A", "", None, &options);
        assert!(untold.is(&all) && !untold.is(&system(&["A"], Some("$G"))));
    }

    #[tokio::test(start_paused = true)]
    async fn whose_place_was_taken_while_it_was_lost_steps_aside() {
        let options = |id: &str| NatsOptions::new(SourceId::from(id), "nats://127.0.0.1").unwrap();
        let (a, b) = (options("a"), options("b"));
        let one = || system(&["A"], Some("$G"));
        let systems = Systems::of([&a, &b]);
        assert_eq!(systems.take(&a.source, one()).await, None);
        assert_eq!(systems.take(&b.source, one()).await, Some("a".into()));
        let (of_b, id) = (systems.clone(), a.source.clone());
        let waiting = tokio::spawn(async move { of_b.left(&id).await });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!waiting.is_finished(), "a watches");
        systems.not_reached(&a.source);
        waiting.await.unwrap();
        // One that comes back in time keeps its place.
        let (of_a, source) = (systems.clone(), a.source.clone());
        let back = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            of_a.take(&source, system(&["A"], Some("$G"))).await
        });
        systems.spared(&a.source).await;
        assert_eq!((back.await.unwrap(), systems.take(&b.source, one()).await), (None, Some("a".into())));
        systems.not_reached(&a.source);
        systems.spared(&a.source).await;
        assert_eq!(
            (systems.take(&b.source, one()).await, systems.replaced(&a.source)),
            (None, Some("b".into()))
        );
        systems.not_reached(&a.source);
        assert_eq!(systems.replaced(&a.source), Some("b".into()), "it tries no more");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_named_stays_though_it_answers_later() {
        let options = |id: &str| NatsOptions::new(SourceId::from(id), "nats://127.0.0.1").unwrap();
        let (a, b) = (options("a"), options("b"));
        let systems = Systems::of([&a, &b]);
        let one = || system(&["A"], Some("$G"));
        let late = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            systems.take(&a.source, one()).await
        };
        let (second, first) = tokio::join!(systems.take(&b.source, one()), late);
        assert_eq!((first, second), (None, Some(SourceId::from("a"))));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_too_late_or_failed_before_steps_aside() {
        let options = |id: &str| NatsOptions::new(SourceId::from(id), "nats://127.0.0.1").unwrap();
        let (a, b) = (options("a"), options("b"));
        let one = || system(&["A"], Some("$G"));
        for fails in [false, true] {
            let systems = Systems::of([&a, &b]);
            if fails {
                systems.not_reached(&a.source);
            }
            assert_eq!(systems.take(&b.source, one()).await, None);
            assert_eq!(systems.take(&a.source, one()).await, Some(SourceId::from("b")));
        }
    }
}
