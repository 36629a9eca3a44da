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
    Client, Settings,
    scripted::{Answer, Scripted},
    support::{
        DEADLINE, MARGIN, block_on, brief, clients, eventually, eventually_async, forever, on_every_runtime, runtime,
        within,
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
    let server = stalling();
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

/// Writes that have a moment of their own, on a connection that has longer than the test takes.
pub(crate) fn outage_a_write_that_waits_behind_a_large_one_is_not_sent_after_a_deadline_of_its_own<C: Client>() {
    let server = stalling();
    block_on(async {
        let settings = Settings::new(server.url()).with_deadline(Duration::from_secs(20));
        let client = C::connect_strict(settings).await.unwrap();
        let backend = client.backend();
        stall(&server, &backend).await;
        let hurried = || forever().with_deadline(DEADLINE);
        let items = (0..10).map(|i| SetItem::new(format!("late{i}"), "v", hurried()));
        let mut written = backend.set_many(items.collect()).await;
        let single = (0..40).map(|i| backend.set(["late", "later"][i % 2], Bytes::from_static(b"v"), hurried()));
        written.extend(join_all(single).await);
        for error in written.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
        server.go_on();
        eventually_async("the server answers", async || client.ping().await.is_ok()).await;
        let late = server.commands("SET late");
        assert!(late <= C::HOLDS, "{late}");
    });
}

/// How long a write may take that waits for its batch.
const WAIT: Duration = Duration::from_secs(1);

pub(crate) fn outage_a_write_that_waited_for_its_batch_is_not_sent_after_its_deadline<C: Client>() {
    // On a machine so slow that the silence is found out, the connection is replaced and shows nothing.
    let shown = (0..10).any(|_| {
        let server = stalling();
        runtime(2).block_on(writes_that_wait_for_their_batch::<C>(&server))
    });
    assert!(shown, "no connection lasted");
}

/// Answers whether the connection that stalled was there for the whole of the stall.
async fn writes_that_wait_for_their_batch<C: Client>(server: &Scripted) -> bool {
    let client = C::connect_strict(Settings::new(server.url()).with_deadline(WAIT))
        .await
        .unwrap();
    let backend = client.backend();
    stall(server, &backend).await;
    let made = server.accepted();
    // So many that one of them is in a batch, and no others of their kind can go before it has ended.
    let first = join_all((0..17).map(|_| backend.set("first", Bytes::from_static(b"v"), forever())));
    let then = async {
        pause(&backend, WAIT / 5).await;
        let late = join_all((0..2).map(|_| backend.set("late", Bytes::from_static(b"v"), forever()))).await;
        pause(&backend, WAIT / 20).await;
        // Sent with its whole deadline when the first had ended, it would go out now.
        server.go_on();
        late
    };
    let (first, late) = futures::join!(first, then);
    if server.accepted() > made {
        return false;
    }
    for error in first.into_iter().chain(late).map(Result::unwrap_err) {
        assert!(error.is_unavailable(), "{error}");
    }
    eventually_async("the server answers", async || client.ping().await.is_ok()).await;
    if server.accepted() > made {
        return false;
    }
    let late = server.commands("SET late");
    assert!(late <= C::HOLDS, "{late}");
    true
}

/// Waits for a span, as a write does that has no longer.
async fn pause(backend: &impl CacheBackend, span: Duration) {
    let hurried = forever().with_deadline(span);
    let items = vec![SetItem::new("pause", "v", hurried)];
    assert!(backend.set_many(items).await.remove(0).is_err());
}

/// A server that reads no further from its next `GET stall` on.
fn stalling() -> Scripted {
    Scripted::start(|command, _| match command {
        "GET stall" => Answer::Stall,
        _ => Answer::Greet,
    })
}

/// Has the server read no further, and sends more than the sockets take in: what comes behind it waits in this process.
async fn stall(server: &Scripted, backend: &impl CacheBackend) {
    assert!(backend.get("stall").await.unwrap().is_none());
    while !server.is_stalled() {
        let huge = Bytes::from(vec![b'v'; 16 * LARGE]);
        let options = forever().with_deadline(DEADLINE);
        assert!(backend.set("huge", huge, options).await.is_err());
    }
}

pub(crate) fn outage_a_write_that_nobody_polls_is_not_sent_after_its_deadline<C: Client>() {
    // On a machine so slow that the silence is found out, the connection is replaced and shows nothing.
    let shown = (0..10).any(|_| block_on(writes_that_nobody_polls::<C>()));
    assert!(shown, "no connection lasted");
}

/// Answers whether the connection that stalled was there for the whole of the stall.
async fn writes_that_nobody_polls<C: Client>() -> bool {
    let server = stalling();
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
