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
    // On a machine so slow that the silence is found out, the connection is replaced and shows nothing.
    let shown = (0..10).any(|_| block_on(writes_that_nobody_polls::<C>()));
    assert!(shown, "no connection lasted");
}

/// Answers whether the connection that stalled was there for the whole of the stall.
async fn writes_that_nobody_polls<C: Client>() -> bool {
    let server = Scripted::start(|command, _| match command {
        "GET stall" => Answer::Stall,
        _ => Answer::Greet,
    });
    let client: C = brief(server.url()).await;
    let backend = client.backend();
    assert!(backend.get("stall").await.unwrap().is_none());
    let made = server.accepted();
    while !server.is_stalled() {
        let huge = Bytes::from(vec![b'v'; 16 * LARGE]);
        let _ = backend.set("huge", huge, forever()).await;
    }
    let keys: Vec<String> = (0..10).map(|i| format!("kept{i}")).collect();
    let items = keys.iter().map(|key| SetItem::new(key.clone(), "v", forever()));
    let mut batch = pin!(backend.set_many(items.collect()));
    let mut kept: Vec<_> = keys
        .iter()
        .map(|key| Box::pin(backend.set(key, Bytes::from_static(b"v"), forever())))
        .collect();
    let _ = futures::poll!(&mut batch);
    for write in &mut kept {
        let _ = futures::poll!(write);
    }
    // Its deadline is behind theirs.
    let read = backend.get("k").await;
    if server.accepted() > made || !read.is_err_and(|error| error.kind() == ErrorKind::Timeout) {
        return false;
    }
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
    true
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
