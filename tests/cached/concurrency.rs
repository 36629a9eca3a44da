//! Many callers at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use larder::{Cache, cached};
use larder_local::LocalBackend;

use crate::support::{Database, Memory, block_on, memory, once_waiting};

#[cached(cache = cache, key = "value:{id}", ttl = "1h", skip(database))]
async fn value(cache: &Memory, id: u8, database: &Database) -> usize {
    database.read().await
}

#[test]
fn the_body_runs_once_for_1_000_concurrent_callers() {
    let (cache, database) = (memory(), Database::default());
    block_on(async {
        let callers = futures::future::join_all((0..1_000).map(|_| value(&cache, 1, &database)));
        let opened = once_waiting(&cache, 999, || database.open());
        let (answers, ()) = futures::join!(callers, opened);
        assert_eq!(answers, [0; 1_000]);
        assert_eq!(database.loads.count(), 1);
    });
}

#[test]
fn once_invalidate_has_returned_no_caller_sees_what_was_loading_at_that_moment() {
    let (cache, database) = (memory(), Database::default());
    block_on(async {
        let mut old = std::pin::pin!(value(&cache, 1, &database));
        assert!(futures::poll!(&mut old).is_pending());
        database.write();
        value::invalidate(&cache, 1).await.unwrap();

        // A call made now neither shares the old load nor finds it stored, whichever ends first.
        database.open();
        assert_eq!(value(&cache, 1, &database).await, 1);
        assert_eq!(old.await, 0);
        assert_eq!(value::peek(&cache, 1).await.unwrap(), Some(1));
        assert_eq!(value(&cache, 1, &database).await, 1);
        assert_eq!(database.loads.count(), 2);
    });
}

#[cached(cache = cache, key = "racing", ttl = "1h", skip(generation))]
async fn racing(cache: &Cache<LocalBackend>, generation: &AtomicUsize) -> usize {
    let value = generation.load(Ordering::SeqCst);
    tokio::task::yield_now().await;
    value
}

#[test]
fn once_invalidate_has_returned_no_caller_sees_an_older_value_again() {
    const WRITES: usize = 2_000;
    let cache = Cache::new(LocalBackend::with_capacity(100));
    let (generation, floor) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (cache, generation, floor) = (cache.clone(), Arc::clone(&generation), Arc::clone(&floor));
            runtime.spawn(async move {
                let mut hits = 0_usize;
                while floor.load(Ordering::SeqCst) < WRITES {
                    let at_least = floor.load(Ordering::SeqCst);
                    let value = racing(&cache, &generation).await;
                    assert!(value >= at_least, "{value} after {at_least} was invalidated");
                    hits += usize::from(value == at_least);
                    tokio::task::yield_now().await;
                }
                hits
            })
        })
        .collect();
    let writer = runtime.spawn(async move {
        for write in 1..=WRITES {
            generation.store(write, Ordering::SeqCst);
            racing::invalidate(&cache).await.unwrap();
            floor.store(write, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    });
    runtime.block_on(async {
        writer.await.unwrap();
        for reader in readers {
            reader.await.unwrap();
        }
    });
}
