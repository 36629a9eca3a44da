//! What callers can pile up on a server that does not answer, whether they wait or not.

use std::{
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::StreamExt;
use larder::{CacheBackend, Condition, Error, ErrorKind, Result, SetItem};
use testkit::RedisServer;

use crate::{
    Client,
    support::{block_on, config, eventually_async, forever, on_every_runtime, runs, starts_with},
};

const LIMIT: usize = 10;

async fn limited<C: Client>(server: &RedisServer, deadline: Duration) -> C::Backend {
    let config = config(server, true).with_max_in_flight(LIMIT).with_deadline(deadline);
    C::from_config_strict(config).await.unwrap().backend()
}

/// Tells whether a call was turned away on its first poll; it is dropped after that.
async fn turned_away<T>(call: impl Future<Output = Result<T>>) -> bool {
    match futures::poll!(pin!(call)) {
        Poll::Ready(Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
            true
        }
        Poll::Ready(Ok(_)) => panic!("a paused server answered"),
        Poll::Pending => false,
    }
}

async fn read_of_each_kind(backend: &impl CacheBackend, i: usize) -> bool {
    match i % 4 {
        0 => turned_away(backend.get("k")).await,
        1 => turned_away(backend.head("k", 1)).await,
        2 => turned_away(async { backend.get_many(&["k"]).await.remove(0) }).await,
        _ => turned_away(async { pin!(backend.scan("*")).next().await.unwrap() }).await,
    }
}

async fn write_of_each_kind(backend: &impl CacheBackend, i: usize) -> bool {
    let value = || Bytes::from(vec![7; 10_000]);
    match i % 4 {
        0 => turned_away(backend.set("k", value(), forever())).await,
        1 => turned_away(backend.delete("k", starts_with("v"))).await,
        2 => turned_away(backend.persist("k", Condition::Always)).await,
        _ => {
            let items = vec![SetItem::new("k", value(), forever())];
            turned_away(async { backend.set_many(items).await.remove(0) }).await
        }
    }
}

pub(crate) fn calls_that_are_dropped_count_as_in_flight_until_their_deadline<C: Client>() {
    for writes in [true, false] {
        on_every_runtime(async || {
            let server = RedisServer::start();
            let backend = limited::<C>(&server, Duration::from_secs(1)).await;
            server.command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
            let began = Instant::now();
            let mut away = 0;
            for i in 0..4_000 {
                away += usize::from(if writes {
                    write_of_each_kind(&backend, i).await
                } else {
                    read_of_each_kind(&backend, i).await
                });
            }
            assert!(
                began.elapsed() < Duration::from_secs(1),
                "too slow to tell: {:?}",
                began.elapsed()
            );
            assert_eq!(away, 4_000 - LIMIT);
            eventually_async("the places are free again", async || {
                !backend.get("k").await.is_err_and(|error| is_overloaded(&error))
            })
            .await;
        });
    }
}

pub(crate) fn calls_that_are_dropped_do_not_flood_the_server_when_it_is_back<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let backend = limited::<C>(&server, Duration::from_secs(30)).await;
        server.command::<()>(&["CLIENT", "PAUSE", "2000", "ALL"]);
        for i in 0..LIMIT + 4_000 {
            let key = format!("k{i}");
            if i % 2 == 0 {
                turned_away(backend.get(&key)).await;
            } else {
                turned_away(backend.set(&key, Bytes::from_static(b"v"), forever())).await;
            }
        }
        // Behind all that was sent before.
        eventually_async("a place is free again", async || {
            let answer = backend.delete("k", Condition::Always).await;
            assert!(
                answer.as_ref().is_err_and(is_overloaded) || answer.is_ok(),
                "{answer:?}"
            );
            answer.is_ok()
        })
        .await;
        assert_eq!((runs(&server, "get"), runs(&server, "set")), (LIMIT / 2, LIMIT / 2));
    });
}

fn is_overloaded(error: &Error) -> bool {
    error.kind() == ErrorKind::Overloaded
}

pub(crate) fn a_call_that_was_never_polled_takes_no_place<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let backend = limited::<C>(&server, Duration::from_secs(5)).await;
        for _ in 0..=LIMIT {
            drop(backend.set("k", Bytes::new(), forever()));
            drop(backend.get("k"));
        }
        assert!(backend.get("k").await.unwrap().is_none());
        assert_eq!(runs(&server, "set"), 0);
    });
}

pub(crate) fn a_batch_that_is_dropped_gives_back_what_was_not_sent<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let config = config(&server, true).with_max_in_flight(1_100);
        let backend = C::from_config_strict(config).await.unwrap().backend();
        server.command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
        let items = (0..5_000).map(|i| SetItem::new(format!("k{i}"), "v", forever()));
        drop(futures::poll!(pin!(backend.set_many(items.collect()))));
        // One window of 1 024 is under way.
        let mut free = 0;
        while free < 5_000 && !turned_away(backend.get("k")).await {
            free += 1;
        }
        assert_eq!(free, 1_100 - 1_024);
    });
}

pub(crate) fn the_limit_is_named_in_the_error<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let config = config(&server, true)
            .with_max_in_flight(1)
            .with_deadline(Duration::from_millis(100));
        let backend = C::from_config_strict(config).await.unwrap().backend();
        server.command::<()>(&["CLIENT", "PAUSE", "300", "ALL"]);
        let (_, turned_away) = futures::join!(backend.get("a"), backend.get("b"));
        let error = turned_away.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        let expected = "get: 1 calls are in flight, as many as max_in_flight allows";
        assert_eq!(error.to_string(), expected);
    });
}
