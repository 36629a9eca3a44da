use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    time::Duration,
};

use bytes::Bytes;
use larder::{Condition, Error, ErrorKind, Expiry, KeyTtl, Outcome, Result, SetOptions, glob};

/// How many keys a page of a scan looks at, and so the most it can hold.
const PAGE: usize = 512;
/// How many keys every write looks at for expired ones that nobody asks for any more.
const SWEEP: usize = 4;

/// What Redis holds, with its rules and without its protocol. Every method takes the present moment.
#[derive(Debug, Default)]
pub(crate) struct Store {
    slots: BTreeMap<String, Slot>,
    swept_to: Option<String>,
}

#[derive(Debug, Clone)]
struct Slot {
    /// `None` is a key of another type: its content matters to nobody.
    value: Option<Bytes>,
    dies: Option<Duration>,
}

impl Slot {
    fn is_dead(&self, now: Duration) -> bool {
        self.dies.is_some_and(|dies| dies <= now)
    }

    fn ttl(&self, now: Duration) -> KeyTtl {
        // A part of a millisecond counts as a whole one, as it did when the life was given.
        self.dies.map_or(KeyTtl::Persistent, |dies| {
            let millis = dies.saturating_sub(now).as_nanos().div_ceil(1_000_000);
            KeyTtl::Expires(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
        })
    }
}

/// One page of a scan, and the key to go on behind, or `None` at the end.
pub(crate) struct Page {
    pub(crate) keys: Vec<String>,
    pub(crate) resume: Option<String>,
}

impl Store {
    /// The value under `key` and its remaining life.
    pub(crate) fn value(&mut self, key: &str, now: Duration) -> Option<(Bytes, KeyTtl)> {
        let slot = self.living(key, now)?;
        let ttl = slot.ttl(now);
        slot.value.clone().map(|value| (value, ttl))
    }

    pub(crate) fn set(&mut self, key: &str, value: &[u8], options: &SetOptions, now: Duration) -> Result<Outcome> {
        options.check()?;
        self.sweep(now);
        let standing = self.living(key, now);
        let is_kept = options.expiry == Expiry::Keep;
        match (&options.condition, &standing) {
            (Condition::IfAbsent, Some(_)) => return Ok(Outcome::Mismatch),
            (Condition::IfAbsent, None) => {}
            (condition, standing) => {
                let must_stand = is_kept || *condition != Condition::Always;
                if must_stand && let Some(refusal) = refusal(condition, standing.as_deref())? {
                    return Ok(refusal);
                }
            }
        }
        let dies = match options.expiry {
            Expiry::After(span) => Some(now + Duration::from_millis(Expiry::whole_millis(span)?)),
            Expiry::Keep => standing.and_then(|slot| slot.dies),
            _ => None,
        };
        let slot = Slot {
            value: Some(Bytes::copy_from_slice(value)),
            dies,
        };
        self.slots.insert(key.to_owned(), slot);
        Ok(Outcome::Done)
    }

    pub(crate) fn delete(&mut self, key: &str, condition: &Condition, now: Duration) -> Result<Outcome> {
        self.change(key, condition, now, |slots| {
            slots.remove(key);
        })
    }

    pub(crate) fn expire(
        &mut self,
        key: &str,
        after: Duration,
        condition: &Condition,
        now: Duration,
    ) -> Result<Outcome> {
        condition.check_for_change()?;
        let dies = now + Duration::from_millis(Expiry::whole_millis(after)?);
        self.change(key, condition, now, |slots| {
            if let Some(slot) = slots.get_mut(key) {
                slot.dies = Some(dies);
            }
        })
    }

    pub(crate) fn persist(&mut self, key: &str, condition: &Condition, now: Duration) -> Result<Outcome> {
        self.change(key, condition, now, |slots| {
            if let Some(slot) = slots.get_mut(key) {
                slot.dies = None;
            }
        })
    }

    fn change(
        &mut self,
        key: &str,
        condition: &Condition,
        now: Duration,
        act: impl FnOnce(&mut BTreeMap<String, Slot>),
    ) -> Result<Outcome> {
        condition.check_for_change()?;
        self.sweep(now);
        let standing = self.living(key, now);
        let refusal = match condition {
            Condition::Always => standing.is_none().then_some(Outcome::Missing),
            condition => refusal(condition, standing.as_deref())?,
        };
        Ok(refusal.unwrap_or_else(|| {
            act(&mut self.slots);
            Outcome::Done
        }))
    }

    /// The next page of living keys behind `cursor`, in key order, that match `pattern`.
    pub(crate) fn page(&mut self, pattern: &str, cursor: Option<&str>, now: Duration) -> Page {
        let from = cursor.map_or(Unbounded, Excluded);
        let mut looked_at = 0;
        let (mut keys, mut dead, mut last) = (Vec::new(), Vec::new(), None);
        for (key, slot) in self.slots.range::<str, _>((from, Unbounded)).take(PAGE) {
            looked_at += 1;
            last = Some(key);
            if slot.is_dead(now) {
                dead.push(key.clone());
            } else if glob::matches(pattern, key) {
                keys.push(key.clone());
            }
        }
        let resume = last.filter(|_| looked_at == PAGE).cloned();
        for key in dead {
            self.slots.remove(&key);
        }
        Page { keys, resume }
    }

    pub(crate) fn insert_other_type(&mut self, key: String) {
        self.slots.insert(
            key,
            Slot {
                value: None,
                dies: None,
            },
        );
    }

    pub(crate) fn holds_other_type(&mut self, key: &str, now: Duration) -> bool {
        self.living(key, now).is_some_and(|slot| slot.value.is_none())
    }

    pub(crate) fn len(&self, now: Duration) -> usize {
        self.slots.values().filter(|slot| !slot.is_dead(now)).count()
    }

    /// How many slots take up memory, expired ones included.
    #[cfg(test)]
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What stands under `key`; an expired slot is removed on the way.
    fn living(&mut self, key: &str, now: Duration) -> Option<&mut Slot> {
        if self.slots.get(key)?.is_dead(now) {
            self.slots.remove(key);
        }
        self.slots.get_mut(key)
    }

    /// Looks at the next few keys in turn and removes the expired ones, so that they never outnumber the living
    /// for long even where nobody reads them again.
    fn sweep(&mut self, now: Duration) {
        let from = self.swept_to.as_deref().map_or(Unbounded, Excluded);
        let seen: Vec<(String, bool)> = (self.slots.range::<str, _>((from, Unbounded)).take(SWEEP))
            .map(|(key, slot)| (key.clone(), slot.is_dead(now)))
            .collect();
        for (key, _) in seen.iter().filter(|(_, is_dead)| *is_dead) {
            self.slots.remove(key);
        }
        // At the end it begins again: it would follow for ever whoever writes keys in ascending order.
        let has_more = seen.len() == SWEEP;
        self.swept_to = seen.into_iter().next_back().filter(|_| has_more).map(|(key, _)| key);
    }
}

/// Why a write that needs a value to stand can not act, or `None` where it can.
fn refusal(condition: &Condition, standing: Option<&Slot>) -> Result<Option<Outcome>> {
    let Some(slot) = standing else {
        return Ok(Some(Outcome::Missing));
    };
    let Some(value) = &slot.value else {
        return Err(Error::new(
            ErrorKind::Server,
            "the key holds a value of another type, which the condition can not be tested on",
        ));
    };
    Ok(match condition {
        Condition::IfStartsWith(prefix) if !value.starts_with(prefix) => Some(Outcome::Mismatch),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(secs: u64) -> SetOptions {
        SetOptions::new(Expiry::After(Duration::from_secs(secs)))
    }

    #[test]
    fn expired_keys_that_nobody_reads_do_not_pile_up() {
        let mut store = Store::default();
        for n in 0..100_000_u64 {
            store
                .set(&format!("{n}"), b"v", &after(10), Duration::from_millis(n * 100))
                .unwrap();
        }
        assert!(store.slots() < 1_000, "{} slots for 100 living keys", store.slots());
    }

    #[test]
    fn an_expired_key_that_is_met_is_removed() {
        let mut store = Store::default();
        store.set("k", b"v", &after(1), Duration::ZERO).unwrap();
        assert!(store.value("k", Duration::from_secs(1)).is_none());
        assert_eq!(store.slots(), 0);
    }

    #[test]
    fn a_page_looks_at_a_bounded_number_of_keys() {
        let mut store = Store::default();
        for n in 0..2_000 {
            store.set(&format!("{n:04}"), b"v", &after(1), Duration::ZERO).unwrap();
        }
        let page = store.page("1999", None, Duration::ZERO);
        assert!(page.keys.is_empty());
        assert_eq!(page.resume.as_deref(), Some("0511"));
    }
}
