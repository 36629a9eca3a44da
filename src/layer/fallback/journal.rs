use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use super::widen::Widened;
use crate::{glob, layer::Listener};

/// Patterns beyond so many are widened: each is matched against the key of every call while the journal holds it.
const MAX_PATTERNS: usize = 256;
/// A longer key is widened at once, so that the journal's memory is bounded by its number of keys.
const MAX_KEY_BYTES: usize = 1024;

/// What the primary holds that is older than the last write of this process, and therefore has to go.
///
/// Every entry carries the number of the last write that put it here. Whoever removes it names the number that stood
/// before the primary was told to delete, so a write that came in between keeps its entry.
#[derive(Debug)]
pub(super) struct Journal {
    capacity: usize,
    /// The number of entries, of every kind: what a call on a healthy primary looks at, and nothing else.
    len: AtomicUsize,
    inside: Mutex<Inside>,
    /// Who is told of entries that found no place of their own.
    overflow: Listener<()>,
}

#[derive(Default)]
struct Inside {
    keys: HashMap<Arc<str>, Pending>,
    patterns: HashMap<Arc<str>, u64>,
    widened: Widened,
    next: u64,
    overflowed: u64,
}

#[derive(Clone, Copy)]
struct Pending {
    number: u64,
    /// Writes to the secondary that are under way. Until they are over, the entry stays: its end would leave what
    /// they write behind.
    writers: usize,
}

/// That a key may not be read at the primary, and the last write that said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// `None` where only a pattern covers the key.
    pub(super) number: Option<u64>,
}

/// What is to be deleted at the primary, as it was at one moment.
#[derive(Default)]
pub(super) struct Due {
    pub(super) keys: Vec<(Arc<str>, u64)>,
    pub(super) patterns: Vec<(Arc<str>, u64)>,
}

/// How much a journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JournalStats {
    /// Keys that are to be deleted at the primary.
    pub keys: usize,
    /// Patterns that are to be deleted at the primary, those that stand for keys beyond the capacity included.
    pub patterns: usize,
    /// Writes that found no place of their own and widened a pattern, since the layer was made.
    pub overflowed: u64,
}

impl Journal {
    pub(super) fn new(capacity: usize, overflow: Listener<()>) -> Self {
        Self {
            capacity,
            len: AtomicUsize::new(0),
            inside: Mutex::default(),
            overflow,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    pub(super) fn stats(&self) -> JournalStats {
        let inside = self.inside.lock();
        JournalStats {
            keys: inside.keys.len(),
            patterns: inside.patterns.len() + inside.widened.len(),
            overflowed: inside.overflowed,
        }
    }

    /// The mark on `key`, or `None` where the primary may be asked.
    pub(super) fn mark(&self, key: &str) -> Option<Mark> {
        if self.is_empty() {
            return None;
        }
        let inside = self.inside.lock();
        let number = inside.keys.get(key).map(|pending| pending.number);
        (number.is_some() || inside.covers(key)).then_some(Mark { number })
    }

    /// Tells whether what the secondary has under `key` is the last that was written.
    pub(super) fn holds(&self, key: &str) -> bool {
        !self.is_empty() && self.inside.lock().keys.contains_key(key)
    }

    /// Enters `key` for a write to the secondary, or answers `None` where there is no place: then the secondary must
    /// not be written.
    pub(super) fn begin<'a>(&'a self, key: &'a str) -> Option<Writing<'a>> {
        let mut inside = self.inside.lock();
        let number = inside.number();
        let has_place = if let Some(pending) = inside.keys.get_mut(key) {
            pending.number = number;
            pending.writers += 1;
            true
        } else if inside.keys.len() < self.capacity && key.len() <= MAX_KEY_BYTES {
            inside.keys.insert(key.into(), Pending { number, writers: 1 });
            true
        } else {
            inside.overflowed += 1;
            inside.widened.add(key, number);
            false
        };
        self.count(&inside);
        drop(inside);
        if !has_place {
            self.overflow.tell(());
        }
        has_place.then(|| Writing { journal: self, key })
    }

    /// Enters a pattern every key of which is to go.
    pub(super) fn add_pattern(&self, pattern: &str) {
        let mut inside = self.inside.lock();
        let number = inside.number();
        let overflowed = inside.overflowed;
        if inside.patterns.len() < MAX_PATTERNS || inside.patterns.contains_key(pattern) {
            inside.patterns.insert(pattern.into(), number);
        } else {
            inside.overflowed += 1;
            inside.widened.add(glob::literal_prefix(pattern).as_ref(), number);
        }
        self.count(&inside);
        let has_overflowed = inside.overflowed > overflowed;
        drop(inside);
        if has_overflowed {
            self.overflow.tell(());
        }
    }

    /// Removes `key`, unless it was written since it had this number or is being written; answers whether it did.
    pub(super) fn done(&self, key: &str, number: u64) -> bool {
        let mut inside = self.inside.lock();
        let is_done = (inside.keys.get(key)).is_some_and(|pending| pending.number == number && pending.writers == 0);
        if is_done {
            inside.keys.remove(key);
        }
        self.count(&inside);
        is_done
    }

    /// Removes a pattern, unless it was entered again since it had this number.
    pub(super) fn done_pattern(&self, pattern: &str, number: u64) {
        let mut inside = self.inside.lock();
        if inside.patterns.get(pattern) == Some(&number) {
            inside.patterns.remove(pattern);
        }
        inside.widened.done(pattern, number);
        self.count(&inside);
    }

    pub(super) fn due(&self) -> Due {
        let inside = self.inside.lock();
        let keys = inside.keys.iter();
        let patterns = inside.patterns.iter();
        Due {
            keys: keys.map(|(key, pending)| (Arc::clone(key), pending.number)).collect(),
            patterns: patterns
                .map(|(pattern, number)| (Arc::clone(pattern), *number))
                .chain(inside.widened.patterns())
                .collect(),
        }
    }

    fn count(&self, inside: &Inside) {
        let len = inside.keys.len() + inside.patterns.len() + inside.widened.len();
        self.len.store(len, Ordering::Release);
    }
}

impl Inside {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn covers(&self, key: &str) -> bool {
        self.widened.covers(key) || self.patterns.keys().any(|pattern| glob::matches(pattern, key))
    }
}

// By hand: keys and patterns are nobody's to print.
impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inside")
            .field("keys", &self.keys.len())
            .field("patterns", &self.patterns.len())
            .finish_non_exhaustive()
    }
}

/// A write to the secondary, for as long as it is under way.
#[must_use]
pub(super) struct Writing<'a> {
    journal: &'a Journal,
    key: &'a str,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut inside = self.journal.inside.lock();
        // Whoever cleared the secondary while this was under way may have cleared it too early.
        let number = inside.number();
        if let Some(pending) = inside.keys.get_mut(self.key) {
            pending.writers -= 1;
            pending.number = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(journal: &Journal, key: &str) -> u64 {
        journal.mark(key).and_then(|mark| mark.number).unwrap()
    }

    #[test]
    fn an_entry_that_was_written_again_outlives_the_delete_of_the_first_write() {
        let journal = Journal::new(10, Listener(None));
        drop(journal.begin("k"));
        let first = number(&journal, "k");
        drop(journal.begin("k"));
        journal.done("k", first);
        assert!(journal.holds("k"));
        journal.done("k", number(&journal, "k"));
        assert!(journal.is_empty());
    }

    #[test]
    fn an_entry_stays_while_the_secondary_is_being_written() {
        let journal = Journal::new(10, Listener(None));
        let writing = journal.begin("k");
        journal.done("k", number(&journal, "k"));
        assert!(journal.holds("k"));
        drop(writing);
        journal.done("k", number(&journal, "k"));
        assert!(!journal.holds("k"));
    }

    #[test]
    fn an_entry_stays_where_the_secondary_was_cleared_before_a_write_to_it_was_over() {
        let journal = Journal::new(10, Listener(None));
        let writing = journal.begin("k");
        let cleared = number(&journal, "k");
        drop(writing);
        journal.done("k", cleared);
        assert!(journal.holds("k"), "what was written is left behind without a mark");
        journal.done("k", number(&journal, "k"));
        assert!(journal.is_empty());
    }

    #[test]
    fn a_key_beyond_the_capacity_widens_a_pattern_and_is_not_lost() {
        let journal = Journal::new(1, Listener(None));
        assert!(journal.begin("app:a").is_some());
        for key in ["app:user:1", "app:user:2", &"app:long".repeat(1_000)] {
            assert!(journal.begin(key).is_none());
            assert_eq!(journal.mark(key), Some(Mark { number: None }));
        }
        assert_eq!(journal.mark("other:1"), None);
        let stats = journal.stats();
        assert_eq!((stats.keys, stats.patterns, stats.overflowed), (1, 1, 3));
    }

    #[test]
    fn patterns_beyond_the_most_are_widened_and_not_lost() {
        let journal = Journal::new(10, Listener(None));
        let patterns: Vec<String> = (0..MAX_PATTERNS + 10).map(|n| format!("app:{n}:*")).collect();
        for pattern in &patterns {
            journal.add_pattern(pattern);
        }
        for n in 0..patterns.len() {
            assert!(journal.mark(&format!("app:{n}:key")).is_some());
        }
        let due = journal.due();
        assert_eq!(due.patterns.len(), MAX_PATTERNS + 1);
        for (pattern, number) in due.patterns {
            journal.done_pattern(&pattern, number);
        }
        assert!(journal.is_empty());
    }
}
