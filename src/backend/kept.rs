use std::{
    any::Any,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

use crate::envelope::Terms;

/// Stored bytes as a backend in this process keeps them, with room for what a cache finds out about them.
///
/// A backend that keeps one of these under a key, and hands out clones of it, has the bytes checked once instead of at
/// every read, and lets [`Cache::get_shared`](crate::Cache::get_shared) decode them once. A clone is one pointer.
///
/// # Contract
///
/// It stays under the key that it was made for, and a write makes a new one.
///
/// # Examples
///
/// ```
/// use larder::{Entry, Kept};
///
/// let kept = Kept::new("value");
/// let entry = Entry::from(kept.clone());
/// assert_eq!(entry.bytes(), kept.bytes());
/// ```
#[derive(Clone)]
pub struct Kept {
    inner: Arc<Inner>,
}

// In this order, in which a shared hit finds all that it looks at next to the count that it raises.
#[repr(C)]
struct Inner {
    memo: OnceLock<Memo>,
    is_intact: AtomicBool,
    bytes: Bytes,
}

/// What a backend can say of a key without a future.
///
/// Asked for by [`CacheBackend::get_at_once`](crate::CacheBackend::get_at_once).
///
/// # Examples
///
/// ```
/// use larder::{AtOnce, CacheBackend, Expiry, SetOptions};
/// use larder_local::LocalBackend;
///
/// # futures::executor::block_on(async {
/// let backend = LocalBackend::with_capacity(100);
/// backend.set("app:user:1", "v".into(), SetOptions::new(Expiry::Never)).await?;
///
/// assert!(matches!(backend.get_at_once("app:", "user:1"), AtOnce::Found(kept) if kept.bytes() == "v"));
/// assert!(matches!(backend.get_at_once("app:", "user:2"), AtOnce::Missing));
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend has the entry, or knows that there is none, or can not say"
)]
pub enum AtOnce {
    /// The entry under the key.
    Found(Kept),
    /// There is none.
    Missing,
    /// The backend has to be asked, and waited for.
    Unknown,
}

/// A decoded value, and what it was decoded from.
pub(crate) struct Memo {
    pub(crate) terms: Terms,
    pub(crate) value: Arc<dyn Any + Send + Sync>,
}

impl Kept {
    /// Keeps `bytes`, which are not copied.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            inner: Arc::new(Inner {
                memo: OnceLock::new(),
                is_intact: AtomicBool::new(false),
                bytes: bytes.into(),
            }),
        }
    }

    /// The stored bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &Bytes {
        &self.inner.bytes
    }

    /// Tells whether the bytes were found to be what was written under their key.
    #[inline]
    pub(crate) fn is_intact(&self) -> bool {
        self.inner.is_intact.load(Ordering::Relaxed)
    }

    pub(crate) fn note_intact(&self) {
        self.inner.is_intact.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn memo(&self) -> Option<&Memo> {
        self.inner.memo.get()
    }

    /// Keeps a decoded value, unless there is one.
    pub(crate) fn memoise(&self, memo: Memo) {
        let _ = self.inner.memo.set(memo);
    }
}

// By hand: a stored value is nobody's to print.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("len", &self.bytes().len())
            .finish_non_exhaustive()
    }
}
