//! 10 000 callers on one cold key, and 1 000 on one whose load fails: `cargo bench --bench herd`.
//!
//! Prints how many loads ran, and how long after the load the last caller had its answer, over the local map and over a
//! real Redis.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{Cache, CacheBackend, LoadError};
use larder_fred::{ConnectionManager, RedisConfig};
use larder_local::LocalBackend;
use testkit::RedisServer;

/// How long one load takes.
const LOAD: Duration = Duration::from_millis(100);
const ROUNDS: usize = 7;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the machine has threads");
    runtime.block_on(async {
        println!("load {LOAD:?}; times are behind the load, of {ROUNDS} rounds");
        let local = LocalBackend::with_capacity(1_000);
        report("local map", &local).await;
        let server = RedisServer::start();
        // The herd waits in line for one connection; its place in it is not what is measured.
        let config = RedisConfig::from_url(&server.url())
            .expect("the fixture's own URL")
            .with_deadline(Duration::from_secs(5));
        let redis = ConnectionManager::from_config_strict(config)
            .await
            .expect("the fixture runs");
        report("Redis", &redis.backend()).await;
        redis.close().await;
    });
}

async fn report<B: CacheBackend + Clone + 'static>(name: &str, backend: &B) {
    for (callers, fails) in [(10_000, false), (1_000, true)] {
        let mut behind = Vec::new();
        let mut loads = Vec::new();
        for _ in 0..ROUNDS {
            let (took, ran) = herd(backend.clone(), callers, fails).await;
            behind.push(took.saturating_sub(LOAD));
            loads.push(ran);
        }
        behind.sort();
        println!(
            "{name:>9}: {callers:>6} callers, {}: loads {loads:?}, last answer +{:.1} ms (median), +{:.1} ms (worst)",
            if fails { "failing load" } else { "cold key" },
            millis(behind[ROUNDS / 2]),
            millis(behind[ROUNDS - 1]),
        );
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

async fn herd<B: CacheBackend + 'static>(backend: B, callers: usize, fails: bool) -> (Duration, usize) {
    let cache = Cache::new(backend);
    cache.delete("herd").await.expect("the backend answers");
    let loads = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (cache, loads) = (cache.clone(), Arc::clone(&loads));
            tokio::spawn(async move { call(&cache, &loads, fails).await })
        })
        .collect();
    for task in tasks {
        let answer = task.await.expect("no caller panics");
        assert_eq!(answer.is_err(), fails);
    }
    (began.elapsed(), loads.load(Ordering::SeqCst))
}

fn call<'a, B: CacheBackend + 'static>(
    cache: &'a Cache<B>,
    loads: &'a AtomicUsize,
    fails: bool,
) -> impl Future<Output = Result<u64, LoadError<&'static str>>> + Send + use<'a, B> {
    cache.remember("herd", "1m", move || async move {
        loads.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(LOAD).await;
        if fails { Err("the database is away") } else { Ok(7) }
    })
}
