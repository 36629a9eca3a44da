use std::{fmt, sync::Arc};

use super::park::block_on;
use crate::{
    cache::{Cache, CacheStats, FallbackPolicy},
    compressor::Snappy,
    hook::Hook,
    serializer::Postcard,
};

/// A [`Cache`] for code that is not async, from [`Cache::blocking`].
///
/// It is the same cache: keys, settings, counts and loads under way are shared with every async clone, so that a
/// blocking [`remember`](Self::remember) waits for the load of an async one, and the other way round.
///
/// # Behavior
///
/// - A call runs on the calling thread, which sleeps while it waits. Nothing is spawned, and no runtime is needed.
/// - Calls work on plain threads, in a runtime's blocking pool, inside the loader of another blocking call, and on the
///   thread of an async runtime itself: no backend of larder's needs that thread to go on. Such a call holds up the
///   other tasks of its thread, so async code should keep to [`Cache`].
/// - Every call of [`Cache`] is here but [`remember_detached`](Cache::remember_detached): a thread can not leave its own
///   load behind. For the same reason a soft timeout ends no call, and a
///   [hard one](crate::LoadOptions::hard_timeout) cuts no loader short: it ends the wait for another call's load, and a
///   call whose own loader took longer answers what that did.
/// - A call does not wait for a load that its own thread polled last, because nobody would poll it meanwhile: it loads
///   at once, and the other load ends as one that came too late.
/// - Nor does it wait in a ring: of threads whose loaders ask for each other's keys, in one cache or several, the last to
///   ask loads at once, and the others get what it answers. Under a lease both hold for what this process holds.
///
/// # Errors
///
/// Each call fails as the call of [`Cache`] of the same name does.
///
/// # Examples
///
/// ```
/// use larder::Cache;
/// use larder_memory::MemoryBackend;
///
/// let cache = Cache::builder(MemoryBackend::new()).prefix("myapp").build()?.blocking();
///
/// cache.set("user:1", "Alice", "2h30m")?;
/// assert_eq!(cache.get::<String>("user:1")?.as_deref(), Some("Alice"));
///
/// let bob: String = cache.remember("user:2", "1h", || Ok::<_, std::io::Error>("Bob".to_owned())).unwrap();
/// assert_eq!(bob, "Bob");
///
/// let mut keys = cache.keys("user:*").collect::<larder::Result<Vec<_>>>()?;
/// keys.sort();
/// assert_eq!(keys, ["user:1", "user:2"]);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct BlockingCache<B, S = Postcard, C = Snappy> {
    pub(super) cache: Cache<B, S, C>,
}

impl<B, S, C> Cache<B, S, C> {
    /// This cache for code that is not async.
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    ///
    /// let cache = Cache::new(MemoryBackend::new());
    /// cache.blocking().set("greeting", "hello", 60)?;
    /// let read = futures::executor::block_on(cache.get::<String>("greeting"))?;
    /// assert_eq!(read.as_deref(), Some("hello"));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[must_use]
    pub fn blocking(&self) -> BlockingCache<B, S, C> {
        BlockingCache { cache: self.clone() }
    }
}

impl<B, S, C> BlockingCache<B, S, C> {
    /// This cache for async code.
    #[must_use]
    pub fn as_async(&self) -> &Cache<B, S, C> {
        &self.cache
    }

    /// See [`Cache::scope`].
    #[must_use]
    pub fn scope(&self, name: &str) -> Self {
        self.cache.scope(name).blocking()
    }

    /// See [`Cache::prefix`].
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.cache.prefix()
    }

    /// See [`Cache::backend`].
    #[must_use]
    pub fn backend(&self) -> &B {
        self.cache.backend()
    }

    /// See [`Cache::stats`].
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.cache.stats()
    }

    /// See [`Cache::with_fallback`].
    #[must_use]
    pub fn with_fallback(&self, policy: FallbackPolicy) -> Self {
        self.cache.with_fallback(policy).blocking()
    }

    /// The name that its operations and events carry, as [`Cache::name`] says.
    #[must_use]
    pub fn name(&self) -> &str {
        self.cache.name()
    }

    /// The hooks that are told of its calls, as [`Cache::hooks`] says.
    pub fn hooks(&self) -> impl Iterator<Item = &Arc<dyn Hook>> {
        self.cache.hooks()
    }

    /// The same cache with other hooks for the calls made through it, as [`Cache::with_hooks`] says.
    #[must_use]
    pub fn with_hooks(&self, hooks: impl IntoIterator<Item = Arc<dyn Hook>>) -> Self {
        self.cache.with_hooks(hooks).blocking()
    }

    /// See [`Cache::close`]. Background loads are begun by [`as_async`](Self::as_async).
    pub fn close(&self) {
        block_on(self.cache.close());
    }
}

impl<B, S, C> Clone for BlockingCache<B, S, C> {
    fn clone(&self) -> Self {
        self.cache.blocking()
    }
}

impl<B: fmt::Debug, S, C> fmt::Debug for BlockingCache<B, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingCache")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
