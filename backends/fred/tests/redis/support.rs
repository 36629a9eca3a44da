//! Configurations, a bounded wait and a round trip.

use std::time::{Duration, Instant};

use bytes::Bytes;
use larder::{CacheBackend, Condition, Entry, Expiry, Outcome, Result, SetOptions};
use larder_fred::{FredBackend, RedisConfig};
use testkit::RedisServer;

pub(crate) use futures::executor::block_on;

/// How long a test waits for what a server does by itself.
const LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn config(server: &RedisServer, resp3: bool) -> RedisConfig {
    // The machine that runs the tests may be slow; tests of deadlines set their own.
    RedisConfig::from_url(&server.url())
        .unwrap()
        .with_resp3(resp3)
        .with_deadline(Duration::from_secs(5))
        .with_connect_timeout(Duration::from_secs(5))
        // Where a test is on a runtime that can be shared, that is the harder case.
        .with_shared_runtime(true)
}

/// Polls until `holds`, for what a server or the kernel does in its own time.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// [`eventually`] for what is asked by a future. Not a nested `block_on`: inside a task of tokio's that would never give
/// the task a new budget, without which nothing of tokio's is ever ready.
pub(crate) async fn eventually_async(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        smol::Timer::after(Duration::from_millis(10)).await;
    }
}

pub(crate) fn minutes(minutes: u64) -> SetOptions {
    SetOptions::new(Expiry::After(Duration::from_mins(minutes)))
}

pub(crate) fn starts_with(prefix: &'static str) -> Condition {
    Condition::IfStartsWith(Bytes::from_static(prefix.as_bytes()))
}

pub(crate) fn bytes(found: Result<Option<Entry>>) -> Option<Bytes> {
    found.unwrap().map(Entry::into_bytes)
}

/// Writes, reads and lists one key.
pub(crate) async fn round_trip(backend: &FredBackend, key: &str) {
    let written = backend.set(key, Bytes::from_static(b"value"), minutes(1)).await;
    assert_eq!(written.unwrap(), Outcome::Done);
    assert_eq!(bytes(backend.get(key).await).unwrap(), "value");
    assert!(backend.delete(key, starts_with("val")).await.unwrap().is_done());
    backend
        .set(key, Bytes::from_static(b"value"), minutes(1))
        .await
        .unwrap();
    assert_eq!(listed(backend, "*").await, [key]);
}

/// Every key that matches, sorted, each once.
pub(crate) async fn listed(backend: &FredBackend, pattern: &str) -> Vec<String> {
    use futures::TryStreamExt;

    let pages: Vec<Vec<String>> = backend.scan(pattern).try_collect().await.unwrap();
    let mut keys = pages.concat();
    keys.sort();
    keys.dedup();
    keys
}
