//! Waiting, and the calls that most tests make.

use std::{
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::TryStreamExt;
use larder::{CacheBackend, Condition, Entry, Expiry, Outcome, Result, SetOptions};
use larder_redis_common::RedisConfig;
use testkit::RedisServer;

pub(crate) use futures::executor::block_on;

use crate::{Client, Settings};

/// How long a test waits for what a server does by itself.
const LIMIT: Duration = Duration::from_secs(20);

/// A deadline that passes quickly.
pub(crate) const DEADLINE: Duration = Duration::from_millis(100);

/// A connect timeout that passes quickly and that a busy machine meets.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// How much later than its deadline a call may end on a machine that runs other tests besides: far less than the
/// seconds for which the server is away.
pub(crate) const MARGIN: Duration = Duration::from_millis(400);

/// A client whose calls have [`DEADLINE`], and connecting a little more.
pub(crate) async fn brief<C: Client>(url: impl Into<String>) -> C {
    let settings = Settings::new(url)
        .with_deadline(DEADLINE)
        .with_connect_timeout(CONNECT_TIMEOUT);
    C::connect_strict(settings).await.unwrap()
}

pub(crate) fn runtime(workers: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap()
}

/// A configuration of spans that a slow machine meets, on the caller's runtime where that can be shared.
pub(crate) fn config(server: &RedisServer, resp3: bool) -> RedisConfig {
    Settings::new(server.url()).with_resp3(resp3).config().unwrap()
}

pub(crate) fn config_of(url: &str) -> RedisConfig {
    RedisConfig::from_url(url).unwrap()
}

/// [`config_of`] with spans that a slow machine meets.
pub(crate) fn patient(url: &str) -> RedisConfig {
    let span = Duration::from_secs(5);
    config_of(url).with_deadline(span).with_connect_timeout(span)
}

pub(crate) async fn backend<C: Client>(server: &RedisServer, resp3: bool) -> C::Backend {
    C::from_config_strict(config(server, resp3)).await.unwrap().backend()
}

/// Runs a test where the connection has a runtime of its own, and on tokio runtimes that it shares with the test.
pub(crate) fn on_every_runtime(test: impl AsyncFn()) {
    block_on(test());
    for workers in [1, 2, 4] {
        runtime(workers).block_on(test());
    }
}

/// Runs a test once in each protocol, each time on a fresh server.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a closure in place reads better without a borrow"
)]
pub(crate) fn in_both_protocols<C: Client>(test: impl AsyncFn(&RedisServer, &C::Backend)) {
    for resp3 in [true, false] {
        let server = RedisServer::start();
        block_on(async {
            let settings = Settings::new(server.url()).with_resp3(resp3);
            let client = C::connect_strict(settings).await.unwrap();
            test(&server, &client.backend()).await;
        });
    }
}

/// Polls until `holds`, for what a server or the kernel does in its own time; answers how long that took.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

/// [`eventually`] for what is asked by a future. Not a nested `block_on`: inside a task of tokio's that would never give
/// the task a new budget, without which nothing of tokio's is ever ready.
pub(crate) async fn eventually_async(what: &str, holds: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        smol::Timer::after(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

/// Holds that no more than `limit` has passed.
#[track_caller]
pub(crate) fn within(limit: Duration, began: Instant) {
    assert!(began.elapsed() < limit, "{:?} and not {limit:?}", began.elapsed());
}

/// How often the server ran a command.
pub(crate) fn runs(server: &RedisServer, command: &str) -> usize {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let line = format!("cmdstat_{command}:calls=");
    let count = stats.lines().find_map(|stat| stat.strip_prefix(&line));
    count.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
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

/// Writes, reads, removes and lists one key.
pub(crate) async fn round_trip<B: CacheBackend>(backend: &B, key: &str) {
    let written = backend.set(key, Bytes::from_static(b"value"), forever()).await;
    assert_eq!(written.unwrap(), Outcome::Done);
    assert_eq!(bytes(backend.get(key).await).unwrap(), "value");
    assert!(backend.delete(key, starts_with("val")).await.unwrap().is_done());
    backend.set(key, Bytes::from_static(b"value"), forever()).await.unwrap();
    assert_eq!(listed(backend, "*").await, [key]);
}

/// Every key that matches, sorted, each once.
pub(crate) async fn listed<B: CacheBackend>(backend: &B, pattern: &str) -> Vec<String> {
    let pages: Vec<Vec<String>> = backend.scan(pattern).try_collect().await.unwrap();
    let mut keys = pages.concat();
    keys.sort();
    keys.dedup();
    keys
}
