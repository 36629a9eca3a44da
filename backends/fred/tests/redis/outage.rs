//! Servers that stall, vanish and come back.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use larder::{CacheBackend, ErrorKind, SetItem};
use larder_fred::ConnectionManager;
use testkit::RedisServer;

use crate::support::{config, eventually_async, forever, on_every_runtime};

const DEADLINE: Duration = Duration::from_millis(100);

fn soon(began: Instant) {
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_stalls_is_a_timeout_at_the_deadline() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let config = config(&server, true).with_deadline(DEADLINE);
        let backend = ConnectionManager::from_config_strict(config).await.unwrap().backend();
        server.command::<()>(&["CLIENT", "PAUSE", "600", "ALL"]);
        let began = Instant::now();

        let error = backend.get("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let error = backend.set("k", Bytes::from_static(b"v"), forever()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.message().contains("may or may not have been applied"), "{error}");
        soon(began);
        eventually_async("the server answers again", async || backend.get("k").await.is_ok()).await;
    });
}

#[test]
fn calls_beyond_the_limit_are_turned_away_at_once() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let config = config(&server, true).with_max_in_flight(4).with_deadline(DEADLINE);
        let manager = ConnectionManager::from_config_strict(config).await.unwrap();
        let backend = manager.backend();
        server.command::<()>(&["CLIENT", "PAUSE", "600", "ALL"]);

        let kinds: Vec<ErrorKind> = join_all((0..10).map(|_| backend.get("k")))
            .await
            .into_iter()
            .map(|answer| answer.unwrap_err().kind())
            .collect();
        let count = |kind| kinds.iter().filter(|&&found| found == kind).count();
        assert_eq!(count(ErrorKind::Timeout), 4, "{kinds:?}");
        assert_eq!(count(ErrorKind::Overloaded), 6, "{kinds:?}");

        // Places are given back by what ended, by what was turned away and by what was dropped.
        eventually_async("the server answers again", async || manager.ping().await.is_ok()).await;
        for _ in 0..20 {
            drop(futures::poll!(Box::pin(backend.get("k"))));
        }
        eventually_async("what was dropped is answered", async || {
            let together = join_all((0..4).map(|_| backend.get("k"))).await;
            together.iter().all(Result::is_ok)
        })
        .await;

        // A batch above the limit could never run if it had to fit.
        let items = (0..10).map(|i| SetItem::new(format!("k{i}"), "v", forever()));
        let written = backend.set_many(items.collect()).await;
        assert!(written.iter().all(Result::is_ok));
    });
}

#[test]
fn the_limit_is_named_in_the_error() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let config = config(&server, true).with_max_in_flight(1).with_deadline(DEADLINE);
        let backend = ConnectionManager::from_config_strict(config).await.unwrap().backend();
        server.command::<()>(&["CLIENT", "PAUSE", "300", "ALL"]);
        let (_, turned_away) = futures::join!(backend.get("a"), backend.get("b"));
        let error = turned_away.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        let expected = "get: 1 commands are in flight, as many as RedisConfig::with_max_in_flight allows";
        assert_eq!(error.to_string(), expected);
    });
}

#[test]
fn a_server_that_restarts_is_found_again() {
    on_every_runtime(async || {
        let mut server = RedisServer::start();
        let config = config(&server, true).with_deadline(DEADLINE);
        let manager = ConnectionManager::from_config_strict(config).await.unwrap();
        let backend = manager.backend();
        backend.get("k").await.unwrap();
        for _ in 0..2 {
            server.stop();
            let began = Instant::now();
            for _ in 0..10 {
                assert!(backend.get("k").await.unwrap_err().is_unavailable());
            }
            soon(began);
            server.restart();
            let up = Instant::now();
            eventually_async("the server is found", async || manager.ping().await.is_ok()).await;
            soon(up);
        }
    });
}

#[test]
fn a_write_of_an_outage_is_never_applied_afterwards() {
    on_every_runtime(async || {
        let mut server = RedisServer::start();
        let config = config(&server, true).with_deadline(DEADLINE);
        let manager = ConnectionManager::from_config_strict(config).await.unwrap();
        let backend = manager.backend();
        server.stop();
        for i in 0..200 {
            let late = backend
                .set(&format!("late{i}"), Bytes::from_static(b"v"), forever())
                .await;
            assert!(late.unwrap_err().is_unavailable());
        }
        server.restart();
        eventually_async("the server is found", async || manager.ping().await.is_ok()).await;
        backend.get("k").await.unwrap();
        assert_eq!(server.command::<i64>(&["DBSIZE"]), 0);
    });
}

#[test]
fn a_write_given_up_as_the_connection_breaks_is_never_applied_afterwards() {
    on_every_runtime(async || {
        let mut server = RedisServer::start();
        let config = config(&server, true).with_deadline(DEADLINE);
        let manager = ConnectionManager::from_config_strict(config).await.unwrap();
        let backend = manager.backend();
        manager.ping().await.unwrap();
        server.stop();
        for i in 0..1_000 {
            let key = format!("late{i}");
            drop(futures::poll!(pin!(backend.set(
                &key,
                Bytes::from_static(b"v"),
                forever()
            ))));
        }
        // Their deadlines pass before the server is back.
        let began = Instant::now();
        while began.elapsed() < 2 * DEADLINE {
            assert!(backend.get("k").await.unwrap_err().is_unavailable());
        }
        server.restart();
        eventually_async("the server is found", async || manager.ping().await.is_ok()).await;
        backend.get("k").await.unwrap();
        assert_eq!(server.command::<i64>(&["DBSIZE"]), 0);
    });
}

#[test]
fn a_large_batch_gives_up_once_the_server_is_away() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let config = config(&server, true).with_deadline(DEADLINE);
        let backend = ConnectionManager::from_config_strict(config).await.unwrap().backend();
        server.command::<()>(&["CLIENT", "PAUSE", "900", "ALL"]);
        let items = (0..20_000).map(|i| SetItem::new(format!("k{i}"), "v", forever()));
        let began = Instant::now();
        let answers = backend.set_many(items.collect()).await;
        // Twenty windows, each with a deadline of its own, would be two seconds.
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
        assert_eq!(answers.len(), 20_000);
        for answer in answers {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Timeout);
        }
    });
}
