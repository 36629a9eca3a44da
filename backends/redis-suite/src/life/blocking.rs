//! Blocking calls, on every kind of thread there is.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use larder::{BlockingCache, Cache, CacheBackend, ErrorKind, LoadError};
use larder_redis_common::RedisConfig;
use testkit::RedisServer;

use crate::{
    Client,
    support::{config, config_of, eventually, runtime},
};

fn own_thread(server: &RedisServer) -> RedisConfig {
    config(server, true).with_shared_runtime(false)
}

fn cache<C: Client>(manager: &C) -> BlockingCache<C::Backend> {
    Cache::builder(manager.backend())
        .prefix("test")
        .build()
        .unwrap()
        .blocking()
}

/// Every kind of wait: a command, a batch, a script, a scan, and a load that waits inside a load.
fn round<B: CacheBackend + 'static>(cache: &BlockingCache<B>) {
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

pub(crate) fn plain_threads_connect_and_call_without_a_runtime<C: Client>() {
    let server = RedisServer::start();
    let manager = C::from_config_strict_blocking(own_thread(&server)).unwrap();
    manager.ping_blocking().unwrap();
    round(&cache(&manager));
    manager.close_blocking();
    assert_eq!(manager.ping_blocking().unwrap_err().kind(), ErrorKind::Connection);
}

pub(crate) fn a_current_thread_tokio_is_blocked_by_calls_that_end<C: Client>() {
    within_a_minute(|| {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let connected = C::from_config_strict(own_thread(&server)).await.unwrap();
            round(&cache(&connected));
            let blocking = C::from_config_strict_blocking(own_thread(&server)).unwrap();
            round(&cache(&blocking));
            blocking.close_blocking();
        });
    });
}

pub(crate) fn the_only_worker_of_a_tokio_is_blocked_by_calls_that_end<C: Client>() {
    within_a_minute(|| {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let config = own_thread(&server);
        let on_the_worker = runtime.spawn(async move {
            let connected = C::from_config_strict(config.clone()).await.unwrap();
            // Its turn used up, a task gets nothing of tokio's until it yields, which it does not.
            for _ in 0..1_000 {
                let _ = futures::poll!(std::pin::pin!(tokio::task::consume_budget()));
            }
            round(&cache(&connected));
            let blocking = C::from_config_blocking(config).unwrap();
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

pub(crate) fn the_only_thread_of_smol_is_blocked_by_calls_that_end<C: Client>() {
    within_a_minute(|| {
        let server = RedisServer::start();
        let executor = smol::LocalExecutor::new();
        smol::block_on(executor.run(executor.spawn(async {
            let manager = C::from_config_strict(own_thread(&server)).await.unwrap();
            round(&cache(&manager));
        })));
    });
}

pub(crate) fn a_deadline_ends_a_blocking_call_on_the_only_thread_of_a_runtime<C: Client>() {
    within_a_minute(|| {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let config = own_thread(&server).with_deadline(Duration::from_millis(100));
        let answer = runtime.spawn(async move {
            let manager = C::from_config_strict(config).await.unwrap();
            server.command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
            cache(&manager).get::<u8>("key").unwrap_err().kind()
        });
        assert_eq!(runtime.block_on(answer).unwrap(), ErrorKind::Timeout);
    });
}

pub(crate) fn blocking_connects_tell_a_server_that_is_away_from_a_wrong_password<C: Client>() {
    let url = format!("redis://127.0.0.1:{}", RedisServer::reserve_port());
    let away = C::from_config_strict_blocking(config_of(&url)).unwrap_err();
    assert_eq!(
        (away.kind(), away.operation()),
        (ErrorKind::Connection, Some("connect"))
    );
    let manager = C::from_config_blocking(config_of(&url)).unwrap();
    assert_eq!(manager.ping_blocking().unwrap_err().kind(), ErrorKind::Connection);

    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    let wrong = format!("redis://:wrong@127.0.0.1:{}", server.port());
    assert_eq!(
        C::from_config_blocking(config_of(&wrong)).unwrap_err().kind(),
        ErrorKind::Server
    );
}

pub(crate) fn a_blocking_manager_leaves_no_connection_behind<C: Client>() {
    let server = RedisServer::start();
    for _ in 0..3 {
        let manager = C::from_config_strict_blocking(own_thread(&server)).unwrap();
        round(&cache(&manager));
    }
    eventually("the connections are gone", || crate::support::clients(&server) == 0);
}

pub(crate) fn a_large_batch_of_a_tokio_task_that_blocks_takes_more_than_a_tasks_turn<C: Client>() {
    let server = RedisServer::start();
    let manager = C::from_config_strict_blocking(own_thread(&server)).unwrap();
    let cache = cache(&manager);
    within_a_minute(move || {
        let (began, keys) = (Instant::now(), || (0..1_000).map(|key| key.to_string()));
        let batches = async move {
            cache.set_many(keys().map(|key| (key, 1)), "1h").unwrap();
            assert_eq!(cache.get_many::<u8>(keys()).unwrap().len(), 1_000);
            assert_eq!(cache.delete_many(keys()).unwrap(), 1_000);
        };
        let runtime = runtime(1);
        runtime.block_on(runtime.spawn(batches)).unwrap();
        // Answers that wait for the task's next turn come when the deadline wakes it.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}
