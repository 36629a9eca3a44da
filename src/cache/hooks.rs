//! Who is told of the calls of a cache.

use std::sync::Arc;

use super::{Cache, Inner};
use crate::hook::Hook;

impl<B, S, C> Cache<B, S, C> {
    /// The name that its operations and events carry: [`CacheBuilder::name`](crate::CacheBuilder::name).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings().name
    }

    /// The hooks that are told of the calls made through this cache, in the order in which they are told.
    pub fn hooks(&self) -> impl Iterator<Item = &Arc<dyn Hook>> {
        self.inner.hooks.iter()
    }

    /// The same cache with other hooks for the calls made through it; none of its own are told.
    ///
    /// Shares everything else, like a [`scope`](Self::scope). Loads that are shared are told to the hooks of the call
    /// that runs them.
    ///
    /// ```
    /// use larder::{Cache, Ending, Hook, Operation};
    /// use larder_memory::MemoryBackend;
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    ///
    /// #[derive(Default)]
    /// struct Calls(AtomicUsize);
    ///
    /// impl Hook for Calls {
    ///     fn finish(&self, operation: &Operation<'_>, _ending: &Ending<'_>) {
    ///         self.0.fetch_add(usize::from(operation.kind.is_call()), Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::new());
    /// let calls = Arc::new(Calls::default());
    ///
    /// let of_this_request = cache.with_hooks(cache.hooks().cloned().chain([calls.clone() as Arc<dyn Hook>]));
    /// of_this_request.set("k", &1, 60).await?;
    /// of_this_request.get::<u32>("k").await?;
    /// cache.get::<u32>("k").await?; // not told
    /// assert_eq!(calls.0.load(Ordering::Relaxed), 2);
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn with_hooks(&self, hooks: impl IntoIterator<Item = Arc<dyn Hook>>) -> Self {
        let settings = self.settings();
        let hooks = (self.inner.hooks).replaced(Arc::clone(&settings.name), Arc::clone(&settings.clock), hooks);
        Self {
            inner: Arc::new(Inner {
                keys: self.inner.keys.clone(),
                fallback: self.inner.fallback.clone(),
                hooks,
                core: Arc::clone(&self.inner.core),
            }),
        }
    }
}
