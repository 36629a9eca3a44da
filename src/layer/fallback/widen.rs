use std::sync::Arc;

use crate::glob;

/// Beyond so many, all prefixes become one.
const MAX_PREFIXES: usize = 64;

/// What stands for the keys that found no place: few prefixes that cover them all.
///
/// Keys are put together by what stands before their first colon, the outermost part of a cache's prefix, and each
/// group is covered by what its keys have in common. So a service with a prefix never deletes what is not
/// its own, however many keys it wrote, unless its keys begin in more than 64 different ways.
#[derive(Debug, Default)]
pub(super) struct Widened {
    prefixes: Vec<Prefix>,
}

#[derive(Debug)]
struct Prefix {
    covered: String,
    number: u64,
}

impl Widened {
    pub(super) fn len(&self) -> usize {
        self.prefixes.len()
    }

    pub(super) fn covers(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(&prefix.covered))
    }

    pub(super) fn add(&mut self, key: &str, number: u64) {
        let group = group(key);
        let same = (self.prefixes.iter_mut()).find(|prefix| self::group(&prefix.covered) == group);
        if let Some(prefix) = same {
            prefix.widen(key);
            prefix.number = number;
            return;
        }
        let covered = key.to_owned();
        self.prefixes.push(Prefix { covered, number });
        if self.prefixes.len() > MAX_PREFIXES {
            let mut all = self.prefixes.split_off(1);
            for prefix in all.drain(..) {
                self.prefixes[0].widen(&prefix.covered);
            }
            self.prefixes[0].number = number;
        }
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = (Arc<str>, u64)> + '_ {
        self.prefixes.iter().map(|prefix| (prefix.pattern(), prefix.number))
    }

    /// Removes the prefix of this pattern, unless a key was added to it since it had this number.
    pub(super) fn done(&mut self, pattern: &str, number: u64) {
        self.prefixes
            .retain(|prefix| prefix.number != number || &*prefix.pattern() != pattern);
    }
}

impl Prefix {
    fn widen(&mut self, key: &str) {
        let common = (self.covered.char_indices().zip(key.chars())).find(|((_, ours), theirs)| ours != theirs);
        let end = common.map_or(self.covered.len().min(key.len()), |((at, _), _)| at);
        self.covered.truncate(end);
    }

    fn pattern(&self) -> Arc<str> {
        format!("{}*", glob::escape(&self.covered)).into()
    }
}

/// The key up to its first colon and with it, or nothing where it has none.
fn group(key: &str) -> &str {
    key.find(':').map_or("", |colon| &key[..=colon])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(keys: &[&str]) -> Vec<String> {
        let mut widened = Widened::default();
        for (number, key) in keys.iter().enumerate() {
            widened.add(key, number as u64);
        }
        assert!(keys.iter().all(|key| widened.covers(key)));
        widened.patterns().map(|(pattern, _)| pattern.to_string()).collect()
    }

    #[test]
    fn keys_are_covered_by_what_they_have_in_common() {
        assert_eq!(patterns(&["app:user:1", "app:user:22", "app:user:2"]), ["app:user:*"]);
        assert_eq!(patterns(&["app:user:1", "app:post:1"]), ["app:*"]);
        assert_eq!(patterns(&["app:ключ", "app:клён"]), ["app:кл*"]);
        assert_eq!(patterns(&["a*:1", "a*:2"]), [r"a\*:*"]);
    }

    #[test]
    fn caches_with_different_prefixes_do_not_widen_to_the_whole_database() {
        assert_eq!(patterns(&["a:1", "b:1", "a:2", "b:2"]), ["a:*", "b:*"]);
    }

    #[test]
    fn too_many_prefixes_become_one_that_covers_them_all() {
        let keys: Vec<String> = (0..200).map(|n| format!("tenant{n}:key")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert!(patterns(&keys).len() <= MAX_PREFIXES);
        assert_eq!(patterns(&["x", "y"]), ["*"]);
    }

    #[test]
    fn a_prefix_that_was_widened_meanwhile_stays() {
        let mut widened = Widened::default();
        widened.add("app:1", 1);
        widened.add("app:2", 2);
        widened.done("app:*", 1);
        assert_eq!(widened.len(), 1);
        widened.done("app:*", 2);
        assert_eq!(widened.len(), 0);
    }
}
