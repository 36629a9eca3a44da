use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use crate::error::Error;

/// Is told what a cache does that no caller sees.
///
/// Add it with [`CacheBuilder::hook`](crate::CacheBuilder::hook). It is called where the thing happens, so it should be
/// quick and must not block. A panic in it is caught, and breaks nothing.
///
/// # Examples
///
/// ```
/// use larder::{BackgroundOutcome, Cache, Event, Hook};
/// use larder_memory::MemoryBackend;
///
/// struct Log;
///
/// impl Hook for Log {
///     fn event(&self, event: &Event<'_>) {
///         if let Event::BackgroundLoad { key, outcome: BackgroundOutcome::Failed(error), .. } = event {
///             eprintln!("{key} was not refreshed: {:?}", error.downcast_ref::<std::io::Error>());
///         }
///     }
/// }
///
/// let cache = Cache::builder(MemoryBackend::new()).hook(Log).build()?;
/// # let _: Cache<MemoryBackend> = cache;
/// # Ok::<(), larder::Error>(())
/// ```
pub trait Hook: Send + Sync + 'static {
    /// Something has happened. By default nothing comes of it.
    fn event(&self, event: &Event<'_>) {
        let _ = event;
    }
}

/// What a [`Hook`] is told. Keys are those the backend sees, prefix included.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A load ended that went on without the call that began it.
    #[non_exhaustive]
    BackgroundLoad {
        /// The key that was loaded.
        key: &'a str,
        /// How it ended.
        outcome: BackgroundOutcome<'a>,
    },
    /// A call waited for the load of another process.
    #[non_exhaustive]
    LeaseWaited {
        /// The key whose lease another process held.
        key: &'a str,
        /// How long.
        waited: Duration,
        /// How the wait ended.
        outcome: LeaseOutcome,
    },
}

/// How a load ended that went on without the call that began it.
#[derive(Debug)]
#[non_exhaustive]
pub enum BackgroundOutcome<'a> {
    /// With an answer, stored or not.
    Loaded,
    /// With the loader's own error.
    Failed(&'a (dyn Any + Send + Sync)),
    /// With an error of the cache or its backend.
    Raised(&'a Error),
    /// With a panic of the loader, or of what encodes its value.
    Panicked,
    /// It was given up: it ran longer than the [`fill_window`](crate::LoadOptions::fill_window) without a caller.
    TimedOut,
    /// It did not begin, or was not allowed to go on: as much as may runs already, or the cache was closed.
    Refused,
}

/// How a wait for another process's load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseOutcome {
    /// There was news: a value, or a key that is free again.
    Changed,
    /// The holder was silent for the length of its lease, and this call loads in its place.
    TakenOver,
    /// The wait took as long as it may, and this call loads beside the holder.
    GaveUp,
}

/// The hooks of one cache.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Vec<Arc<dyn Hook>>);

impl Hooks {
    pub(crate) fn add(&mut self, hook: impl Hook) {
        self.0.push(Arc::new(hook));
    }

    pub(crate) fn emit(&self, event: &Event<'_>) {
        for hook in &self.0 {
            // A hook's panic is its own affair.
            let _ = catch_unwind(AssertUnwindSafe(|| hook.event(event)));
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hooks").field(&self.0.len()).finish()
    }
}
