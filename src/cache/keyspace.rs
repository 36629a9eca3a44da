use crate::{
    backend::PhysicalKey,
    error::{Error, Result},
    glob,
};

/// The longest key, without the prefix.
const MAX_KEY_BYTES: usize = 64 * 1024;

/// The part of a backend's keys that belongs to one cache.
#[derive(Debug, Clone, Default)]
pub(super) struct KeySpace {
    /// With the colon behind it; empty where there is none.
    prefix: Box<str>,
}

impl KeySpace {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: [prefix, ":"].concat().into(),
        }
    }

    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.strip_suffix(':')
    }

    pub(super) fn nested(&self, name: &str) -> Self {
        if name.is_empty() {
            return self.clone();
        }
        Self::new(&[self.lead(), name].concat())
    }

    /// What stands before a key of this cache in the key as the backend sees it.
    #[inline]
    pub(super) fn lead(&self) -> &str {
        &self.prefix
    }

    /// The key as the backend sees it.
    pub(super) fn physical<'k>(&self, key: &'k str) -> Result<PhysicalKey<'k>> {
        check(key)?;
        Ok(self.join(key))
    }

    /// [`physical`](Self::physical) of a key that was checked.
    pub(super) fn join<'k>(&self, key: &'k str) -> PhysicalKey<'k> {
        PhysicalKey::join(self.lead(), key)
    }

    /// The pattern that finds, among all keys of the backend, those of this cache that match `pattern`.
    pub(super) fn pattern(&self, pattern: &str) -> String {
        format!("{}{pattern}", glob::escape(self.lead()))
    }

    /// The caller's key of a physical one.
    pub(super) fn logical<'k>(&self, physical: &'k str) -> Option<&'k str> {
        physical.strip_prefix(self.lead())
    }
}

/// Refuses a key that is too long.
#[inline]
pub(super) fn check(key: &str) -> Result<()> {
    if is_allowed(key) { Ok(()) } else { Err(too_long(key)) }
}

/// Tells whether [`check`] passes.
#[inline]
pub(super) const fn is_allowed(key: &str) -> bool {
    key.len() <= MAX_KEY_BYTES
}

#[cold]
fn too_long(key: &str) -> Error {
    Error::invalid(format!("the key has {} bytes; the limit is {MAX_KEY_BYTES}", key.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_full_of_glob_characters_matches_only_itself() {
        for prefix in ["a*", "cache[v2]", "q?", r"back\slash", "日本*"] {
            let keys = KeySpace::new(prefix);
            let pattern = keys.pattern("*");
            assert!(glob::matches(&pattern, &keys.physical("k").unwrap()), "{prefix}");
            for other in ["ab:k", "a:k", "cachev:k", "cache2:k", "qq:k", "backslash:k", "日本語:k"] {
                assert!(!glob::matches(&pattern, other), "{prefix} {other}");
            }
        }
    }

    #[test]
    fn a_prefix_does_not_match_one_that_begins_with_it() {
        let users = KeySpace::new("users");
        assert!(!glob::matches(&users.pattern("*"), "usersAbc:1"));
        assert_eq!(users.logical("usersAbc:1"), None);
        assert_eq!(users.logical("users:1"), Some("1"));
    }

    #[test]
    fn a_key_is_what_stands_before_it_and_itself() {
        for keys in [KeySpace::default(), KeySpace::new(""), KeySpace::new("p")] {
            for key in ["", "k", &"k".repeat(MAX_KEY_BYTES)] {
                assert_eq!(*keys.physical(key).unwrap(), [keys.lead(), key].concat());
            }
        }
    }

    #[test]
    fn the_longest_key_is_taken_and_a_longer_one_is_refused_without_being_quoted() {
        let keys = KeySpace::new("p");
        assert!(keys.physical(&"k".repeat(MAX_KEY_BYTES)).is_ok());
        let error = keys.physical(&"k".repeat(MAX_KEY_BYTES + 1)).unwrap_err();
        assert_eq!(error.to_string(), "the key has 65537 bytes; the limit is 65536");
    }
}
