//! What is left when a connection ends.

use fred::{interfaces::ClientLike, prelude::Builder};
use larder::{CacheBackend, ErrorKind};
use larder_fred::{ConnectionManager, fred};
use testkit::RedisServer;

use crate::support::{block_on, clients, config, eventually};

async fn connected(server: &RedisServer) -> ConnectionManager {
    ConnectionManager::from_config_strict(config(server, true))
        .await
        .unwrap()
}

#[test]
fn closing_ends_the_connection_for_every_clone() {
    let server = RedisServer::start();
    let before = clients(&server);
    block_on(async {
        let manager = connected(&server).await;
        let backend = manager.backend();
        assert_eq!(clients(&server), before + 1);
        manager.clone().close().await;
        eventually("the connection is gone", || clients(&server) == before);
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
    let before = clients(&server);
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
    eventually("the connections are gone", || clients(&server) == before);
    eventually("the tasks are gone", || runtime.metrics().num_alive_tasks() == 0);
}

#[test]
fn connecting_that_is_given_up_leaves_nothing_behind() {
    let server = RedisServer::start();
    let before = clients(&server);
    server.command::<()>(&["CLIENT", "PAUSE", "300", "ALL"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connecting = connected(&server);
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(50), connecting).await;
        assert!(given_up.is_err());
    });
    eventually("the connection is gone", || clients(&server) == before);
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
