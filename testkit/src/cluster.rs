use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use redis::FromRedisValue;

use crate::{
    Authority, RedisServer,
    redis_server::{POLL, START_LIMIT},
    tls::Certificates,
};

const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

/// A cluster on loopback: three primaries with a third of the slots each, with or without a replica for each.
///
/// # Examples
///
/// ```no_run
/// let cluster = testkit::RedisCluster::start();
/// let home = cluster.home_of("k");
/// cluster.nodes()[home].command::<()>(&["SET", "k", "v"]);
/// ```
#[derive(Debug)]
pub struct RedisCluster {
    /// The primaries, then the replicas in the same order.
    nodes: Vec<RedisServer>,
    /// The ports that speak TLS, where there are any, and what they do it with.
    secured: Option<(Vec<u16>, Certificates)>,
}

impl RedisCluster {
    /// Starts three primaries and waits until they serve all slots.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::start`], and where the cluster is not up within 10 seconds.
    #[must_use]
    pub fn start() -> Self {
        Self::launch(0, Duration::from_secs(10), None)
    }

    /// Starts three primaries with a replica each, which take over after `node_timeout` without a word.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_replicas(node_timeout: Duration) -> Self {
        Self::launch(SLOTS.len(), node_timeout, None)
    }

    /// [`start`](Self::start) of one that speaks TLS, with a certificate of `authority` for 127.0.0.1, to its clients
    /// and among its nodes. Each node has a port without TLS too, which is the testkit's own.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_tls(authority: &Authority) -> Self {
        Self::launch(0, Duration::from_secs(10), Some(authority))
    }

    fn launch(replicas: usize, node_timeout: Duration, authority: Option<&Authority>) -> Self {
        let timeout = node_timeout.as_millis().to_string();
        let count = SLOTS.len() + replicas;
        let buses: Vec<String> = (0..count).map(|_| RedisServer::reserve_port().to_string()).collect();
        let secured = authority.map(|authority| {
            let ports: Vec<u16> = (0..count).map(|_| RedisServer::reserve_port()).collect();
            (ports, Certificates::local(authority))
        });
        let start = |(place, bus): (usize, &String)| {
            let mut args = vec![
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                bus,
                "--cluster-node-timeout",
                &timeout,
                "--cluster-replica-validity-factor",
                "0",
                "--repl-diskless-sync-delay",
                "0",
                // Or a lost primary has the others refuse their own slots until a replica takes over.
                "--cluster-require-full-coverage",
                "no",
            ];
            let Some((ports, certificates)) = &secured else {
                return RedisServer::start_with(&args);
            };
            let port = ports[place].to_string();
            args.extend(certificates.args());
            args.extend(["--tls-port", &port, "--tls-auth-clients", "no", "--tls-cluster", "yes"]);
            RedisServer::start_with(&args)
        };
        let nodes: Vec<RedisServer> = buses.iter().enumerate().map(start).collect();
        let cluster = Self { nodes, secured };
        for (epoch, node) in cluster.nodes.iter().enumerate() {
            // Nodes of one epoch would have to agree on new ones first.
            node.command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(epoch + 1).to_string()]);
        }
        for ((first, last), node) in SLOTS.iter().zip(&cluster.nodes) {
            node.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        // Everyone meets everyone: gossip alone would take seconds.
        for (place, node) in cluster.nodes.iter().enumerate() {
            for (other, bus) in buses.iter().enumerate().skip(place + 1) {
                node.command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &cluster.port(other).to_string(), bus]);
            }
        }
        let known = format!("cluster_known_nodes:{count}");
        eventually("the nodes know each other", || {
            cluster
                .nodes
                .iter()
                .all(|node| node.command::<String>(&["CLUSTER", "INFO"]).contains(&known))
        });
        for (replica, primary) in cluster.replicas().iter().zip(cluster.primaries()) {
            let id: String = primary.command(&["CLUSTER", "MYID"]);
            eventually("the replica follows", || {
                replica.try_command::<()>(&["CLUSTER", "REPLICATE", &id]).is_ok()
            });
        }
        cluster.settle();
        cluster
    }

    /// Waits until every running node takes the cluster for whole and every replica is in step.
    ///
    /// # Panics
    ///
    /// Where that takes more than 10 seconds.
    pub fn settle(&self) {
        eventually("the cluster is whole", || {
            self.running().all(|node| self.is_settled(node))
        });
    }

    fn is_settled(&self, node: &RedisServer) -> bool {
        let answer = |args: &[&str]| node.try_command::<String>(args).unwrap_or_default();
        let linked = !answer(&["INFO", "replication"]).contains("master_link_status:down");
        // Of what a node knows, only a replica in step can be asked to take over.
        let slaves = answer(&["CLUSTER", "NODES"]).matches("slave").count();
        // A node is content with the slots it knows of, and answers CLUSTERDOWN for those it has not yet heard of.
        let info = answer(&["CLUSTER", "INFO"]);
        let whole = info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384");
        linked && whole && slaves == self.replicas().len()
    }

    /// All nodes: the primaries, then the replica of each in the same order, as they were started.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The nodes that began as primaries.
    #[must_use]
    pub fn primaries(&self) -> &[RedisServer] {
        &self.nodes[..SLOTS.len()]
    }

    /// The nodes that began as replicas.
    #[must_use]
    pub fn replicas(&self) -> &[RedisServer] {
        &self.nodes[SLOTS.len()..]
    }

    fn running(&self) -> impl Iterator<Item = &RedisServer> {
        self.nodes.iter().filter(|node| node.is_running())
    }

    /// The URL that names every node, under TLS where the cluster speaks it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secured.is_some() { "rediss" } else { "redis" };
        let others: Vec<String> = (1..self.nodes.len())
            .map(|place| format!("node=127.0.0.1:{}", self.port(place)))
            .collect();
        format!("{scheme}-cluster://127.0.0.1:{}?{}", self.port(0), others.join("&"))
    }

    /// The port that clients and other nodes know a node by.
    fn port(&self, place: usize) -> u16 {
        match &self.secured {
            Some((ports, _)) => ports[place],
            None => self.nodes[place].port(),
        }
    }

    /// The place in [`primaries`](Self::primaries) of the one that had the slot of `key` at the start.
    ///
    /// # Panics
    ///
    /// Where no node runs.
    #[must_use]
    pub fn home_of(&self, key: &str) -> usize {
        let slot = self.slot_of(key);
        let last = |place: usize| SLOTS[place].1.parse::<u16>().expect("a slot is a number");
        (0..SLOTS.len())
            .find(|&place| slot <= last(place))
            .expect("every slot has a home")
    }

    /// A key whose [home](Self::home_of) is the primary at `place`.
    ///
    /// # Panics
    ///
    /// Where no node runs, or there is no such place.
    #[must_use]
    pub fn key_at(&self, place: usize) -> String {
        let mut names = (0..1_000).map(|i| format!("k{i}"));
        names
            .find(|key| self.home_of(key) == place)
            .expect("every primary has keys")
    }

    /// The hash slot of `key`.
    ///
    /// # Panics
    ///
    /// Where no node runs.
    #[must_use]
    pub fn slot_of(&self, key: &str) -> u16 {
        self.any(&["CLUSTER", "KEYSLOT", key])
    }

    fn any<T: FromRedisValue>(&self, args: &[&str]) -> T {
        self.running().next().expect("a node runs").command(args)
    }

    /// Kills a node, as a crash does.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].stop();
    }

    /// Starts a killed node again, empty, with its old place in the cluster.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::restart`].
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
    }

    /// Begins to move a slot between two primaries, given by their places: from now on the first answers ASK for keys
    /// it no longer holds.
    ///
    /// # Panics
    ///
    /// Where a node refuses.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let (source, target) = (self.id(from), self.id(to));
        self.nodes[to].command::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
        self.nodes[from].command::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
    }

    /// Moves the keys of a slot whose move has begun, `at_most` of them; answers how many it found.
    ///
    /// # Panics
    ///
    /// Where a node refuses.
    #[must_use]
    pub fn move_keys(&self, slot: u16, from: usize, to: usize, at_most: usize) -> usize {
        let (slot, at_most) = (slot.to_string(), at_most.to_string());
        let keys: Vec<String> = self.nodes[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot, &at_most]);
        let port = self.port(to).to_string();
        for key in &keys {
            // A key that was deleted since then is answered as NOKEY.
            self.nodes[from].command::<String>(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
        }
        keys.len()
    }

    /// Ends the move of a slot: the second primary has it now, and the first answers MOVED.
    ///
    /// # Panics
    ///
    /// Where a node refuses.
    pub fn end_move(&self, slot: u16, to: usize) {
        let (slot, target) = (slot.to_string(), self.id(to));
        // The new owner first: the other would forward its callers to a node that knows nothing of it.
        let others = (0..SLOTS.len()).filter(|&place| place != to);
        for place in std::iter::once(to).chain(others) {
            self.nodes[place].command::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &target]);
        }
        // The owner's epoch is what its claim to the slot counts by, the next time it moves.
        eventually("the nodes agree on the epoch", || {
            let epochs = self.primaries().iter().map(epoch_of);
            let epochs: BTreeSet<String> = epochs.collect();
            epochs.len() == 1
        });
    }

    fn id(&self, node: usize) -> String {
        self.nodes[node].command(&["CLUSTER", "MYID"])
    }
}

fn epoch_of(node: &RedisServer) -> String {
    let info: String = node.command(&["CLUSTER", "INFO"]);
    let epoch = info.lines().find(|line| line.starts_with("cluster_current_epoch:"));
    epoch.expect("a node of a cluster has an epoch").to_owned()
}

/// Polls until `holds`.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < START_LIMIT, "{what}: not within {START_LIMIT:?}");
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_moves_with_its_keys() {
        let cluster = RedisCluster::start();
        let (from, slot) = (cluster.home_of("k"), cluster.slot_of("k"));
        let to = (from + 1) % 3;
        cluster.nodes()[from].command::<()>(&["SET", "k", "v"]);
        cluster.begin_move(slot, from, to);
        assert_eq!(cluster.move_keys(slot, from, to, 10), 1);
        cluster.end_move(slot, to);
        assert_eq!(cluster.nodes()[to].command::<String>(&["GET", "k"]), "v");
        let moved = cluster.nodes()[from].try_command::<String>(&["GET", "k"]).unwrap_err();
        assert_eq!(moved.code(), Some("MOVED"), "{moved}");
    }

    #[test]
    fn a_replica_takes_over_from_a_killed_primary() {
        let mut cluster = RedisCluster::start_with_replicas(Duration::from_millis(500));
        let home = cluster.home_of("k");
        cluster.nodes()[home].command::<()>(&["SET", "k", "v"]);
        cluster.nodes()[home].command::<()>(&["WAIT", "1", "5000"]);
        cluster.kill(home);
        let heir = &cluster.replicas()[home];
        eventually("the replica has taken over", || heir.is_primary());
        eventually("the others know", || {
            cluster.primaries()[(home + 1) % 3]
                .command::<String>(&["CLUSTER", "INFO"])
                .contains("cluster_state:ok")
        });
        assert_eq!(heir.command::<String>(&["GET", "k"]), "v");
    }
}
