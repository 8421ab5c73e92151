//! Three servers that form one JetStream cluster.

use std::{collections::BTreeSet, net::TcpListener, time::Duration};

use super::{Broker, Config, config::Member, http, wait::wait_for_blocking};

/// Elections take a few seconds; a busy machine takes longer.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Chosen ports can be taken by somebody else before a server binds them.
const TRIES: usize = 5;

/// A cluster of three nodes, `n1` to `n3`.
pub struct Cluster {
    pub nodes: Vec<Broker>,
}

impl Cluster {
    /// Starts three nodes with the same configuration and waits until they have a meta leader.
    pub fn start(config: &Config) -> Self {
        let mut last = String::new();
        for _ in 0..TRIES {
            match Self::try_start(config) {
                Ok(cluster) => {
                    cluster.wait_for_meta_leader();
                    return cluster;
                }
                Err(why) => last = why,
            }
        }
        panic!("no cluster after {TRIES} tries: {last}");
    }

    fn try_start(config: &Config) -> Result<Self, String> {
        // A node must know its peers' route ports before they run, so these are chosen here.
        let routes = free_ports(3)?;
        let mut nodes = Vec::new();
        for (index, port) in routes.iter().enumerate() {
            let member = Member { name: format!("n{}", index + 1), port: *port, routes: routes.clone() };
            let mut config = config.clone();
            config.jetstream = true;
            config.cluster = Some(member);
            nodes.push(Broker::try_start(config)?);
        }
        Ok(Self { nodes })
    }

    /// All three addresses, as a user would give them.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Broker::url).collect()
    }

    /// Waits until all running nodes name the same meta leader and see three current peers.
    pub fn wait_for_meta_leader(&self) -> String {
        wait_for_blocking(READY_WITHIN, "the cluster has a meta leader", || {
            let mut leaders = BTreeSet::new();
            for node in &self.nodes {
                let jsz = http::get_json(node.monitor_port(), "/jsz")?;
                let meta = &jsz["meta_cluster"];
                let leader = meta["leader"].as_str().unwrap_or_default();
                if leader.is_empty() || meta["cluster_size"].as_u64() != Some(3) {
                    return Err(format!("meta_cluster is {meta}"));
                }
                let health = http::get_json(node.monitor_port(), "/healthz")?;
                if health["status"] != "ok" {
                    return Err(format!("health is {health}"));
                }
                leaders.insert(leader.to_owned());
            }
            match leaders.into_iter().collect::<Vec<_>>().as_slice() {
                [leader] => Ok(leader.clone()),
                several => Err(format!("leaders are {several:?}")),
            }
        })
    }

    /// The node of that name.
    pub fn node(&mut self, name: &str) -> &mut Broker {
        let index = ["n1", "n2", "n3"].iter().position(|known| *known == name).unwrap();
        &mut self.nodes[index]
    }
}

fn free_ports(count: usize) -> Result<Vec<u16>, String> {
    let listeners: Result<Vec<_>, _> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    let listeners = listeners.map_err(|error| error.to_string())?;
    listeners
        .iter()
        .map(|listener| {
            listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
        })
        .collect()
}
