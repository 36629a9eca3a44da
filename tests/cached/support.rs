//! A cache of a test's own, and a count of what ran.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use larder::{Cache, CacheBackend, KeyTtl, ManualClock};
use larder_memory::MemoryBackend;

pub(crate) use futures::executor::block_on;

pub(crate) type Memory = Cache<MemoryBackend>;

/// A cache whose clock stands still.
pub(crate) fn memory() -> Memory {
    let clock = ManualClock::new();
    let backend = MemoryBackend::with_clock(clock.clone());
    Cache::builder(backend).clock(clock).build().unwrap()
}

/// How often a body has run.
#[derive(Debug, Default)]
pub(crate) struct Runs(AtomicUsize);

impl Runs {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Counts one, and answers how many there are now.
    pub(crate) fn run(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// The life of what is under `key`, in seconds.
pub(crate) fn seconds_left<B: CacheBackend>(cache: &Cache<B>, key: &str) -> u64 {
    match block_on(cache.ttl(key)).unwrap() {
        KeyTtl::Expires(left) => left.as_secs(),
        other => panic!("{key}: {other:?}"),
    }
}

pub(crate) fn hour() -> Duration {
    Duration::from_hours(1)
}

/// Does something as soon as `waiting` calls wait for another's load.
pub(crate) async fn once_waiting<B>(cache: &Cache<B>, waiting: usize, act: impl FnOnce()) {
    while cache.stats().waiting < waiting {
        tokio::task::yield_now().await;
    }
    act();
}
