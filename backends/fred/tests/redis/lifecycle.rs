//! What is left when a connection ends.

use fred::{interfaces::ClientLike, prelude::Builder};
use larder::{CacheBackend, ErrorKind};
use larder_fred::{ConnectionManager, fred};
use testkit::{RedisCluster, RedisServer};

use crate::support::{block_on, clients, config, eventually};

async fn connected(server: &RedisServer) -> ConnectionManager {
    ConnectionManager::from_config_strict(config(server, true))
        .await
        .unwrap()
}

#[test]
fn closing_ends_the_connection_for_every_clone() {
    let server = RedisServer::start();
    block_on(async {
        let manager = connected(&server).await;
        let backend = manager.backend();
        eventually("the connection is the only one", || clients(&server) == 1);
        manager.clone().close().await;
        eventually("the connection is gone", || clients(&server) == 0);
        for error in [
            backend.get("k").await.map(|_| ()).unwrap_err(),
            backend.get_many(&["k"]).await.remove(0).map(|_| ()).unwrap_err(),
            manager.ping().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Connection);
            assert_eq!(error.message(), "the connection manager was closed");
        }
        manager.close().await;
    });
}

#[test]
fn closing_leaves_no_task_behind() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tasks = || runtime.metrics().num_alive_tasks();
    runtime.block_on(async {
        let manager = connected(&server).await;
        assert_eq!(tasks(), 1);
        manager.close().await;
    });
    // The count lags behind the end that was waited for.
    eventually("the task is gone", || tasks() == 0);
}

#[test]
fn closing_waits_for_the_server_and_not_for_the_deadline() {
    let server = RedisServer::start();
    block_on(async {
        let manager = connected(&server).await;
        let began = std::time::Instant::now();
        manager.close().await;
        // The deadline is five seconds.
        assert!(
            began.elapsed() < std::time::Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    });
}

#[test]
fn everyone_who_closes_waits_for_the_end() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tasks = || runtime.metrics().num_alive_tasks();
    let manager = runtime.block_on(async {
        let config = config(&server, true).with_deadline(std::time::Duration::from_millis(300));
        ConnectionManager::from_config_strict(config).await.unwrap()
    });
    server.command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
    // An answer that is under way is waited for.
    let backend = manager.backend();
    assert!(block_on(async { futures::poll!(std::pin::pin!(backend.get("k"))) }).is_pending());
    // The first is neither polled again nor dropped, and the second gives up; that holds up nobody.
    let mut first = std::pin::pin!(manager.close());
    assert!(block_on(async { futures::poll!(&mut first) }).is_pending());
    assert!(block_on(async { futures::poll!(std::pin::pin!(manager.close())) }).is_pending());
    let clone = manager.clone();
    block_on(async { futures::join!(manager.close(), clone.close()) });
    eventually("the tasks are gone", || tasks() == 0);
    block_on(first);
}

#[test]
fn closing_while_the_server_is_away_is_bounded_and_leaves_no_task() {
    let mut server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = config(&server, true).with_deadline(std::time::Duration::from_millis(100));
        let manager = ConnectionManager::from_config_strict(config).await.unwrap();
        server.stop();
        let began = std::time::Instant::now();
        manager.close().await;
        assert!(
            began.elapsed() < std::time::Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    });
    eventually("the task is gone", || runtime.metrics().num_alive_tasks() == 0);
}

#[test]
fn dropping_the_last_handle_leaves_neither_connection_nor_task() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for _ in 0..10 {
        let backend = runtime.block_on(async { connected(&server).await.backend() });
        runtime.block_on(backend.get("k")).unwrap();
        drop(backend);
    }
    for _ in 0..10 {
        let backend = block_on(async { connected(&server).await.backend() });
        block_on(backend.get("k")).unwrap();
        drop(backend);
    }
    eventually("the connections are gone", || clients(&server) == 0);
    eventually("the tasks are gone", || runtime.metrics().num_alive_tasks() == 0);
}

#[test]
fn connecting_that_is_given_up_leaves_nothing_behind() {
    let server = RedisServer::start();
    server.command::<()>(&["CLIENT", "PAUSE", "300", "ALL"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connecting = connected(&server);
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(50), connecting).await;
        assert!(given_up.is_err());
    });
    eventually("the connection is gone", || clients(&server) == 0);
    eventually("the task is gone", || runtime.metrics().num_alive_tasks() == 0);
}

#[test]
fn a_client_of_the_users_is_used_and_never_ended() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = fred::types::config::Config::from_url(&server.url()).unwrap();
        let client = Builder::from_config(config).build().unwrap();
        client.init().await.unwrap();

        let manager = ConnectionManager::from_client(client.clone()).unwrap();
        crate::support::round_trip(&manager.backend(), "k").await;
        manager.close().await;
        assert_eq!(manager.ping().await.unwrap_err().kind(), ErrorKind::Connection);
        drop(manager);
        client.ping::<()>(None).await.unwrap();
        client.quit().await.unwrap();
    });
}

#[test]
fn a_client_of_the_users_on_a_cluster_is_used_and_a_slot_that_moves_is_followed() {
    let cluster = RedisCluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = fred::types::config::Config::from_url(&cluster.url()).unwrap();
        let client = Builder::from_config(config).build().unwrap();
        client.init().await.unwrap();
        let manager = ConnectionManager::from_client(client.clone()).unwrap();
        let backend = manager.backend();
        crate::support::round_trip(&backend, "k").await;
        let (from, slot) = (cluster.home_of("k"), cluster.slot_of("k"));
        let to = (from + 1) % 3;
        cluster.begin_move(slot, from, to);
        assert_eq!(cluster.move_keys(slot, from, to, 10), 1);
        crate::support::round_trip(&backend, "k").await;
        cluster.end_move(slot, to);
        crate::support::round_trip(&backend, "k").await;
        manager.close().await;
        client.ping::<()>(None).await.unwrap();
        client.quit().await.unwrap();
    });
    eventually("the tasks are gone", || runtime.metrics().num_alive_tasks() == 0);
}
