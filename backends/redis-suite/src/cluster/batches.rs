//! What goes to several nodes at once.

use std::time::{Duration, Instant};

use bytes::Bytes;
use larder::{CacheBackend, ErrorKind, Expiry, Outcome, SetItem, SetOptions};
use testkit::RedisCluster;

use crate::{
    Client, Settings,
    scripted::{Answer, Scripted},
    support::{block_on, bytes, forever, listed, starts_with, within},
};

async fn backend<C: Client>(cluster: &RedisCluster, resp3: bool) -> C::Backend {
    let settings = Settings::new(cluster.url()).with_resp3(resp3);
    C::connect_strict(settings).await.unwrap().backend()
}

pub(crate) fn cluster_batches_and_scans_reach_every_node<C: Client>() {
    let cluster = RedisCluster::start();
    for resp3 in [true, false] {
        block_on(async {
            let backend = backend::<C>(&cluster, resp3).await;
            let mut names: Vec<String> = (0..300).map(|i| format!("k{i}")).collect();
            let items = names
                .iter()
                .map(|name| SetItem::new(name.clone(), name.clone(), forever()));
            for written in backend.set_many(items.collect()).await {
                assert_eq!(written.unwrap(), Outcome::Done);
            }
            for node in cluster.nodes() {
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

pub(crate) fn cluster_scripts_are_taught_to_the_node_that_holds_the_key<C: Client>() {
    let cluster = RedisCluster::start();
    block_on(async {
        let backend = backend::<C>(&cluster, true).await;
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

pub(crate) fn cluster_a_cluster_that_lost_a_node_fails_bounded<C: Client>() {
    let mut cluster = RedisCluster::start();
    block_on(async {
        let backend = C::connect_strict(Settings::new(cluster.url()).with_deadline(Duration::from_millis(250)));
        let backend = backend.await.unwrap().backend();
        cluster.kill(2);
        let keys = ["a", "b", "c", "d", "e", "f"];
        let began = Instant::now();
        let answers = backend.get_many(&keys).await;
        within(Duration::from_secs(2), began);
        for error in answers.into_iter().filter_map(Result::err) {
            assert!(
                matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout),
                "{error}"
            );
        }
    });
}

pub(crate) fn cluster_writes_of_one_key_are_applied_in_their_order_while_a_node_is_being_connected_to<C: Client>() {
    let new = Scripted::start(|_, _| Answer::Greet);
    let to = new.port();
    let old = Scripted::start(move |command, port| match command.split(' ').next() {
        Some("CLUSTER") if command.ends_with("INFO") => Answer::Say("$16\r\ncluster_state:ok\r\n".to_owned()),
        Some("CLUSTER") => Answer::Say(format!(
            "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$9\r\n127.0.0.1\r\n:{port}\r\n$2\r\nid\r\n*0\r\n"
        )),
        Some("SET") => Answer::Say(format!("-MOVED 1 127.0.0.1:{to}\r\n")),
        _ => Answer::Greet,
    });
    block_on(async {
        let url = format!("redis-cluster://127.0.0.1:{}", old.port());
        let backend = C::connect_strict(Settings::new(url)).await.unwrap().backend();
        let items = (0..200).map(|i| SetItem::new("k", i.to_string(), forever()));
        for written in backend.set_many(items.collect()).await {
            assert_eq!(written.unwrap(), Outcome::Done);
        }
        let expected: Vec<String> = (0..200).map(|i| format!("SET k {i}")).collect();
        assert_eq!(new.heard("SET"), expected);
    });
}
