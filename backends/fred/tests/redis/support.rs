//! Backends on a server, for both protocols, and a bounded wait.

use std::time::{Duration, Instant};

use bytes::Bytes;
use larder::{CacheBackend, Condition, Entry, Expiry, Outcome, Result, SetOptions};
use larder_fred::{ConnectionManager, FredBackend, RedisConfig};
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

pub(crate) async fn backend(server: &RedisServer, resp3: bool) -> FredBackend {
    ConnectionManager::from_config_strict(config(server, resp3))
        .await
        .unwrap()
        .backend()
}

/// Runs a test once in each protocol, each time on a fresh server.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a closure in place reads better without a borrow"
)]
pub(crate) fn in_both_protocols(test: impl AsyncFn(&RedisServer, &FredBackend)) {
    for resp3 in [true, false] {
        let server = RedisServer::start();
        block_on(async {
            let backend = backend(&server, resp3).await;
            test(&server, &backend).await;
        });
    }
}

/// Runs a test where the connection has a runtime of its own, and on tokio runtimes that it shares with the test.
pub(crate) fn on_every_runtime(test: impl AsyncFn()) {
    block_on(test());
    for workers in [1, 2, 4] {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test());
    }
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

/// How many clients the server has, the one that asks left out. One that asked just before may still be counted.
pub(crate) fn clients(server: &RedisServer) -> usize {
    server.command::<String>(&["CLIENT", "LIST"]).lines().count() - 1
}

pub(crate) fn forever() -> SetOptions {
    SetOptions::new(Expiry::Never)
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
