use std::{hash::BuildHasher, time::Duration};

use bytes::Bytes;
use crossbeam_utils::CachePadded;
use larder::{Condition, Expiry, Kept, KeyTtl, Outcome, Result, SetOptions};
use parking_lot::{Mutex, MutexGuard};
use quick_cache::{DefaultHashBuilder, sync::Cache};

use crate::{
    key::{Key, Parts},
    slot::{End, Slot, Weight},
    time::Time,
};

pub(crate) type Entries = Cache<Key, Slot, Weight>;

/// How many writers of different keys can be at work at once; a power of two.
const STRIPES: usize = 64;

/// The entries, and what makes a conditional write of them one step.
///
/// Reads go to `quick_cache` alone. A write first takes the lock of its key's stripe, so what it finds still stands
/// when it acts; only an eviction may come between, which is allowed at any time. The `entry` of `quick_cache` would do
/// without the stripes, but it needs an owned key for every call and leaves a placeholder where nothing stood,
/// which other writers then have to wait for.
pub(crate) struct Map {
    entries: Entries,
    /// Each in a line of its own: locks of other keys would else take the line from each other.
    stripes: Box<[CachePadded<Mutex<()>>]>,
    hasher: DefaultHashBuilder,
    clock: Time,
}

impl Map {
    pub(crate) fn new(entries: Entries, clock: Time) -> Self {
        Self {
            entries,
            stripes: (0..STRIPES).map(|_| CachePadded::new(Mutex::new(()))).collect(),
            hasher: DefaultHashBuilder::default(),
            clock,
        }
    }

    pub(crate) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// The value under `key`; an expired entry is removed on the way.
    #[inline]
    pub(crate) fn read(&self, key: &Parts<'_, '_>) -> Option<Kept> {
        // Before the look: while the key is hashed the clock costs little, behind the lock it is waited for.
        let soon = End::soon(&self.clock);
        let slot = self.entries.get(key)?;
        if slot.dies > soon || !slot.is_dead(&self.clock) {
            return Some(slot.value);
        }
        self.remove_dead(key);
        None
    }

    /// The value under `key` with its remaining life, as [`read`](Self::read) has it.
    pub(crate) fn read_with_life(&self, key: &Parts<'_, '_>) -> Option<(Kept, KeyTtl)> {
        let slot = self.entries.get(key)?;
        if let Some(ttl) = slot.ttl(&self.clock) {
            return Some((slot.value, ttl));
        }
        self.remove_dead(key);
        None
    }

    pub(crate) fn set(&self, key: &str, value: &[u8], options: &SetOptions) -> Result<Outcome> {
        options.check()?;
        let _writer = self.writer(key);
        let standing = self.standing(key);
        let refusal = match &options.condition {
            Condition::Always if options.expiry != Expiry::Keep => None,
            Condition::IfAbsent => standing.as_ref().map(|_| Outcome::Mismatch),
            condition => refusal(condition, standing.as_ref()),
        };
        if let Some(outcome) = refusal {
            return Ok(outcome);
        }
        let dies = match options.expiry {
            Expiry::After(span) => self.end_after(span)?,
            Expiry::Keep => standing.map_or(End::NEVER, |slot| slot.dies),
            _ => End::NEVER,
        };
        let value = Kept::new(Bytes::copy_from_slice(value));
        self.entries.insert(key.into(), Slot { value, dies });
        Ok(Outcome::Done)
    }

    pub(crate) fn delete(&self, key: &str, condition: &Condition) -> Result<Outcome> {
        condition.check_for_change()?;
        let _writer = self.writer(key);
        Ok(refusal(condition, self.standing(key).as_ref()).unwrap_or_else(|| {
            self.entries.remove(&Parts::whole(key));
            Outcome::Done
        }))
    }

    pub(crate) fn expire(&self, key: &str, after: Duration, condition: &Condition) -> Result<Outcome> {
        condition.check_for_change()?;
        let dies = self.end_after(after)?;
        Ok(self.change_life(key, condition, dies))
    }

    pub(crate) fn persist(&self, key: &str, condition: &Condition) -> Result<Outcome> {
        condition.check_for_change()?;
        Ok(self.change_life(key, condition, End::NEVER))
    }

    fn change_life(&self, key: &str, condition: &Condition, dies: End) -> Outcome {
        let _writer = self.writer(key);
        let standing = self.standing(key);
        if let Some(outcome) = refusal(condition, standing.as_ref()) {
            return outcome;
        }
        if let Some(slot) = standing {
            // Not `replace`: a reader that met the end of the old life meanwhile has removed the entry.
            self.entries.insert(key.into(), Slot { dies, ..slot });
        }
        Outcome::Done
    }

    /// Removes what stands under `key` if its life is over.
    pub(crate) fn remove_dead(&self, key: &Parts<'_, '_>) {
        self.entries.remove_if(key, |slot| slot.is_dead(&self.clock));
    }

    pub(crate) fn is_dead(&self, slot: &Slot) -> bool {
        slot.is_dead(&self.clock)
    }

    /// Holds off every other write of `key`.
    fn writer(&self, key: &str) -> MutexGuard<'_, ()> {
        // The low bits alone choose, so it does not matter what a narrow `usize` cuts off.
        #[expect(clippy::cast_possible_truncation, reason = "see above")]
        let stripe = self.hasher.hash_one(key) as usize % STRIPES;
        self.stripes[stripe].lock()
    }

    /// What stands under `key`, for a write that holds off the others. Does not count as a use of the entry.
    fn standing(&self, key: &str) -> Option<Slot> {
        let slot = self.entries.peek(&Parts::whole(key))?;
        if slot.is_dead(&self.clock) {
            self.entries.remove(&Parts::whole(key));
            return None;
        }
        Some(slot)
    }

    fn end_after(&self, span: Duration) -> Result<End> {
        let millis = Expiry::whole_millis(span)?;
        Ok(End::at(self.clock.monotonic() + Duration::from_millis(millis)))
    }
}

/// Why a write that needs a value to stand can not act, or `None` where it can.
fn refusal(condition: &Condition, standing: Option<&Slot>) -> Option<Outcome> {
    match (standing, condition) {
        (None, _) => Some(Outcome::Missing),
        (Some(slot), Condition::IfStartsWith(prefix)) if !slot.value.bytes().starts_with(prefix) => {
            Some(Outcome::Mismatch)
        }
        (Some(_), _) => None,
    }
}
