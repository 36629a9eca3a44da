//! What stands beside a cached function.

use larder::{Cache, cached};

use crate::support::{Memory, Runs, block_on, memory};

#[cached(cache = cache, key = "{id}", ttl = "1h", bypass = |id| id % 2 == 1, skip(runs))]
async fn odd_ones_are_fresh(cache: &Memory, id: u32, runs: &Runs) -> usize {
    runs.run()
}

#[cached(cache = cache, key = "{id}", ttl = "1h", bypass = fresh, skip(runs, fresh))]
async fn fresh_on_request(cache: &Memory, id: u32, fresh: bool, runs: &Runs) -> usize {
    runs.run()
}

#[test]
fn bypass_skips_the_read_and_still_stores() {
    let (cache, runs) = (memory(), Runs::default());
    block_on(async {
        assert_eq!(odd_ones_are_fresh(&cache, 2, &runs).await, 1);
        assert_eq!(odd_ones_are_fresh(&cache, 2, &runs).await, 1);
        assert_eq!(odd_ones_are_fresh(&cache, 3, &runs).await, 2);
        assert_eq!(odd_ones_are_fresh(&cache, 3, &runs).await, 3);
        assert_eq!(odd_ones_are_fresh::peek(&cache, 3).await.unwrap(), Some(3));
        assert_eq!(fresh_on_request(&cache, 7, false, &runs).await, 4);
        assert_eq!(fresh_on_request(&cache, 7, true, &runs).await, 5);
        assert_eq!(fresh_on_request(&cache, 7, false, &runs).await, 5);
    });
}

#[test]
fn refresh_loads_whatever_is_cached_and_stores_it() {
    let (cache, runs) = (memory(), Runs::default());
    block_on(async {
        assert_eq!(odd_ones_are_fresh(&cache, 2, &runs).await, 1);
        assert_eq!(odd_ones_are_fresh::refresh(&cache, 2, &runs).await, 2);
        assert_eq!(odd_ones_are_fresh(&cache, 2, &runs).await, 2);
        assert_eq!(cache.stats().loads, 2);
    });
}

#[test]
fn the_key_is_that_of_the_cache_without_its_prefix() {
    let cache = Cache::builder(larder_memory::MemoryBackend::new())
        .prefix("app")
        .build()
        .unwrap();
    block_on(async {
        odd_ones_are_fresh(&cache, 2, &Runs::default()).await;
        let key = odd_ones_are_fresh::key(&cache, 2);
        assert_eq!(cache.get(&key).await.unwrap(), Some(1_usize));
        assert!(cache.delete(&key).await.unwrap());
        assert!(!odd_ones_are_fresh::invalidate(&cache, 2).await.unwrap());
    });
}

/// Shown in the docs of both.
#[cfg(test)]
#[cached(cache = cache, key = "{id}:{tag}", ttl = "1h")]
#[cfg(test)]
#[expect(unused_variables, reason = "it holds for the body alone")]
#[must_use]
pub(crate) async fn attributed(cache: &Memory, id: u8, tag: String) -> usize {
    let unused = 0;
    usize::from(id) + tag.len()
}

#[test]
fn attributes_are_kept() {
    assert_eq!(block_on(attributed(&memory(), 1, "a".into())), 2);
    assert_eq!(attributed::key(&memory(), 1, "a".into()), "1:a");
}

#[test]
fn what_carries_the_calls_has_no_values() {
    assert_eq!(size_of::<Option<attributed>>(), 0);
}
