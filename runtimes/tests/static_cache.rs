//! What a review found: this fails.
#![cfg(feature = "tokio")]

use std::time::Duration;

use larder::{Cache, LoadOptions, Loaded};
use larder_memory::MemoryBackend;
use larder_runtimes::TokioRuntime;

/// A cache in a `static`, built in the first `#[tokio::test]` and used by the second.
#[test]
fn a_cache_outlives_the_runtime_that_its_background_ran_on() {
    let first = tokio::runtime::Runtime::new().unwrap();
    let cache: Cache<MemoryBackend> = first.block_on(async {
        Cache::builder(MemoryBackend::new())
            .runtime(TokioRuntime::current())
            .build()
            .unwrap()
    });
    drop(first);
    let second = tokio::runtime::Runtime::new().unwrap();
    let answer = second.block_on(async {
        let options = LoadOptions::new();
        let load = || async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, &str>(Loaded::value(1))
        };
        // Nothing goes to the background here: one loads, the other waits for it.
        futures_join(
            cache.remember_with("key", 60, &options, load),
            cache.remember_with("key", 60, &options, load),
        )
        .await
    });
    assert!(answer.0.is_ok() && answer.1.is_ok());
}

async fn futures_join<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    tokio::join!(a, b)
}
