//! The typed cache over a backend.

mod answers;
mod batch;
mod bind;
mod builder;
mod fallback;
mod hooks;
mod keyspace;
mod life;
mod pattern;
mod read;
mod remember;
mod remove;
mod settings;
mod shared;
mod write;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

pub(crate) use self::settings::DEFAULT_NAME;
pub use self::{
    bind::Bound,
    builder::{CacheBuilder, OnUndecodable},
    fallback::{FallbackCallback, FallbackPolicy, Fallen},
    read::Lookup,
};
use self::{keyspace::KeySpace, settings::Settings};
use crate::{
    backend::CacheBackend,
    clock::Clock,
    compressor::Snappy,
    error::Error,
    flight::Flights,
    hook::{Hooks, OperationKind, Scope, Store},
    serializer::Postcard,
};

/// A typed cache over a backend `B`, with values encoded by a serializer `S` and a compressor `C`.
///
/// All three are chosen at compile time and called statically. A cache is one pointer: clone it freely, hand it to
/// tasks, keep it in a service's state. Values are anything that serde serializes.
///
/// # Behavior
///
/// - **Keys** are any UTF-8 of up to 64 KiB, the empty key included. The backend sees `prefix:key`.
/// - **`None` is a value.** `set(key, &None::<User>, ttl)` caches the fact that there is no such user:
///   [`get`](Self::get) then answers `None` without saying which kind of nothing, [`lookup`](Self::lookup) tells. A
///   top-level `Some` is taken off, so a value set as `Some(user)` reads back as a `User` and the other way round.
/// - **What can not be decoded is a miss**, counted in [`stats`](Self::stats): foreign bytes, another codec's or
///   schema version's entry, a damaged one, one copied from another key. Never a wrong value.
/// - **A fill marker** (the placeholder of a load under way, in this process or another) is a miss to every call.
/// - **Writes** carry value and expiry in one atomic step.
///
/// # Cancel safety
///
/// Dropping the future of a call leaves no lock and no task behind. A write that had already been sent may still be
/// applied.
///
/// # Examples
///
/// ```
/// use larder::Cache;
/// use larder_memory::MemoryBackend;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// # futures::executor::block_on(async {
/// let cache = Cache::builder(MemoryBackend::new()).prefix("myapp").ttl_jitter(0.1).build()?;
/// let alice = User { name: "Alice".into() };
///
/// cache.set("user:1", &alice, "2h30m").await?;
/// assert_eq!(cache.get("user:1").await?, Some(alice));
/// assert!(cache.delete("user:1").await?);
/// assert_eq!(cache.get::<User>("user:1").await?, None);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub struct Cache<B, S = Postcard, C = Snappy> {
    inner: Arc<Inner<B, S, C>>,
}

struct Inner<B, S, C> {
    keys: KeySpace,
    fallback: FallbackPolicy,
    hooks: Hooks,
    core: Arc<Core<B, S, C>>,
}

/// What a cache shares with its scopes.
struct Core<B, S, C> {
    backend: B,
    serializer: S,
    compressor: C,
    settings: Settings,
    flights: Flights,
    undecodable: AtomicU64,
    loads: AtomicU64,
    voided_fills: AtomicU64,
}

/// Counts since the cache was built and how it stands now, over all its clones and scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CacheStats {
    /// Reads that found bytes which are not a value to this cache, and answered a miss (or raised, where
    /// [`OnUndecodable::Raise`] is set).
    pub undecodable: u64,
    /// Loaders that [`remember`](Cache::remember) and its kin have run.
    pub loads: u64,
    /// Loaded values that were not stored, because the key was invalidated or written while they were loaded.
    pub voided_fills: u64,
    /// Keys that are being loaded now.
    pub loading: usize,
    /// Calls that wait now for another call's load.
    pub waiting: usize,
    /// Loads that run now in the background, and what clears up after others.
    pub background: usize,
}

impl<B> Cache<B> {
    /// A cache over `backend` with every default: [`Postcard`], [`Snappy`], no prefix, no jitter.
    pub fn new(backend: B) -> Self {
        let fallback = FallbackPolicy::default();
        Self::assemble(
            backend,
            Postcard,
            Snappy,
            KeySpace::default(),
            fallback,
            Hooks::default(),
            Settings::default(),
        )
    }

    /// Starts to configure a cache over `backend`.
    pub fn builder(backend: B) -> CacheBuilder<B> {
        CacheBuilder::new(backend)
    }
}

impl<B, S, C> Cache<B, S, C> {
    fn assemble(
        backend: B,
        serializer: S,
        compressor: C,
        keys: KeySpace,
        fallback: FallbackPolicy,
        hooks: Hooks,
        settings: Settings,
    ) -> Self {
        let core = Arc::new(Core {
            backend,
            serializer,
            compressor,
            settings,
            flights: Flights::default(),
            undecodable: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            voided_fills: AtomicU64::new(0),
        });
        Self {
            inner: Arc::new(Inner {
                keys,
                fallback,
                hooks,
                core,
            }),
        }
    }

    /// The same cache with `name` added to its prefix: `scope("users")` of prefix `myapp` has keys `myapp:users:..`.
    ///
    /// A scope shares the backend, the settings and the counts. Its patterns and its `clear` stay inside it: those of
    /// `users` never touch `usersAbc`. An empty name adds nothing.
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::builder(MemoryBackend::new()).prefix("myapp").build()?;
    /// let users = cache.scope("users");
    /// users.set("1", "Alice", 60).await?;
    /// assert_eq!(cache.get::<String>("users:1").await?.as_deref(), Some("Alice"));
    /// assert_eq!(users.prefix(), Some("myapp:users"));
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn scope(&self, name: &str) -> Self {
        Self {
            inner: Arc::new(Inner {
                keys: self.inner.keys.nested(name),
                fallback: self.inner.fallback.clone(),
                hooks: self.inner.hooks.clone(),
                core: Arc::clone(&self.inner.core),
            }),
        }
    }

    /// The prefix of every key, without the colon that follows it.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.inner.keys.prefix()
    }

    /// The backend beneath.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.inner.core.backend
    }

    /// Counts since the cache was built, and how many loads and waiting calls there are now.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let core = &self.inner.core;
        CacheStats {
            undecodable: core.undecodable.load(Ordering::Relaxed),
            loads: core.loads.load(Ordering::Relaxed),
            voided_fills: core.voided_fills.load(Ordering::Relaxed),
            loading: core.flights.len(),
            waiting: core.flights.waiting(),
            background: core.settings.background.running(),
        }
    }

    pub(crate) fn hook_list(&self) -> &Hooks {
        &self.inner.hooks
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.core.settings
    }

    pub(crate) fn now(&self) -> std::time::Duration {
        self.settings().clock.unix_time()
    }
}

impl<B: CacheBackend, S, C> Cache<B, S, C> {
    /// Begins a call.
    pub(crate) fn begin<'a>(&self, kind: OperationKind, key: Option<&'a str>, batch_size: Option<usize>) -> Scope<'a> {
        let system = || self.backend().capabilities().system;
        self.inner.hooks.begin(kind, key, batch_size, system)
    }

    /// The backend, as a call or a part of one asks it.
    pub(crate) fn store<'a>(&'a self, scope: &'a Scope<'a>) -> Store<'a, B> {
        Store::new(self.backend(), scope)
    }
}

impl<B, S, C> Clone for Cache<B, S, C> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<B: fmt::Debug, S, C> fmt::Debug for Cache<B, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("backend", self.backend())
            .field("prefix", &self.prefix())
            .field("fallback", &self.inner.fallback)
            .field("settings", self.settings())
            .finish_non_exhaustive()
    }
}

/// Names the operation in an error that a backend raised without one.
fn during(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| error.with_operation(operation)
}
