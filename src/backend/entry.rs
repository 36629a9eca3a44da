use std::fmt;

use bytes::Bytes;

use super::{Kept, KeyTtl};

/// What a backend stores under a key, as [`CacheBackend::get`](crate::CacheBackend::get) returns it.
///
/// # Examples
///
/// ```
/// use larder::Entry;
///
/// let entry = Entry::new("value");
/// assert_eq!(entry.bytes().as_ref(), b"value");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Entry {
    body: Body,
    ttl: Option<KeyTtl>,
}

#[derive(Clone)]
enum Body {
    Plain(Bytes),
    Kept(Kept),
}

impl Entry {
    /// An entry of `bytes` whose remaining life was not asked for.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            body: Body::Plain(bytes.into()),
            ttl: None,
        }
    }

    /// Adds the remaining life, for a backend that knows it without another round trip.
    #[must_use]
    pub fn with_ttl(mut self, ttl: KeyTtl) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The stored bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &Bytes {
        match &self.body {
            Body::Plain(bytes) => bytes,
            Body::Kept(kept) => kept.bytes(),
        }
    }

    /// The stored bytes, by value.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.body {
            Body::Plain(bytes) => bytes,
            Body::Kept(kept) => kept.bytes().clone(),
        }
    }

    #[inline]
    pub(crate) fn kept(&self) -> Option<&Kept> {
        match &self.body {
            Body::Plain(_) => None,
            Body::Kept(kept) => Some(kept),
        }
    }

    /// The remaining life, where the backend gave it.
    #[must_use]
    pub fn ttl(&self) -> Option<KeyTtl> {
        self.ttl
    }
}

impl From<Kept> for Entry {
    #[inline]
    fn from(kept: Kept) -> Self {
        Self {
            body: Body::Kept(kept),
            ttl: None,
        }
    }
}

/// The beginning of a stored value, its length and its remaining life, all of one moment.
///
/// # Examples
///
/// ```
/// use larder::{Head, KeyTtl};
///
/// let head = Head::new("val", 5, KeyTtl::Persistent);
/// assert_eq!(head.bytes().as_ref(), b"val");
/// assert_eq!(head.len(), 5);
/// assert!(!head.is_empty());
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Head {
    bytes: Bytes,
    len: u64,
    ttl: KeyTtl,
}

impl Head {
    /// The first `bytes` of a value that is `len` bytes long and lives for `ttl`.
    pub fn new(bytes: impl Into<Bytes>, len: u64, ttl: KeyTtl) -> Self {
        Self {
            bytes: bytes.into(),
            len,
            ttl,
        }
    }

    /// The first bytes of the value: as many as were asked for, or all of a shorter value.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The length of the whole value in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Tells whether the whole value is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The remaining life; never [`KeyTtl::Missing`], since a missing key has no head.
    #[must_use]
    pub fn ttl(&self) -> KeyTtl {
        self.ttl
    }
}

// By hand: a stored value is nobody's to print.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("len", &self.bytes().len())
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("len", &self.len)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
