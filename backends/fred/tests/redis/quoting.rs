//! Servers that change what they know, in RESP2, in which fred drops what it can not read.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fred::{interfaces::ClientLike, prelude::Builder};
use larder::{CacheBackend, ErrorKind};
use larder_fred::{ConnectionManager, RedisConfig, fred};
use testkit::RedisServer;

use crate::support::{block_on, config, eventually, eventually_async, minutes};

const WITHOUT_SET: [&str; 3] = ["--rename-command", "SET", ""];

/// Tells how often a server was asked whether it knows GET.
fn asked(server: &RedisServer) -> usize {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let of_get = stats.lines().find_map(|line| line.strip_prefix("cmdstat_get:"));
    let rejected = of_get.and_then(|stats| stats.split("rejected_calls=").nth(1));
    let count = rejected.and_then(|rest| rest.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}

async fn sets_fail_and_move_no_answer(backend: &impl CacheBackend) {
    for _ in 0..10 {
        let bytes = Bytes::from_static(&[0xff]);
        let error = backend.set("k", bytes, minutes(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        for (key, value) in [("a", "1"), ("b", "2")] {
            assert_eq!(backend.get(key).await.unwrap().unwrap().bytes(), value);
        }
    }
}

#[test]
fn a_server_that_comes_back_without_a_command_is_asked_again() {
    let mut server = RedisServer::start();
    block_on(async {
        let manager = ConnectionManager::from_config_strict(config(&server, false))
            .await
            .unwrap();
        let backend = manager.backend();
        backend.set("k", Bytes::from_static(&[0xff]), minutes(1)).await.unwrap();
        assert_eq!(asked(&server), 1);

        server.restart_with(&WITHOUT_SET);
        server.command::<()>(&["MSET", "a", "1", "b", "2"]);
        eventually("the server is asked", || asked(&server) == 1);
        // Answered behind what was asked.
        for _ in 0..2 {
            manager.ping().await.unwrap();
        }
        sets_fail_and_move_no_answer(&backend).await;
    });
}

#[test]
fn a_write_that_comes_before_the_answer_waits_for_it() {
    for _ in 0..10 {
        let server = RedisServer::start_with(&WITHOUT_SET);
        server.command::<()>(&["MSET", "a", "1", "b", "2"]);
        block_on(async {
            let backend = ConnectionManager::from_config_lazy(config(&server, false))
                .unwrap()
                .backend();
            eventually_async("the server is connected to", async || {
                let bytes = Bytes::from_static(&[0xff]);
                let error = backend.set("k", bytes, minutes(1)).await.unwrap_err();
                error.kind() == ErrorKind::Server
            })
            .await;
            sets_fail_and_move_no_answer(&backend).await;
        });
    }
}

#[test]
fn a_write_before_the_first_connection_fails_at_once() {
    let url = format!("redis://127.0.0.1:{}/0", RedisServer::reserve_port());
    let patient = RedisConfig::from_url(&url)
        .unwrap()
        .with_deadline(Duration::from_mins(1));
    block_on(async {
        let backend = ConnectionManager::from_config_lazy(patient).unwrap().backend();
        let began = Instant::now();
        let error = backend
            .set("k", Bytes::from_static(&[0xff]), minutes(1))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    });
}

#[test]
fn in_resp3_nothing_is_asked() {
    let server = RedisServer::start();
    block_on(async {
        let manager = ConnectionManager::from_config_strict(config(&server, true))
            .await
            .unwrap();
        manager.backend().get("k").await.unwrap();
        assert_eq!(asked(&server), 0);
    });
}

#[test]
fn the_server_of_a_client_of_the_users_is_asked_too() {
    let server = RedisServer::start_with(&WITHOUT_SET);
    server.command::<()>(&["MSET", "a", "1", "b", "2"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = fred::types::config::Config::from_url(&server.url()).unwrap();
        let client = Builder::from_config(config).build().unwrap();
        client.init().await.unwrap();
        let manager = ConnectionManager::from_client(client.clone()).unwrap();
        eventually("the server is asked", || asked(&server) == 1);
        for _ in 0..2 {
            manager.ping().await.unwrap();
        }
        sets_fail_and_move_no_answer(&manager.backend()).await;
        client.quit().await.unwrap();
    });
}
