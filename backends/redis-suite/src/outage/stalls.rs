//! Servers that stall, vanish and come back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use larder::{CacheBackend, ErrorKind, SetItem};
use testkit::RedisServer;

use crate::{
    Client, Settings,
    support::{DEADLINE, eventually_async, forever, on_every_runtime},
};

fn soon(began: Instant) {
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

pub(crate) fn outage_a_server_that_stalls_is_a_timeout_at_the_deadline<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let settings = Settings::new(server.url()).with_deadline(DEADLINE);
        let backend = C::connect_strict(settings).await.unwrap().backend();
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

pub(crate) fn outage_calls_beyond_the_limit_are_turned_away_at_once<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let settings = Settings::new(server.url())
            .with_max_in_flight(4)
            .with_deadline(DEADLINE);
        let client = C::connect_strict(settings).await.unwrap();
        let backend = client.backend();
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
        eventually_async("the server answers again", async || client.ping().await.is_ok()).await;
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

pub(crate) fn outage_a_large_batch_gives_up_once_the_server_is_away<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let settings = Settings::new(server.url()).with_deadline(DEADLINE);
        let backend = C::connect_strict(settings).await.unwrap().backend();
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
