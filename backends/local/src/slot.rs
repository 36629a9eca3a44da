use std::time::Duration;

use larder::{Clock, Kept, KeyTtl};
use quick_cache::Weighter;

use crate::{key::Key, time::Time};

/// What an entry takes up besides the bytes of its key and value, roughly: the slot, its links and its place in the
/// table, with the headers of two allocations.
pub(crate) const ENTRY_OVERHEAD: u64 = 128;

/// How far behind the time a coarse reading of it may be.
const COARSE: u64 = NANOS;

/// The nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;

/// A value and the end of its life. Two words, which a hit has in registers.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) value: Kept,
    pub(crate) dies: End,
}

/// The moment a life ends, by the monotonic reading of the backend's clock: the later, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End(u64);

impl End {
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// Ends below it are in nanoseconds, which is the next 292 years; the others, this added, in milliseconds.
    const FAR: u64 = 1 << 63;

    #[inline]
    pub(crate) fn at(moment: Duration) -> Self {
        // By hand, because `as_nanos` counts in 128 bits.
        let nanos =
            (moment.as_secs().checked_mul(NANOS)).and_then(|nanos| nanos.checked_add(moment.subsec_nanos().into()));
        match nanos {
            Some(nanos) if nanos < Self::FAR => Self(nanos),
            _ => Self(u64::try_from(moment.as_millis()).map_or(u64::MAX, |millis| millis | Self::FAR)),
        }
    }

    /// An end at which, and before which, the exact time has to be asked for; what ends later is alive now.
    #[inline]
    pub(crate) fn soon(clock: &Time) -> Self {
        match clock {
            // Far below `FAR`, for the next 292 years.
            Time::System(clock) => Self(clock.monotonic_coarse_nanos() + COARSE),
            Time::Given(clock) => Self::soon_by(&**clock),
        }
    }

    #[cold]
    fn soon_by(clock: &dyn Clock) -> Self {
        let soon = Self::at(clock.monotonic_coarse()).0.saturating_add(COARSE);
        // Beyond, ends are counted in something else.
        if soon < Self::FAR { Self(soon) } else { Self::NEVER }
    }

    fn moment(self) -> Option<Duration> {
        match self {
            Self::NEVER => None,
            Self(nanos) if nanos < Self::FAR => Some(Duration::from_nanos(nanos)),
            Self(millis) => Some(Duration::from_millis(millis - Self::FAR)),
        }
    }
}

impl Slot {
    /// Tells whether the life is over, by the exact time. Reads the clock only where there is a life.
    pub(crate) fn is_dead(&self, clock: &Time) -> bool {
        self.dies != End::NEVER && self.dies <= End::at(clock.monotonic())
    }

    /// The remaining life, or `None` where it is over by now.
    pub(crate) fn ttl(&self, clock: &Time) -> Option<KeyTtl> {
        let Some(dies) = self.dies.moment() else {
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

#[cfg(test)]
mod tests {
    use larder::Expiry;

    use super::*;

    #[test]
    fn an_end_is_the_moment_it_was_made_of_and_a_far_one_is_so_to_the_millisecond() {
        let longest = Duration::from_millis(Expiry::MAX_MILLIS) + Duration::from_hours(24 * 365 * 100);
        for near in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_nanos(End::FAR - 1),
        ] {
            assert_eq!(End::at(near).moment(), Some(near));
        }
        for far in [Duration::from_nanos(End::FAR), longest + Duration::from_nanos(999_999)] {
            let whole = Duration::from_millis(far.as_millis().try_into().unwrap());
            assert_eq!(End::at(far).moment(), Some(whole));
        }
        assert_eq!(End::NEVER.moment(), None);
    }

    #[test]
    fn the_later_end_is_the_greater() {
        let moments = [0, 1, End::FAR - 1, End::FAR, u64::MAX].map(Duration::from_nanos);
        let longest = Duration::from_millis(Expiry::MAX_MILLIS);
        let mut ends: Vec<End> = moments.into_iter().chain([longest]).map(End::at).collect();
        ends.push(End::NEVER);
        assert!(ends.is_sorted_by(|one, other| one < other), "{ends:?}");
    }
}
