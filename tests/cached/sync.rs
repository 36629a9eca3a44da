//! Functions that are not async.

use std::{sync::LazyLock, thread};

use larder::{BlockingCache, LoadError, cached};
use larder_memory::MemoryBackend;

use crate::support::{Memory, Runs, block_on, memory};

static BLOCKING: LazyLock<BlockingCache<MemoryBackend>> = LazyLock::new(|| memory().blocking());

#[cached(cache = BLOCKING, key = "square:{n}", ttl = "1h", skip(runs))]
fn square(n: u64, runs: &Runs) -> u64 {
    runs.run();
    n * n
}

#[test]
fn a_sync_function_takes_a_blocking_cache_and_its_companions_are_sync() {
    let runs = Runs::default();
    assert_eq!((square(4, &runs), square(4, &runs)), (16, 16));
    assert_eq!(runs.count(), 1);
    assert_eq!(square::peek(4).unwrap(), Some(16));
    assert!(square::invalidate(4).unwrap());
    assert!(!square::invalidate(4).unwrap());
    assert_eq!(square::refresh(5, &runs), 25);
    assert_eq!(square::key(5), "square:5");
}

#[cached(cache = cache, key = "fib:{n}", ttl = "1h", skip(runs))]
fn fibonacci(cache: &Memory, n: u64, runs: &Runs) -> u64 {
    runs.run();
    if n < 2 {
        n
    } else {
        fibonacci(cache, n - 1, runs) + fibonacci(cache, n - 2, runs)
    }
}

#[test]
fn a_sync_body_may_call_cached_functions() {
    let (cache, runs) = (memory(), Runs::default());
    assert_eq!(fibonacci(&cache, 12, &runs), 144);
    assert_eq!(runs.count(), 13);
}

#[cached(cache = cache, key = "own", ttl = "1h")]
fn asks_for_itself(cache: &Memory) -> Result<u8, Failure> {
    asks_for_itself(cache)
}

#[derive(Debug)]
struct Failure(#[expect(dead_code, reason = "for its Debug")] String);

impl From<LoadError<Failure>> for Failure {
    fn from(error: LoadError<Failure>) -> Self {
        Self(format!("{error:?}"))
    }
}

#[test]
fn a_sync_function_that_asks_for_itself_is_told_so() {
    assert_eq!(
        format!("{:?}", asks_for_itself(&memory())),
        "Err(Failure(\"Reentrant\"))"
    );
}

#[test]
fn a_sync_function_runs_on_the_thread_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (cache, runs) = (memory(), Runs::default());
    assert_eq!(runtime.block_on(async { fibonacci(&cache, 10, &runs) }), 55);
}

#[test]
fn threads_share_the_run_of_a_sync_body_with_async_callers() {
    let (cache, runs) = (memory(), Runs::default());
    let slow = |cache: &Memory| shared(cache, &runs);
    thread::scope(|scope| {
        scope.spawn(|| slow(&cache));
        scope.spawn(|| slow(&cache));
        scope.spawn(|| block_on(async { cache.remember("shared", 60, async || Ok::<_, String>(1_usize)).await }));
    });
    assert!(runs.count() <= 1);
}

#[cached(cache = cache, key = "shared", ttl = "1h", skip(runs))]
fn shared(cache: &Memory, runs: &Runs) -> usize {
    let run = runs.run();
    while cache.stats().waiting == 0 {
        thread::yield_now();
    }
    run
}
