//! Three nodes, each with a third of the keys.

use std::time::Duration;

use bytes::Bytes;
use larder::{CacheBackend, ErrorKind, Expiry, Outcome, SetItem, SetOptions};
use larder_fred::{ConnectionManager, FredBackend, RedisConfig};
use testkit::RedisServer;

use crate::acl::RIGHTS;
use crate::support::{block_on, bytes, eventually, forever, listed, starts_with};

struct Cluster {
    nodes: Vec<RedisServer>,
}

impl Cluster {
    fn start() -> Self {
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        let buses: Vec<String> = slots.iter().map(|_| RedisServer::reserve_port().to_string()).collect();
        let nodes: Vec<RedisServer> = buses
            .iter()
            .map(|bus| RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-port", bus]))
            .collect();
        for ((first, last), node) in slots.iter().zip(&nodes) {
            node.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        for (node, bus) in nodes.iter().zip(&buses).skip(1) {
            let port = node.port().to_string();
            nodes[0].command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
        }
        let up = |node: &RedisServer| {
            let info: String = node.command(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        };
        eventually("the cluster is up", || nodes.iter().all(up));
        Self { nodes }
    }

    async fn backend(&self, resp3: bool) -> FredBackend {
        let url = format!("redis-cluster://127.0.0.1:{}", self.nodes[0].port());
        let config = RedisConfig::from_url(&url)
            .unwrap()
            .with_resp3(resp3)
            .with_deadline(Duration::from_secs(5))
            .with_connect_timeout(Duration::from_secs(5));
        ConnectionManager::from_config_strict(config).await.unwrap().backend()
    }
}

#[test]
fn batches_and_scans_reach_every_node() {
    let cluster = Cluster::start();
    for resp3 in [true, false] {
        block_on(async {
            let backend = cluster.backend(resp3).await;
            let mut names: Vec<String> = (0..300).map(|i| format!("k{i}")).collect();
            let items = names
                .iter()
                .map(|name| SetItem::new(name.clone(), name.clone(), forever()));
            for written in backend.set_many(items.collect()).await {
                assert_eq!(written.unwrap(), Outcome::Done);
            }
            for node in &cluster.nodes {
                assert!(node.command::<i64>(&["DBSIZE"]) > 0);
            }
            let keys: Vec<&str> = names.iter().map(String::as_str).chain(["none", "k0"]).collect();
            for (key, found) in keys.iter().zip(backend.get_many(&keys).await) {
                let expected = (*key != "none").then(|| Bytes::from((*key).to_owned()));
                assert_eq!(bytes(found), expected);
            }
            names.sort();
            assert_eq!(listed(&backend, "k*").await, names);

            let keys: Vec<&str> = names.iter().map(String::as_str).collect();
            for removed in backend.delete_many(&keys).await {
                assert_eq!(removed.unwrap(), Outcome::Done);
            }
            assert!(listed(&backend, "*").await.is_empty());
        });
    }
}

#[test]
fn scripts_are_taught_to_the_node_that_holds_the_key() {
    let cluster = Cluster::start();
    block_on(async {
        let backend = cluster.backend(true).await;
        for key in ["a", "b", "c", "d", "e", "f"] {
            backend.set(key, Bytes::from_static(b"old"), forever()).await.unwrap();
            let kept = SetOptions::new(Expiry::Keep).with_condition(starts_with("ol"));
            assert_eq!(
                backend.set(key, Bytes::from_static(b"new"), kept).await.unwrap(),
                Outcome::Done
            );
            assert_eq!(backend.head(key, 1).await.unwrap().unwrap().bytes(), "n");
        }
    });
}

#[test]
fn a_user_needs_two_more_rights_on_a_cluster() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        let user = ["ACL", "SETUSER", "app", "on", ">secret", "~*"];
        node.command::<()>(&[&user[..], &RIGHTS, &["+cluster|slots", "+cluster|info"]].concat());
    }
    block_on(async {
        let url = format!("redis-cluster://app:secret@127.0.0.1:{}", cluster.nodes[0].port());
        let config = RedisConfig::from_url(&url)
            .unwrap()
            .with_deadline(Duration::from_secs(5));
        let backend = ConnectionManager::from_config_strict(config).await.unwrap().backend();
        for key in ["a", "b", "c", "d"] {
            backend.set(key, Bytes::from_static(b"v"), forever()).await.unwrap();
            assert!(backend.delete(key, starts_with("v")).await.unwrap().is_done());
        }
        assert!(listed(&backend, "*").await.is_empty());
    });
}

#[test]
fn a_cluster_that_lost_a_node_fails_bounded() {
    let mut cluster = Cluster::start();
    block_on(async {
        let url = format!("redis-cluster://127.0.0.1:{}", cluster.nodes[0].port());
        let config = RedisConfig::from_url(&url).unwrap();
        let backend = ConnectionManager::from_config_strict(config).await.unwrap().backend();
        cluster.nodes[2].stop();
        let keys = ["a", "b", "c", "d", "e", "f"];
        let began = std::time::Instant::now();
        let answers = backend.get_many(&keys).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        for error in answers.into_iter().filter_map(Result::err) {
            assert!(
                matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout),
                "{error}"
            );
        }
    });
}
