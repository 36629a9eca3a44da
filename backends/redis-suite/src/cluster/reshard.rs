//! A slot that moves from one primary to another while it is in use.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use larder::{Cache, CacheBackend, Condition, Error, ErrorKind, Expiry, Outcome, SetItem, SetOptions};
use testkit::RedisCluster;

use crate::{
    Client, Settings,
    hold::hold,
    support::{block_on, bytes, eventually, forever, listed, runtime, starts_with},
};

/// Keys of one slot.
fn keys() -> Vec<String> {
    (0..20).map(|i| format!("{{slot}}{i}")).collect()
}

/// Makes every call there is on keys of the slot, and holds that each is answered as if nothing moved.
async fn everything<B: CacheBackend + Clone + 'static>(backend: &B, stage: &str) {
    let keys = keys();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for (key, found) in keys.iter().zip(backend.get_many(&keys).await) {
        let found = found.unwrap_or_else(|error| panic!("{stage}: {error}"));
        assert_eq!(found.unwrap().bytes(), key, "{stage}");
    }
    for key in &keys {
        assert_eq!(bytes(backend.get(key).await).unwrap(), *key, "{stage}");
        assert_eq!(
            backend.head(key, 6).await.unwrap().unwrap().bytes(),
            "{slot}",
            "{stage}"
        );
        let kept = SetOptions::new(Expiry::Keep).with_condition(starts_with("{slot}"));
        let value = Bytes::from((*key).to_owned());
        assert_eq!(backend.set(key, value, kept).await.unwrap(), Outcome::Done, "{stage}");
    }
    let items = |names: &[&str]| -> Vec<SetItem> {
        names
            .iter()
            .map(|key| SetItem::new((*key).to_owned(), (*key).to_owned(), forever()))
            .collect()
    };
    for written in backend.set_many(items(&keys)).await {
        assert_eq!(written.unwrap(), Outcome::Done, "{stage}");
    }
    let removed = &keys[5..8];
    for removed in backend.delete_many(removed).await {
        assert_eq!(removed.unwrap(), Outcome::Done, "{stage}");
    }
    for found in backend.get_many(removed).await {
        assert!(found.unwrap().is_none(), "{stage}");
    }
    for written in backend.set_many(items(removed)).await {
        assert_eq!(written.unwrap(), Outcome::Done, "{stage}");
    }
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(listed(backend, "{slot}*").await, sorted, "{stage}");

    // The load's fence is a conditional write on the same slot.
    let cache = Cache::builder(backend.clone()).prefix("{slot}cache").build().unwrap();
    for round in 0..3 {
        let loaded = cache.remember("k", "1h", async || Ok::<_, Error>(round)).await.unwrap();
        assert_eq!(loaded, round, "{stage}");
        assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(round), "{stage}");
        assert!(cache.delete("k").await.unwrap(), "{stage}");
    }
}

pub(crate) fn cluster_a_slot_that_moves_is_followed_by_every_call<C: Client>() {
    let cluster = RedisCluster::start();
    for resp3 in [true, false] {
        block_on(async {
            let client = C::connect_strict(Settings::new(cluster.url()).with_resp3(resp3))
                .await
                .unwrap();
            let backend = client.backend();
            for key in &keys() {
                let value = Bytes::from(key.clone());
                backend.set(key, value, forever()).await.unwrap();
            }
            let slot = cluster.slot_of("{slot}");
            let (mut from, mut to) = (cluster.home_of("{slot}"), (cluster.home_of("{slot}") + 1) % 3);
            // There and back, so that the next protocol finds it where it was.
            for _ in 0..2 {
                everything(&backend, "before the move").await;
                cluster.begin_move(slot, from, to);
                everything(&backend, "as the move begins").await;
                assert_eq!(cluster.move_keys(slot, from, to, 10), 10);
                everything(&backend, "in the middle of the move").await;
                while cluster.move_keys(slot, from, to, 100) > 0 {}
                everything(&backend, "with all keys moved").await;
                cluster.end_move(slot, to);
                everything(&backend, "after the move").await;
                std::mem::swap(&mut from, &mut to);
            }
            for key in &keys() {
                backend.delete(key, Condition::Always).await.unwrap();
            }
        });
    }
}

const WRITERS: usize = 20;

pub(crate) fn cluster_a_slot_that_moves_under_load_loses_no_write<C: Client>() {
    let cluster = RedisCluster::start();
    runtime(2).block_on(async {
        let client = C::connect_strict(Settings::new(cluster.url())).await.unwrap();
        let slot = cluster.slot_of("{slot}");
        // Once around. At a node that takes the slot in twice, a write that was sent there the first time and came late
        // would count the second time: the protocol can not tell.
        let home = cluster.home_of("{slot}");
        let ring = [home, (home + 1) % 3, (home + 2) % 3, home];
        let (over, writes) = (AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
        let load = async |number: usize| {
            let backend = client.backend();
            let key = format!("{{slot}}{number}");
            while !over.load(Ordering::Relaxed) {
                let value = Bytes::from(writes.fetch_add(1, Ordering::Relaxed).to_string());
                backend.set(&key, value.clone(), forever()).await.unwrap();
                assert_eq!(bytes(backend.get(&key).await).unwrap(), value, "a write is lost");
            }
        };
        let moves = async {
            let written = Arc::clone(&writes);
            let moving = tokio::task::spawn_blocking(move || {
                // Every stage of a move is seen by some of the load.
                let under_load = || {
                    let before = written.load(Ordering::Relaxed);
                    eventually("the load goes on", || {
                        written.load(Ordering::Relaxed) >= before + 2 * WRITERS
                    });
                };
                for step in ring.windows(2) {
                    cluster.begin_move(slot, step[0], step[1]);
                    under_load();
                    while cluster.move_keys(slot, step[0], step[1], 3) > 0 {
                        under_load();
                    }
                    cluster.end_move(slot, step[1]);
                    under_load();
                }
                cluster
            });
            let cluster = moving.await.unwrap();
            over.store(true, Ordering::Relaxed);
            cluster
        };
        let (_cluster, _) = futures::join!(moves, futures::future::join_all((0..WRITERS).map(load)));
        println!(
            "{} writes while the slot moved three times",
            writes.load(Ordering::Relaxed)
        );
    });
}

const LIMIT: usize = 10;

pub(crate) fn cluster_calls_that_are_sent_on_count_as_in_flight<C: Client>() {
    let cluster = RedisCluster::start();
    runtime(2).block_on(async {
        let settings = Settings::new(cluster.url()).with_max_in_flight(LIMIT);
        let backend = C::connect_strict(settings).await.unwrap().backend();
        let (slot, from) = (cluster.slot_of("{slot}"), cluster.home_of("{slot}"));
        let to = (from + 1) % 3;
        cluster.begin_move(slot, from, to);
        // The first one connects to where it is sent on to.
        assert!(backend.get("{slot}").await.unwrap().is_none());
        cluster.nodes()[from].command::<()>(&["CONFIG", "RESETSTAT"]);
        cluster.nodes()[to].command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
        let sent_on: Vec<_> = (0..LIMIT)
            .map(|i| {
                let backend = backend.clone();
                tokio::spawn(async move { backend.get(&format!("{{slot}}{i}")).await })
            })
            .collect();
        let all = format!("rejected_calls={LIMIT},");
        eventually("the first node has sent them on", || {
            let stats: String = cluster.nodes()[from].command(&["INFO", "commandstats"]);
            stats
                .lines()
                .any(|line| line.starts_with("cmdstat_get") && line.contains(&all))
        });
        for _ in 0..200 {
            let error = backend.get("{slot}").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for call in sent_on {
            assert_eq!(call.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
        }
    });
}

pub(crate) fn cluster_conformance<C: Client>() {
    let cluster = RedisCluster::start();
    block_on(async {
        let client = C::connect_strict(Settings::new(cluster.url())).await.unwrap();
        hold(client.backend(), cluster.primaries(), |key| cluster.home_of(key)).await;
    });
}
