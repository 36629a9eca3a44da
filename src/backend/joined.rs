use std::ops::Deref;

use arrayvec::ArrayString;

use super::{CacheBackend, Entry};
use crate::error::Result;

/// The longest key that is joined without an allocation.
const SHORT_KEY_BYTES: usize = 96;

/// A key as the backend sees it.
#[derive(Debug)]
pub(crate) enum PhysicalKey<'k> {
    /// The caller's own: there is no prefix.
    Whole(&'k str),
    Short(ArrayString<SHORT_KEY_BYTES>),
    Long(String),
}

impl<'k> PhysicalKey<'k> {
    pub(crate) fn join(prefix: &str, key: &'k str) -> Self {
        if prefix.is_empty() {
            return Self::Whole(key);
        }
        if prefix.len() + key.len() > SHORT_KEY_BYTES {
            return Self::Long([prefix, key].concat());
        }
        let mut short = ArrayString::new();
        short.push_str(prefix);
        short.push_str(key);
        Self::Short(short)
    }

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

/// What [`CacheBackend::get_joined`] does where a backend knows no better: joins the parts, on the stack where they are
/// short, and calls [`CacheBackend::get`].
///
/// # Errors
///
/// As [`CacheBackend::get`].
///
/// # Cancel safety
///
/// As [`CacheBackend::get`].
///
/// # Examples
///
/// ```
/// use larder::{CacheBackend, Expiry, SetOptions, get_by_joining};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let backend = MemoryBackend::new();
/// backend.set("app:user:1", "v".into(), SetOptions::new(Expiry::Never)).await?;
///
/// let found = get_by_joining(&backend, "app:", "user:1").await?;
/// assert_eq!(found.unwrap().bytes(), "v");
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub async fn get_by_joining<B: CacheBackend + ?Sized>(backend: &B, prefix: &str, key: &str) -> Result<Option<Entry>> {
    backend.get(&PhysicalKey::join(prefix, key)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_both_parts_however_long_they_are() {
        for prefix in ["", ":", "p:", &"p".repeat(SHORT_KEY_BYTES), &"p".repeat(200)] {
            for len in [0, 1, SHORT_KEY_BYTES - 2, SHORT_KEY_BYTES - 1, SHORT_KEY_BYTES, 70_000] {
                let key = "k".repeat(len);
                let joined = PhysicalKey::join(prefix, &key);
                assert_eq!(*joined, format!("{prefix}{key}"));
                assert_eq!(joined.into_owned(), format!("{prefix}{key}"));
            }
        }
    }
}
