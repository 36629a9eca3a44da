use std::time::Duration;

use larder::{Clock, Kept, KeyTtl};
use quick_cache::Weighter;

use crate::key::Key;

/// What an entry takes up besides the bytes of its key and value, roughly: the slot, its links and its place in the
/// table, with the headers of two allocations.
pub(crate) const ENTRY_OVERHEAD: u64 = 128;

/// How far behind the time a coarse reading of it may be.
const COARSE: Duration = Duration::from_secs(1);

/// A value and the moment its life ends, by the monotonic reading of the backend's clock.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) value: Kept,
    pub(crate) dies: Option<Duration>,
}

impl Slot {
    /// Tells whether the life is over. Reads the clock only where there is a life: most hits need not.
    pub(crate) fn is_dead(&self, clock: &dyn Clock) -> bool {
        self.dies.is_some_and(|dies| dies <= clock.monotonic())
    }

    /// The same for a hit, which most often need not know the time exactly.
    #[inline]
    pub(crate) fn is_dead_to_a_reader(&self, clock: &dyn Clock) -> bool {
        let is_far_off = |dies| dies > clock.monotonic_coarse() + COARSE;
        self.dies
            .is_some_and(|dies| !is_far_off(dies) && dies <= clock.monotonic())
    }

    /// The remaining life, or `None` where it is over by now.
    pub(crate) fn ttl(&self, clock: &dyn Clock) -> Option<KeyTtl> {
        let Some(dies) = self.dies else {
            return Some(KeyTtl::Persistent);
        };
        let left = dies.checked_sub(clock.monotonic()).filter(|left| !left.is_zero())?;
        // A part of a millisecond counts as a whole one, as it did when the life was given.
        let millis = left.subsec_nanos().div_ceil(1_000_000);
        let whole = Duration::from_secs(left.as_secs());
        Some(KeyTtl::Expires(
            whole.saturating_add(Duration::from_millis(millis.into())),
        ))
    }
}

/// What the bound of a map counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weight {
    Entries,
    Bytes,
}

impl Weighter<Key, Slot> for Weight {
    fn weight(&self, key: &Key, slot: &Slot) -> u64 {
        match self {
            Self::Entries => 1,
            Self::Bytes => (key.as_str().len() + slot.value.bytes().len()) as u64 + ENTRY_OVERHEAD,
        }
    }
}
