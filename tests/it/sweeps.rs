//! The removal of many keys, and how far it has come.

use bytes::Bytes;
use larder::{Breaker, Cache, CacheBackend, ErrorKind, Expiry, Fallback, SetOptions, SweepProgress};
use larder_memory::{MemoryBackend, Operation};
use parking_lot::Mutex;

use crate::backends::block_on;

const KEYS: u64 = 3_000;

fn filled() -> MemoryBackend {
    let store = MemoryBackend::new();
    for id in 0..KEYS {
        let forever = SetOptions::new(Expiry::Never);
        let key = format!("app:user:{id}");
        block_on(store.set(&key, Bytes::from_static(b"v"), forever)).unwrap();
    }
    store
}

fn told_by<B: CacheBackend>(backend: B) -> Vec<SweepProgress> {
    let cache = Cache::builder(backend).prefix("app").build().unwrap();
    let told = Mutex::new(Vec::new());
    let removed = block_on(cache.clear_with(|progress| told.lock().push(progress)));
    assert_eq!(removed.unwrap(), KEYS);
    told.into_inner()
}

#[test]
fn a_long_removal_tells_how_far_it_has_come_and_counts_up_to_the_end() {
    let told = told_by(filled());
    assert!(told.len() >= 6, "{told:?}");
    assert!(told.is_sorted_by_key(|progress| (progress.seen, progress.removed)));
    assert_eq!(told.last(), Some(&SweepProgress::new(KEYS, KEYS)));
}

#[test]
fn every_layer_hands_on_how_far_it_has_come() {
    let expected = told_by(filled());
    assert_eq!(told_by(Breaker::new(filled())), expected);
    assert_eq!(told_by(larder::Batched::new(filled())), expected);
    assert_eq!(told_by(Fallback::new(filled(), MemoryBackend::new())), expected);
    assert_eq!(told_by(std::sync::Arc::new(filled())), expected);
}

#[test]
fn a_removal_that_fails_has_told_what_it_removed_before() {
    let store = filled();
    let cache = Cache::builder(store.clone()).prefix("app").build().unwrap();
    let last = Mutex::new(SweepProgress::default());
    let progress = |progress: SweepProgress| {
        *last.lock() = progress;
        store
            .faults()
            .fail_next_of(Operation::DeleteMany, 1, ErrorKind::Connection);
    };
    let error = block_on(cache.delete_pattern_with("user:*", progress)).unwrap_err();
    let removed = KEYS - store.len() as u64;
    assert!(removed > 0);
    assert_eq!(last.lock().removed, removed);
    assert!(
        error
            .to_string()
            .contains(&format!("after {removed} keys were removed")),
        "{error}"
    );
}
