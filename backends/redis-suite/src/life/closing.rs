//! What is left when a connection ends.

use larder::{CacheBackend, ErrorKind};
use testkit::RedisServer;

use crate::{
    Client,
    support::{block_on, clients, config, eventually},
};

async fn connected<C: Client>(server: &RedisServer) -> C {
    C::from_config_strict(config(server, true)).await.unwrap()
}

pub(crate) fn closing_ends_the_connection_for_every_clone<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let manager = connected::<C>(&server).await;
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

pub(crate) fn closing_leaves_no_task_behind<C: Client>() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tasks = || runtime.metrics().num_alive_tasks();
    runtime.block_on(async {
        let manager = connected::<C>(&server).await;
        assert_eq!(tasks(), 1);
        manager.close().await;
    });
    // The count lags behind the end that was waited for.
    eventually("the task is gone", || tasks() == 0);
}

pub(crate) fn closing_waits_for_the_server_and_not_for_the_deadline<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let manager = connected::<C>(&server).await;
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

pub(crate) fn everyone_who_closes_waits_for_the_end<C: Client>() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tasks = || runtime.metrics().num_alive_tasks();
    let manager = runtime.block_on(async {
        let config = config(&server, true).with_deadline(std::time::Duration::from_millis(300));
        C::from_config_strict(config).await.unwrap()
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

pub(crate) fn closing_that_is_given_up_ends_the_connection_all_the_same<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let config = config(&server, true).with_deadline(std::time::Duration::from_millis(300));
        let manager = C::from_config_strict(config).await.unwrap();
        let backend = manager.backend();
        server.command::<()>(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        // What is under way is waited for, and so the first poll does not end it.
        let mut write = std::pin::pin!(backend.set("k", "v".into(), crate::support::forever()));
        assert!(futures::poll!(&mut write).is_pending());
        assert!(futures::poll!(std::pin::pin!(manager.close())).is_pending());
        eventually("the connection is gone", || clients(&server) == 0);
        assert!(write.await.unwrap_err().is_unavailable());
    });
}

pub(crate) fn closing_while_the_server_is_away_is_bounded_and_leaves_no_task<C: Client>() {
    let mut server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = config(&server, true).with_deadline(std::time::Duration::from_millis(100));
        let manager = C::from_config_strict(config).await.unwrap();
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

pub(crate) fn dropping_the_last_handle_leaves_neither_connection_nor_task<C: Client>() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for _ in 0..10 {
        let backend = runtime.block_on(async { connected::<C>(&server).await.backend() });
        runtime.block_on(backend.get("k")).unwrap();
        drop(backend);
    }
    for _ in 0..10 {
        let backend = block_on(async { connected::<C>(&server).await.backend() });
        block_on(backend.get("k")).unwrap();
        drop(backend);
    }
    eventually("the connections are gone", || clients(&server) == 0);
    eventually("the tasks are gone", || runtime.metrics().num_alive_tasks() == 0);
}

pub(crate) fn connecting_that_is_given_up_leaves_nothing_behind<C: Client>() {
    let server = RedisServer::start();
    server.command::<()>(&["CLIENT", "PAUSE", "300", "ALL"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connecting = connected::<C>(&server);
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(50), connecting).await;
        assert!(given_up.is_err());
    });
    eventually("the connection is gone", || clients(&server) == 0);
    eventually("the task is gone", || runtime.metrics().num_alive_tasks() == 0);
}
