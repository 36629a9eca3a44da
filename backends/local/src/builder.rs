use std::{sync::Arc, thread};

use larder::{Clock, SystemClock};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, sync::DefaultLifecycle};

use crate::{
    LocalBackend,
    map::{Entries, Map},
    slot::Weight,
    time::Time,
};

/// A shard of a map that is bounded by bytes is at least this large, or the map has one shard: no entry can be larger
/// than a shard.
const MIN_SHARD_BYTES: u64 = 8 << 20;
/// A shard of a map that is bounded by entries holds at least as many, so that an uneven spread of the keys costs few.
const MIN_SHARD_ENTRIES: u64 = 1_024;
/// What an entry is taken to weigh where bytes are counted; decides how many evicted keys are remembered.
const LIKELY_ENTRY_BYTES: u64 = 1_024;

/// Sets up a [`LocalBackend`].
///
/// # Examples
///
/// ```
/// use larder::ManualClock;
/// use larder_local::LocalBackend;
///
/// let backend = LocalBackend::builder()
///     .max_bytes(64 << 20)
///     .clock(ManualClock::new())
///     .build();
/// assert!(backend.is_empty());
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct LocalBuilder {
    weight: Weight,
    bound: u64,
    clock: Option<Time>,
}

impl LocalBuilder {
    pub(crate) fn new() -> Self {
        Self {
            weight: Weight::Entries,
            bound: 10_000,
            clock: None,
        }
    }

    /// Bounds the map by the number of its entries. Default: 10 000. The later of the two bounds counts.
    pub fn capacity(mut self, entries: usize) -> Self {
        (self.weight, self.bound) = (Weight::Entries, entries as u64);
        self
    }

    /// Bounds the map by bytes: those of its keys and values and 128 for each entry. The later of the two bounds
    /// counts.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        (self.weight, self.bound) = (Weight::Bytes, bytes);
        self
    }

    /// Takes the time from `clock`, by whose monotonic reading entries expire. Default: the system's clock, which a hit asks
    /// sooner where it is not given here.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Time::Given(Arc::new(clock)));
        self
    }

    /// Makes the empty map.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it can not panic, as the `expect` says")]
    pub fn build(self) -> LocalBackend {
        let (min_shard, likely_entries) = match self.weight {
            Weight::Entries => (MIN_SHARD_ENTRIES, self.bound),
            Weight::Bytes => (MIN_SHARD_BYTES, self.bound / LIKELY_ENTRY_BYTES),
        };
        let shards = shards(self.bound, min_shard);
        let options = OptionsBuilder::new()
            .weight_capacity(self.bound)
            // At least 32 for each shard, below which quick_cache would take fewer shards than it was asked for.
            .estimated_items_capacity(usize::try_from(likely_entries).unwrap_or(usize::MAX).max(32 * shards))
            .shards(shards)
            .build()
            .expect("both capacities are set, which is all that is checked");
        let hasher = DefaultHashBuilder::default();
        let entries = Entries::with_options(options, self.weight, hasher, DefaultLifecycle::default());
        let clock = self.clock.unwrap_or_else(|| Time::System(SystemClock::new()));
        LocalBackend::new(Map::new(entries, clock))
    }
}

/// As many shards as four threads per core would spread over, a power of two, none below `min_shard`.
fn shards(bound: u64, min_shard: u64) -> usize {
    let wanted = thread::available_parallelism().map_or(4, |cores| 4 * cores.get());
    let room = usize::try_from(bound / min_shard).unwrap_or(usize::MAX);
    let most = wanted.next_power_of_two().min(room).max(1);
    // The highest power of two that is not above it.
    1 << most.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_map_has_one_shard_so_that_its_bound_is_what_it_says() {
        assert_eq!(shards(0, 1_024), 1);
        assert_eq!(shards(2_000, 1_024), 1);
        assert_eq!(shards(MIN_SHARD_BYTES, MIN_SHARD_BYTES), 1);
    }

    #[test]
    fn no_shard_is_below_the_least_size() {
        for bound in [3 * 1_024, 5 * 1_024, 1 << 30] {
            assert!(bound / shards(bound, 1_024) as u64 >= 1_024);
        }
    }
}
