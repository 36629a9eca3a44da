//! Servers that are killed and come back.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use larder::CacheBackend;
use testkit::RedisServer;

use crate::{
    Client, Settings,
    support::{DEADLINE, eventually_async, forever, on_every_runtime},
};

fn soon(began: Instant) {
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

pub(crate) fn outage_a_server_that_restarts_is_found_again<C: Client>() {
    on_every_runtime(async || {
        let mut server = RedisServer::start();
        let settings = Settings::new(server.url()).with_deadline(DEADLINE);
        let client = C::connect_strict(settings).await.unwrap();
        let backend = client.backend();
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
            eventually_async("the server is found", async || client.ping().await.is_ok()).await;
            soon(up);
        }
    });
}

pub(crate) fn outage_a_write_of_an_outage_is_never_applied_afterwards<C: Client>() {
    on_every_runtime(async || {
        let mut server = RedisServer::start();
        let settings = Settings::new(server.url()).with_deadline(DEADLINE);
        let client = C::connect_strict(settings).await.unwrap();
        let backend = client.backend();
        server.stop();
        for i in 0..200 {
            let late = backend
                .set(&format!("late{i}"), Bytes::from_static(b"v"), forever())
                .await;
            assert!(late.unwrap_err().is_unavailable());
        }
        server.restart();
        eventually_async("the server is found", async || client.ping().await.is_ok()).await;
        backend.get("k").await.unwrap();
        assert_eq!(server.command::<i64>(&["DBSIZE"]), 0);
    });
}

pub(crate) fn outage_a_write_given_up_as_the_connection_breaks_is_never_applied_afterwards<C: Client>() {
    on_every_runtime(async || {
        let mut server = RedisServer::start();
        let settings = Settings::new(server.url()).with_deadline(DEADLINE);
        let client = C::connect_strict(settings).await.unwrap();
        let backend = client.backend();
        client.ping().await.unwrap();
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
        eventually_async("the server is found", async || client.ping().await.is_ok()).await;
        backend.get("k").await.unwrap();
        assert_eq!(server.command::<i64>(&["DBSIZE"]), 0);
    });
}
