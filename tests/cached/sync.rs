//! Functions that are not async.

use std::{cell::RefCell, pin::pin, sync::LazyLock, thread};

use futures::{join, poll};
use larder::{BlockingCache, Cache, LoadError, cached};
use larder_memory::MemoryBackend;

use crate::support::{Database, Memory, Runs, block_on, memory};

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

#[cached(cache = cache, key = "database", ttl = "1h", skip(database))]
async fn generation(cache: &Memory, database: &Database) -> usize {
    database.read().await
}

#[test]
fn a_blocking_call_does_not_wait_for_a_load_that_its_own_thread_polls() {
    // The clock stands still: a call that waited would never end.
    let (cache, database) = (memory(), Database::default());
    block_on(async {
        let mut load = pin!(generation(&cache, &database));
        assert!(poll!(&mut load).is_pending());
        let loaded: usize = cache
            .blocking()
            .remember("database", 60, || Ok::<_, String>(2))
            .unwrap();
        assert_eq!(loaded, 2);
        let (ended, ()) = join!(load, async { database.open() });
        assert_eq!(ended, 0);
        assert_eq!(cache.get("database").await.unwrap(), Some(2_usize), "the later load");
    });
}

#[test]
fn ids_of_one_blocking_batch_that_have_one_key_share_its_load() {
    let cache = memory().blocking();
    let mut loads = Vec::new();
    let found = cache.remember_many(
        [1, 2],
        |_| "same".to_owned(),
        60,
        |missing: Vec<u8>| {
            loads.push(missing.clone());
            Ok::<_, String>(missing.into_iter().map(|id| (id, id)).collect::<Vec<_>>())
        },
    );
    assert_eq!(found.unwrap().len(), 2);
    assert_eq!(loads, [vec![1]]);
}

/// Calls when its thread ends.
struct Flushes(Memory);

impl Drop for Flushes {
    fn drop(&mut self) {
        let cache = self.0.blocking();
        cache.set("flushed", &1_u8, "1h").unwrap();
        let _: u8 = cache.remember("loaded", "1h", || Ok::<_, String>(1)).unwrap();
    }
}

thread_local! {
    static FLUSHES: RefCell<Option<Flushes>> = const { RefCell::new(None) };
}

#[test]
fn a_call_may_be_made_where_the_last_values_of_a_thread_are_dropped() {
    let cache = Cache::builder(MemoryBackend::new()).ttl_jitter(0.1).build().unwrap();
    let used = cache.clone();
    let ends = thread::spawn(move || {
        // Dropped last, because what the calls keep on the thread comes to be after it.
        FLUSHES.set(Some(Flushes(used.clone())));
        used.blocking().set("before", &1, "1h").unwrap();
    });
    ends.join().unwrap();
    assert_eq!(block_on(cache.get("flushed")).unwrap(), Some(1_u8));
    assert_eq!(block_on(cache.get("loaded")).unwrap(), Some(1_u8));
}
