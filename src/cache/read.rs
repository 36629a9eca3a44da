use std::{ops::Deref, sync::atomic::Ordering, time::Duration};

use serde::de::DeserializeOwned;

use super::{Cache, OnUndecodable, during, keyspace::check};
use crate::{
    backend::{AtOnce, CacheBackend, Entry, Kept, KeyTtl},
    compressor::Compressor,
    envelope::{Expected, HEAD_LEN, Header, Opened, Parsed, Plain, Undecodable, open, parse},
    error::Result,
    hook::{Note, OperationKind, OperationOutcome, Scope},
    serializer::{self, Decoded, Serializer},
};

/// What stands under a key, with the two kinds of nothing told apart.
///
/// # Examples
///
/// ```
/// use larder::{Cache, Lookup};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let cache = Cache::new(MemoryBackend::new());
/// cache.set("user:999", &None::<String>, 60).await?;
///
/// assert_eq!(cache.lookup::<String>("user:999").await?, Lookup::Absent);
/// assert_eq!(cache.lookup::<String>("user:1").await?, Lookup::Miss);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "callers match on all three, and there is no fourth answer"
)]
pub enum Lookup<T> {
    /// A value is cached.
    Hit(T),
    /// It is cached that there is no value: a stored `None`.
    Absent,
    /// Nothing is cached.
    Miss,
}

impl<T> Lookup<T> {
    /// The value, where there is one.
    ///
    /// ```
    /// use larder::Lookup;
    ///
    /// assert_eq!(Lookup::Hit(1).into_option(), Some(1));
    /// assert_eq!(Lookup::<i32>::Absent.into_option(), None);
    /// ```
    #[must_use]
    pub fn into_option(self) -> Option<T> {
        match self {
            Self::Hit(value) => Some(value),
            Self::Absent | Self::Miss => None,
        }
    }

    pub(super) const fn outcome(&self) -> OperationOutcome {
        match self {
            Self::Hit(_) => OperationOutcome::Hit,
            Self::Absent => OperationOutcome::Negative,
            Self::Miss => OperationOutcome::Miss,
        }
    }

    /// Tells whether the cache had an answer: a value, or the fact that there is none.
    #[must_use]
    pub const fn is_cached(&self) -> bool {
        matches!(self, Self::Hit(_) | Self::Absent)
    }
}

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Reads the value under `key`; `None` for a miss and for a cached `None`.
    ///
    /// Ask for an `Option` to tell a cached `None` from a miss: `get::<Option<User>>` answers `Some(None)` for the
    /// first and `None` for the second. [`lookup`](Self::lookup) says the same in words.
    ///
    /// # Errors
    ///
    /// An over-long key; what the backend raises. Undecodable bytes are a miss, unless the cache raises them.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let found = self
            .read(key, self.settings().sealing.schema, OperationKind::Get)
            .await?;
        Ok(found.into_option())
    }

    /// Reads what stands under `key`, and tells a value, a cached `None` and a miss apart, in one round trip.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn lookup<T: DeserializeOwned>(&self, key: &str) -> Result<Lookup<T>> {
        self.read(key, self.settings().sealing.schema, OperationKind::Lookup)
            .await
    }

    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        key: &str,
        schema: u32,
        kind: OperationKind,
    ) -> Result<Lookup<T>> {
        let scope = self.begin(kind, Some(key), None);
        let found = match check(key) {
            Ok(()) => {
                let lead = self.inner.keys.lead();
                // Each level of futures and each move of what was found is felt in a hit on a local map, so one that
                // nobody listens to goes without the level that tells hooks of it.
                let stored = if scope.is_active() {
                    self.store(&scope).get_joined(lead, key).await
                } else {
                    let at_once = match self.backend().get_at_once(lead, key) {
                        AtOnce::Found(kept) => Some(Some(kept.into())),
                        AtOnce::Missing => Some(None),
                        AtOnce::Unknown => None,
                    };
                    // Here, and not in a branch above, in which the future would keep what was answered.
                    match at_once {
                        Some(found) => Ok(found),
                        None => self.backend().get_joined(lead, key).await,
                    }
                };
                match stored {
                    Ok(Some(entry)) => self.decode(&scope, || self.inner.keys.join(key), &entry, schema),
                    Ok(None) => Ok(Lookup::Miss),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        let found = match found {
            Err(error) => self.or_substitute(&scope, key, Err(error.with_operation(scope.name()))),
            found => found,
        };
        scope.end(&found, Lookup::outcome);
        found
    }

    /// The answer that a stored entry gives a reader. `physical` is asked for only where the entry is not known to be its.
    pub(super) fn decode<T: DeserializeOwned, K: Deref<Target = str>>(
        &self,
        scope: &Scope<'_>,
        physical: impl Fn() -> K,
        entry: &Entry,
        schema: u32,
    ) -> Result<Lookup<T>> {
        let bytes = entry.bytes();
        // What is but a payload needs no more than to be checked, once, and decoded.
        if let Some(plain) = Plain::of(bytes, S::ID, schema)
            && is_intact(entry, || plain.is_intact(&physical()))
        {
            scope.note_bytes(Some(plain.payload.len()), bytes.len());
            return match serializer::decode(&self.inner.core.serializer, plain.payload) {
                Ok(value) => Ok(Lookup::Hit(value)),
                Err(_) => self.undecodable(scope, Undecodable::Payload).map(|()| Lookup::Miss),
            };
        }
        match self.open_entry(scope, physical, entry, schema) {
            Ok(Opened::Value(value, header)) => Ok(self.answer(value, &header)),
            Ok(Opened::Marker) => Ok(Lookup::Miss),
            Err(reason) => self.undecodable(scope, reason).map(|()| Lookup::Miss),
        }
    }

    /// [`open`](Self::open) for an entry that may have been opened before.
    pub(super) fn open_entry<T: DeserializeOwned, K: Deref<Target = str>>(
        &self,
        scope: &Scope<'_>,
        physical: impl Fn() -> K,
        entry: &Entry,
        schema: u32,
    ) -> Result<Opened<T>, Undecodable> {
        let kept = entry.kept();
        if kept.is_some_and(Kept::is_intact) {
            return self.open_checked(scope, None, entry.bytes(), schema);
        }
        let opened = self.open(scope, &physical(), entry.bytes(), schema);
        if let (Some(kept), Ok(Opened::Value(..))) = (kept, &opened) {
            kept.note_intact();
        }
        opened
    }

    pub(crate) fn open<T: DeserializeOwned>(
        &self,
        scope: &Scope<'_>,
        physical: &str,
        entry: &[u8],
        schema: u32,
    ) -> Result<Opened<T>, Undecodable> {
        self.open_checked(scope, Some(physical), entry, schema)
    }

    fn open_checked<T: DeserializeOwned>(
        &self,
        scope: &Scope<'_>,
        physical: Option<&str>,
        entry: &[u8],
        schema: u32,
    ) -> Result<Opened<T>, Undecodable> {
        let core = &self.inner.core;
        open(
            &core.serializer,
            &core.compressor,
            Expected {
                key: physical,
                schema,
                max_value_bytes: core.settings.sealing.max_value_bytes,
            },
            entry,
            |serialized| scope.note_bytes(Some(serialized), entry.len()),
        )
    }

    /// Tells whether a value is cached under `key`, a cached `None` included, without reading it whole.
    ///
    /// Looks at the entry's header: a damaged value may exist here and be a miss to `get`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn exists(&self, key: &str) -> Result<bool> {
        let life = (self.peek(key, self.settings().sealing.schema, OperationKind::Exists)).await?;
        Ok(life != KeyTtl::Missing)
    }

    /// The remaining life of the value under `key`: [`KeyTtl::Missing`] where a `get` would miss.
    ///
    /// Looks at the entry's header alone, like [`exists`](Self::exists).
    ///
    /// ```
    /// use larder::{Cache, KeyTtl, Ttl};
    /// use larder_memory::MemoryBackend;
    /// use std::time::Duration;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::with_clock(larder::ManualClock::new()));
    /// cache.set("short", &1, "90s").await?;
    /// cache.set("long", &1, Ttl::FOREVER).await?;
    ///
    /// assert_eq!(cache.ttl("short").await?, KeyTtl::Expires(Duration::from_secs(90)));
    /// assert_eq!(cache.ttl("long").await?, KeyTtl::Persistent);
    /// assert_eq!(cache.ttl("none").await?, KeyTtl::Missing);
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn ttl(&self, key: &str) -> Result<KeyTtl> {
        self.peek(key, self.settings().sealing.schema, OperationKind::Ttl).await
    }

    /// The same as [`ttl`](Self::ttl), which has millisecond resolution already; Redis users know it by this name.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn pttl(&self, key: &str) -> Result<KeyTtl> {
        self.ttl(key).await
    }

    pub(super) async fn peek(&self, key: &str, schema: u32, kind: OperationKind) -> Result<KeyTtl> {
        let scope = self.begin(kind, Some(key), None);
        let life = self.try_peek(&scope, key, schema).await;
        scope.end(&life, |life| match life {
            KeyTtl::Missing => OperationOutcome::Miss,
            _ => OperationOutcome::Hit,
        });
        life
    }

    async fn try_peek(&self, scope: &Scope<'_>, key: &str, schema: u32) -> Result<KeyTtl> {
        let operation = scope.name();
        let physical = self.inner.keys.physical(key).map_err(during(operation))?;
        let head = self
            .store(scope)
            .head(&physical, HEAD_LEN)
            .await
            .map_err(during(operation));
        let head = self.or_nothing(scope, key, head, None)?;
        let Some(head) = head else {
            return Ok(KeyTtl::Missing);
        };
        let header = match parse(head.bytes()) {
            Ok(Parsed::Marker(_)) => return Ok(KeyTtl::Missing),
            Ok(Parsed::Value(header)) => header.check(S::ID, C::ID, schema).map(|()| header),
            Err(reason) => Err(reason),
        };
        match header {
            Ok(header) => Ok(match (header.fresh_for(self.now()), head.ttl()) {
                (None, physical) => physical,
                (Some(Duration::ZERO), _) => KeyTtl::Missing,
                (Some(fresh), KeyTtl::Expires(physical)) => KeyTtl::Expires(fresh.min(physical)),
                (Some(fresh), _) => KeyTtl::Expires(fresh),
            }),
            Err(reason) => self
                .undecodable(scope, reason)
                .map(|()| KeyTtl::Missing)
                .map_err(during(operation)),
        }
    }
}

impl<B, S, C> Cache<B, S, C> {
    /// An intact entry is a miss once its logical life is over.
    pub(super) fn answer<T>(&self, value: Decoded<T>, header: &Header) -> Lookup<T> {
        match value {
            _ if self.is_over(header) => Lookup::Miss,
            Decoded::Value(value) => Lookup::Hit(value),
            Decoded::Absent => Lookup::Absent,
        }
    }

    /// Tells whether the logical life of a value is over. Most have none, and need no clock.
    fn is_over(&self, header: &Header) -> bool {
        header.times().is_some() && header.fresh_for(self.now()) == Some(Duration::ZERO)
    }

    pub(crate) fn undecodable(&self, scope: &Scope<'_>, reason: Undecodable) -> Result<()> {
        scope.note(Note::Undecodable);
        self.inner.core.undecodable.fetch_add(1, Ordering::Relaxed);
        match self.settings().on_undecodable {
            OnUndecodable::Miss => Ok(()),
            OnUndecodable::Raise => Err(reason.into_error()),
        }
    }
}

/// Tells whether an entry was found to be its key's before, or is by `check`, which then need not be asked again.
#[inline]
fn is_intact(entry: &Entry, check: impl FnOnce() -> bool) -> bool {
    let kept = entry.kept();
    if kept.is_some_and(Kept::is_intact) {
        return true;
    }
    let is_intact = check();
    if let (Some(kept), true) = (kept, is_intact) {
        kept.note_intact();
    }
    is_intact
}
