//! What calls allocate, counted exactly, on the thread that makes them; and that what they hold at once does not grow.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use allocation_counter::measure;
use bytes::Bytes;
use futures::executor::block_on;
use larder::{Cache, CacheBackend, Ending, Expiry, Hook, NoCompression, Operation, OperationKind, SetOptions};
use larder_local::LocalBackend;
use serde::{Deserialize, Serialize};

mod growth;
mod redis;

/// A struct whose fields are all in place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Position {
    id: u64,
    x: f64,
    y: f64,
    is_known: bool,
}

const HERE: Position = Position {
    id: 7,
    x: 0.5,
    y: -0.5,
    is_known: true,
};

/// How often `call` allocates once everything that is kept from call to call is there.
fn allocations(mut call: impl FnMut()) -> u64 {
    (0..3).for_each(|_| call());
    measure(call).count_total
}

fn cache() -> Cache<LocalBackend> {
    let cache = Cache::builder(LocalBackend::with_capacity(100))
        .prefix("app")
        .build()
        .unwrap();
    block_on(cache.set("here", &HERE, "1h")).unwrap();
    cache
}

#[test]
fn a_local_hit_of_a_struct_without_heap_fields_allocates_nothing() {
    let cache = cache();
    let hit = || assert_eq!(block_on(cache.get("here")).unwrap(), Some(HERE));
    assert_eq!(allocations(hit), 0);
}

/// Counts the calls that have ended, and keeps nothing of any.
#[derive(Default)]
struct Ends(AtomicU64);

impl Hook for Ends {
    fn wants(&self, kind: OperationKind) -> bool {
        kind.is_call()
    }

    fn finish(&self, _operation: &Operation<'_>, _ending: &Ending<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_hook_that_keeps_nothing_of_a_call_adds_one_allocation() {
    let ends = Arc::new(Ends::default());
    let cache = cache().with_hooks([ends.clone() as Arc<dyn Hook>]);
    let hit = || assert_eq!(block_on(cache.get("here")).unwrap(), Some(HERE));
    assert_eq!(allocations(hit), 1);
    assert_eq!(ends.0.load(Ordering::Relaxed), 4);
}

#[test]
fn a_local_miss_allocates_nothing() {
    let cache = cache();
    let miss = || assert!(block_on(cache.get::<Position>("there")).unwrap().is_none());
    assert_eq!(allocations(miss), 0);
}

#[test]
fn a_shared_local_hit_allocates_nothing_whatever_the_value_holds() {
    let cache = cache();
    block_on(cache.set("text", &vec!["some", "words"], "1h")).unwrap();
    let hit = || {
        let found = block_on(cache.get_shared::<Vec<String>>("text")).unwrap();
        assert_eq!(found.unwrap().len(), 2);
    };
    assert_eq!(allocations(hit), 0);
}

#[test]
fn a_local_write_allocates_no_more_than_its_entry_and_what_the_map_keeps() {
    let cache = cache();
    let backend = cache.backend().clone();
    let options = SetOptions::new(Expiry::Never);
    let entry = Bytes::from_static(&[7; 60]);
    let beneath = allocations(|| {
        assert!(
            block_on(backend.set("app:raw", entry.clone(), options.clone()))
                .unwrap()
                .is_done()
        );
    });
    let whole = allocations(|| block_on(cache.set("here", &HERE, "1h")).unwrap());
    // The physical key and the entry.
    assert_eq!(whole - beneath, 2);
}

#[test]
fn compressing_allocates_nothing_once_its_buffers_are_there() {
    let text = "a line that comes again and again\n".repeat(200);
    let backend = LocalBackend::with_capacity(100);
    let snappy = Cache::builder(backend.clone()).build().unwrap();
    let plain = Cache::builder(backend).compressor(NoCompression).build().unwrap();
    let compressed = allocations(|| block_on(snappy.set("text", &text, "1h")).unwrap());
    let stored = allocations(|| block_on(plain.set("text", &text, "1h")).unwrap());
    assert_eq!(compressed, stored);
}
