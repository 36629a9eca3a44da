//! What a client of a cluster starts with and leaves behind.

use std::time::Duration;

use bytes::Bytes;
use larder::CacheBackend;
use testkit::RedisCluster;

use crate::{
    Client, Settings,
    measure::{alone, memory, threads},
    support::{block_on, brief, bytes, clients, eventually, eventually_async, forever, runtime},
};

/// A key at each primary.
fn keys(cluster: &RedisCluster) -> [String; 3] {
    [0, 1, 2].map(|home| cluster.key_at(home))
}

async fn use_all(backend: &impl CacheBackend, keys: &[String]) {
    for key in keys {
        backend.set(key, Bytes::from(key.clone()), forever()).await.unwrap();
        assert_eq!(bytes(backend.get(key).await).unwrap(), key);
    }
}

pub(crate) fn cluster_a_client_that_ends_leaves_no_task_and_no_connection<C: Client>() {
    let cluster = RedisCluster::start();
    let keys = keys(&cluster);
    let before: usize = cluster.nodes().iter().map(clients).sum();
    let connections = || cluster.nodes().iter().map(clients).sum::<usize>();
    let runtime = runtime(2);
    for closed in [true, false] {
        runtime.block_on(async {
            let client = C::connect_strict(Settings::new(cluster.url())).await.unwrap();
            use_all(&client.backend(), &keys).await;
            assert!(connections() > before);
            if closed {
                client.close().await;
                assert!(client.backend().get("k").await.is_err());
            }
        });
        // A runtime of the client's own ends with it.
        block_on(async {
            let client = C::connect_strict(Settings::new(cluster.url())).await.unwrap();
            use_all(&client.backend(), &keys).await;
            if closed {
                client.close().await;
            }
        });
        eventually("the tasks are gone", || runtime.metrics().num_alive_tasks() == 0);
        eventually("the connections are gone", || connections() <= before);
    }
}

/// How many clients come and go, of which the first few fill the pools of whatever keeps some.
const CLIENTS: usize = 40;
const FIRST: usize = 10;

/// How much memory the others may take together.
const MEMORY: u64 = 4 << 20;

pub(crate) fn cluster_clients_that_come_and_go_leave_no_thread_and_no_memory<C: Client>() {
    alone(|| {
        let cluster = RedisCluster::start();
        let keys = keys(&cluster);
        let come_and_go = |clients: usize| {
            for _ in 0..clients {
                block_on(async {
                    let client = C::connect_strict(Settings::new(cluster.url())).await.unwrap();
                    use_all(&client.backend(), &keys).await;
                });
            }
        };
        let quiet = threads();
        come_and_go(1);
        // The timer of the tests has a thread that stays.
        eventually("the first client's threads are gone", || {
            threads() <= quiet.map(|threads| threads + 1)
        });
        come_and_go(FIRST);
        let before = memory();
        come_and_go(CLIENTS);
        let most = quiet.map(|threads| threads + 1);
        eventually("the threads are gone", || threads() <= most);
        if let (Some(before), Some(after)) = (before, memory()) {
            println!("memory: {before} bytes after {FIRST} clients, {after} after {CLIENTS} more");
            assert!(after.saturating_sub(before) < MEMORY, "{before} and then {after}");
        }
    });
}

pub(crate) fn cluster_a_client_dropped_while_a_node_is_away_leaves_no_task<C: Client>() {
    let cluster = RedisCluster::start();
    let keys = keys(&cluster);
    let runtime = runtime(2);
    runtime.block_on(async {
        let client: C = brief(cluster.url()).await;
        let backend = client.backend();
        use_all(&backend, &keys).await;
        cluster.nodes()[1].freeze();
        for _ in 0..3 {
            assert!(backend.get(&keys[1]).await.unwrap_err().is_unavailable());
        }
        for healthy in [&keys[0], &keys[2]] {
            assert_eq!(bytes(backend.get(healthy).await).unwrap(), healthy);
        }
    });
    eventually("the tasks are gone", || runtime.metrics().num_alive_tasks() == 0);
    cluster.nodes()[1].thaw();
}

pub(crate) fn cluster_a_node_that_is_away_at_the_start_takes_only_its_own_keys_with_it<C: Client>() {
    let mut cluster = RedisCluster::start();
    let keys = keys(&cluster);
    cluster.kill(1);
    runtime(2).block_on(async {
        let settings = Settings::new(cluster.url()).with_connect_timeout(Duration::from_millis(500));
        let client = C::connect(settings.with_deadline(Duration::from_millis(250)))
            .await
            .unwrap();
        let backend = client.backend();
        eventually_async("the healthy nodes serve", async || {
            backend.get(&keys[0]).await.is_ok() && backend.get(&keys[2]).await.is_ok()
        })
        .await;
        assert!(backend.get(&keys[1]).await.unwrap_err().is_unavailable());
        client.ping().await.unwrap();
        let up = tokio::task::spawn_blocking(move || {
            cluster.restart(1);
            cluster
        });
        let _cluster = up.await.unwrap();
        eventually_async("the last node is found", async || backend.get(&keys[1]).await.is_ok()).await;
        use_all(&backend, &keys).await;
    });
}
