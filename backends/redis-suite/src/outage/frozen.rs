//! A server that is stopped in the middle of large values.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use larder::{CacheBackend, ErrorKind, SetItem};
use testkit::RedisServer;

use crate::{
    Client,
    scripted::{Answer, Scripted},
    support::{
        DEADLINE, MARGIN, block_on, brief, clients, eventually, eventually_async, forever, on_every_runtime, within,
    },
};

const LARGE: usize = 1 << 20;
const CALLS: usize = 40;

fn large() -> Bytes {
    Bytes::from(vec![7; LARGE])
}

/// Copying so many megabytes takes the test's own machine its time.
const HEAVY: Duration = Duration::from_secs(1);

pub(crate) fn outage_a_write_that_waits_behind_a_large_one_is_not_sent_after_its_deadline<C: Client>() {
    let server = Scripted::start(|command, _| match command {
        "GET stall" => Answer::Stall,
        _ => Answer::Greet,
    });
    block_on(async {
        let client: C = brief(server.url()).await;
        let backend = client.backend();
        assert!(backend.get("stall").await.unwrap().is_none());
        // More than the sockets take in, so that what comes behind it waits in this process.
        while !server.is_stalled() {
            let huge = Bytes::from(vec![b'v'; 64 * LARGE]);
            assert!(backend.set("huge", huge, forever()).await.is_err());
        }
        let items = (0..10).map(|i| SetItem::new(format!("late{i}"), "v", forever()));
        let mut written = backend.set_many(items.collect()).await;
        written.push(backend.set("late", Bytes::from_static(b"v"), forever()).await);
        for error in written.into_iter().map(Result::unwrap_err) {
            assert!(error.is_unavailable(), "{error}");
        }
        server.go_on();
        eventually_async("the server answers", async || client.ping().await.is_ok()).await;
        let late = server.commands("SET late");
        assert!(late <= C::HOLDS, "{late}");
    });
}

pub(crate) fn outage_a_write_that_nobody_polls_is_not_sent_after_its_deadline<C: Client>() {
    let server = Scripted::start(|command, _| match command {
        "GET stall" => Answer::Stall,
        _ => Answer::Greet,
    });
    block_on(async {
        let client: C = brief(server.url()).await;
        let backend = client.backend();
        assert!(backend.get("stall").await.unwrap().is_none());
        while !server.is_stalled() {
            let huge = Bytes::from(vec![b'v'; 64 * LARGE]);
            assert!(backend.set("huge", huge, forever()).await.is_err());
        }
        let keys: Vec<String> = (0..10).map(|i| format!("kept{i}")).collect();
        let items = || (0..10).map(|i| SetItem::new(format!("kept{i}"), "v", forever()));
        let mut batch = pin!(backend.set_many(items().collect()));
        let mut kept: Vec<_> = keys
            .iter()
            .map(|key| Box::pin(backend.set(key, Bytes::from_static(b"v"), forever())))
            .collect();
        assert!(futures::poll!(&mut batch).is_pending());
        for write in &mut kept {
            assert!(futures::poll!(write).is_pending());
        }
        // Its deadline is behind theirs.
        assert!(backend.get("k").await.is_err());
        server.go_on();
        eventually_async("the server answers", async || client.ping().await.is_ok()).await;
        assert_eq!(server.heard("SET kept"), Vec::<String>::new());
        for error in batch
            .await
            .into_iter()
            .chain(join_all(kept).await)
            .map(Result::unwrap_err)
        {
            assert!(error.is_unavailable(), "{error}");
        }
    });
}

pub(crate) fn outage_a_frozen_server_bounds_calls_with_large_values_and_is_found_when_it_thaws<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let client: C = brief(server.url()).await;
        let backend = client.backend();
        backend.set("large", large(), forever()).await.unwrap();
        server.freeze();

        // More than the sockets take in: the client's writer stalls with them.
        let began = Instant::now();
        let keys: Vec<String> = (0..CALLS).map(|i| format!("k{i}")).collect();
        let written = join_all(keys.iter().map(|key| backend.set(key, large(), forever()))).await;
        within(DEADLINE + MARGIN + HEAVY, began);
        for error in written.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
        // Long enough that the silence is found out and connecting hangs too.
        let silent = Instant::now();
        while silent.elapsed() < Duration::from_secs(2) {
            let began = Instant::now();
            let error = backend.get("large").await.unwrap_err();
            within(DEADLINE + MARGIN, began);
            assert!(error.is_unavailable(), "{error}");
        }
        server.thaw();
        let back = eventually_async("the server is found", async || client.ping().await.is_ok()).await;
        println!("back {back:?} after the thaw");
        assert!(back < Duration::from_millis(1_500), "{back:?}");
        let read = backend.get("large").await.unwrap().unwrap();
        assert_eq!(read.bytes(), &large());
        client.close().await;
        eventually("no connection is left", || clients(&server) == 0);
    });
}
