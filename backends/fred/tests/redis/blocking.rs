//! Blocking calls, on every kind of thread there is.

use std::{sync::mpsc, thread, time::Duration};

use larder::{BlockingCache, Cache, ErrorKind, LoadError};
use larder_fred::{ConnectionManager, FredBackend, RedisConfig};
use testkit::RedisServer;

use crate::support::{config, eventually};

fn own_thread(server: &RedisServer) -> RedisConfig {
    config(server, true).with_shared_runtime(false)
}

fn cache(manager: &ConnectionManager) -> BlockingCache<FredBackend> {
    Cache::builder(manager.backend())
        .prefix("test")
        .build()
        .unwrap()
        .blocking()
}

/// Every kind of wait: a command, a batch, a script, a scan, and a load that waits inside a load.
fn round(cache: &BlockingCache<FredBackend>) {
    cache.clear().unwrap();
    cache.set("a", &1, "1m").unwrap();
    assert_eq!(cache.get("a").unwrap(), Some(1));
    cache.set_many([("b", 2), ("c", 3)], "1m").unwrap();
    assert_eq!(cache.get_many::<i32>(["a", "b", "c"]).unwrap().len(), 3);
    assert!(cache.expire("a", "2m").unwrap());
    let outer = cache.remember("outer", "1m", || {
        let inner: u8 = cache.remember("inner", "1m", || Ok::<_, String>(1))?;
        Ok::<_, LoadError<String>>(inner + 1)
    });
    assert_eq!(outer.unwrap(), 2);
    let mut keys: Vec<String> = cache.keys("*").collect::<Result<_, _>>().unwrap();
    keys.sort();
    assert_eq!(keys, ["a", "b", "c", "inner", "outer"]);
    assert_eq!(cache.delete_pattern("?").unwrap(), 3);
}

/// Fails a test that blocks for ever, instead of the run.
fn within_a_minute(test: impl FnOnce() + Send + 'static) {
    let (sender, done) = mpsc::channel();
    let running = thread::spawn(move || {
        test();
        let _ = sender.send(());
    });
    match done.recv_timeout(Duration::from_mins(1)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the calls block for ever"),
        _ => running.join().unwrap(),
    }
}

#[test]
fn plain_threads_connect_and_call_without_a_runtime() {
    let server = RedisServer::start();
    let manager = ConnectionManager::from_config_strict_blocking(own_thread(&server)).unwrap();
    manager.ping_blocking().unwrap();
    round(&cache(&manager));
    manager.close_blocking();
    assert_eq!(manager.ping_blocking().unwrap_err().kind(), ErrorKind::Connection);
}

#[test]
fn a_current_thread_tokio_is_blocked_by_calls_that_end() {
    within_a_minute(|| {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let connected = ConnectionManager::from_config_strict(own_thread(&server))
                .await
                .unwrap();
            round(&cache(&connected));
            let blocking = ConnectionManager::from_config_strict_blocking(own_thread(&server)).unwrap();
            round(&cache(&blocking));
            blocking.close_blocking();
        });
    });
}

#[test]
fn the_only_worker_of_a_tokio_is_blocked_by_calls_that_end() {
    within_a_minute(|| {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let config = own_thread(&server);
        let on_the_worker = runtime.spawn(async move {
            let connected = ConnectionManager::from_config_strict(config.clone()).await.unwrap();
            // Its turn used up, a task gets nothing of tokio's until it yields, which it does not.
            for _ in 0..1_000 {
                let _ = futures::poll!(std::pin::pin!(tokio::task::consume_budget()));
            }
            round(&cache(&connected));
            let blocking = ConnectionManager::from_config_blocking(config).unwrap();
            blocking.ping_blocking().unwrap();
            round(&cache(&blocking));
            blocking.close_blocking();
            connected
        });
        let manager = runtime.block_on(on_the_worker).unwrap();
        let pooled = runtime.spawn_blocking(move || round(&cache(&manager)));
        runtime.block_on(pooled).unwrap();
    });
}

#[test]
fn the_only_thread_of_smol_is_blocked_by_calls_that_end() {
    within_a_minute(|| {
        let server = RedisServer::start();
        let executor = smol::LocalExecutor::new();
        smol::block_on(executor.run(executor.spawn(async {
            let manager = ConnectionManager::from_config_strict(own_thread(&server))
                .await
                .unwrap();
            round(&cache(&manager));
        })));
    });
}

#[test]
fn a_deadline_ends_a_blocking_call_on_the_only_thread_of_a_runtime() {
    within_a_minute(|| {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let config = own_thread(&server).with_deadline(Duration::from_millis(100));
        let answer = runtime.spawn(async move {
            let manager = ConnectionManager::from_config_strict(config).await.unwrap();
            server.command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
            cache(&manager).get::<u8>("key").unwrap_err().kind()
        });
        assert_eq!(runtime.block_on(answer).unwrap(), ErrorKind::Timeout);
    });
}

#[test]
fn blocking_connects_tell_a_server_that_is_away_from_a_wrong_password() {
    let url = format!("redis://127.0.0.1:{}", RedisServer::reserve_port());
    let away = ConnectionManager::connect_strict_blocking(&url).unwrap_err();
    assert_eq!(
        (away.kind(), away.operation()),
        (ErrorKind::Connection, Some("connect"))
    );
    let manager = ConnectionManager::connect_blocking(&url).unwrap();
    assert_eq!(manager.ping_blocking().unwrap_err().kind(), ErrorKind::Connection);

    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    let wrong = format!("redis://:wrong@127.0.0.1:{}", server.port());
    assert_eq!(
        ConnectionManager::connect_blocking(&wrong).unwrap_err().kind(),
        ErrorKind::Server
    );
    let wrong = ConnectionManager::connect_blocking("http://localhost").unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_blocking_manager_leaves_no_connection_behind() {
    let server = RedisServer::start();
    for _ in 0..3 {
        let manager = ConnectionManager::from_config_strict_blocking(own_thread(&server)).unwrap();
        round(&cache(&manager));
    }
    eventually("the connections are gone", || crate::support::clients(&server) == 0);
}
