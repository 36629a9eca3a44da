use std::ops::Deref;

use arrayvec::ArrayString;

use crate::{
    error::{Error, Result},
    glob,
};

/// The longest key, without the prefix.
const MAX_KEY_BYTES: usize = 64 * 1024;

/// The longest key, with the prefix, that a call joins without an allocation.
const SHORT_KEY_BYTES: usize = 96;

/// A key as the backend sees it.
#[derive(Debug)]
pub(crate) enum PhysicalKey<'k> {
    /// The caller's own: there is no prefix.
    Whole(&'k str),
    Short(ArrayString<SHORT_KEY_BYTES>),
    Long(String),
}

/// Where a call has its key joined.
#[derive(Debug)]
pub(super) struct KeyRoom {
    short: ArrayString<SHORT_KEY_BYTES>,
    long: String,
}

impl KeyRoom {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            short: ArrayString::new_const(),
            long: String::new(),
        }
    }
}

impl PhysicalKey<'_> {
    pub(crate) fn into_owned(self) -> String {
        match self {
            Self::Long(key) => key,
            key => key.to_owned(),
        }
    }
}

impl Deref for PhysicalKey<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Whole(key) => key,
            Self::Short(key) => key,
            Self::Long(key) => key,
        }
    }
}

/// The part of a backend's keys that belongs to one cache.
#[derive(Debug, Clone, Default)]
pub(super) struct KeySpace {
    /// With the colon behind it.
    prefix: Option<Box<str>>,
}

impl KeySpace {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: Some([prefix, ":"].concat().into()),
        }
    }

    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_ref().map(|prefix| &prefix[..prefix.len() - 1])
    }

    pub(super) fn nested(&self, name: &str) -> Self {
        match &self.prefix {
            _ if name.is_empty() => self.clone(),
            Some(prefix) => Self::new(&format!("{prefix}{name}")),
            None => Self::new(name),
        }
    }

    /// The key as the backend sees it, written where it then stays: to move what was just written costs a hit more than
    /// to write it.
    #[inline]
    pub(super) fn physical_in<'k>(&self, key: &'k str, room: &'k mut KeyRoom) -> Result<&'k str> {
        let Some(prefix) = &self.prefix else {
            return check(key).map(|()| key);
        };
        if prefix.len() + key.len() > SHORT_KEY_BYTES {
            check(key)?;
            room.long = [prefix, key].concat();
            return Ok(&room.long);
        }
        room.short.push_str(prefix);
        room.short.push_str(key);
        Ok(&room.short)
    }

    /// The key as the backend sees it.
    pub(super) fn physical<'k>(&self, key: &'k str) -> Result<PhysicalKey<'k>> {
        check(key)?;
        let Some(prefix) = &self.prefix else {
            return Ok(PhysicalKey::Whole(key));
        };
        let parts = [prefix, key];
        if prefix.len() + key.len() <= SHORT_KEY_BYTES {
            let mut short = ArrayString::new();
            for part in parts {
                short.push_str(part);
            }
            return Ok(PhysicalKey::Short(short));
        }
        Ok(PhysicalKey::Long(parts.concat()))
    }

    /// The pattern that finds, among all keys of the backend, those of this cache that match `pattern`.
    pub(super) fn pattern(&self, pattern: &str) -> String {
        match &self.prefix {
            None => pattern.to_owned(),
            Some(prefix) => format!("{}{pattern}", glob::escape(prefix)),
        }
    }

    /// The caller's key of a physical one.
    pub(super) fn logical<'k>(&self, physical: &'k str) -> Option<&'k str> {
        match &self.prefix {
            None => Some(physical),
            Some(prefix) => physical.strip_prefix(&**prefix),
        }
    }
}

fn check(key: &str) -> Result<()> {
    if key.len() > MAX_KEY_BYTES {
        return Err(Error::invalid(format!(
            "the key has {} bytes; the limit is {MAX_KEY_BYTES}",
            key.len()
        )));
    }
    Ok(())
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
    fn a_key_is_the_same_wherever_it_is_joined() {
        for keys in [
            KeySpace::default(),
            KeySpace::new(""),
            KeySpace::new("p"),
            KeySpace::new(&"p".repeat(200)),
        ] {
            for len in [
                0,
                1,
                SHORT_KEY_BYTES - 2,
                SHORT_KEY_BYTES - 1,
                MAX_KEY_BYTES,
                MAX_KEY_BYTES + 1,
            ] {
                let key = "k".repeat(len);
                let mut room = KeyRoom::new();
                let there = keys.physical_in(&key, &mut room).map_err(|error| error.to_string());
                let anywhere = keys.physical(&key).map_err(|error| error.to_string());
                assert_eq!(there, anywhere.as_deref().map_err(Clone::clone));
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
