//! A cache of a test's own, and a count of what ran.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use larder::{Cache, CacheBackend, KeyTtl, ManualClock};
use larder_memory::MemoryBackend;
use tokio::sync::Notify;

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

/// The value is read when the body begins, as from a database; the body ends when the test lets it.
#[derive(Debug, Default)]
pub(crate) struct Database {
    generation: AtomicUsize,
    pub(crate) loads: Runs,
    gate: Notify,
    is_open: AtomicBool,
}

impl Database {
    /// Changes the value; bodies that have begun do not see it.
    pub(crate) fn write(&self) -> usize {
        self.generation.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Lets every body go that waits, and those to come.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
        self.gate.notify_waiters();
    }

    /// Holds back the bodies to come.
    pub(crate) fn hold(&self) {
        self.is_open.store(false, Ordering::SeqCst);
    }

    pub(crate) async fn read(&self) -> usize {
        let value = self.generation.load(Ordering::SeqCst);
        self.loads.run();
        let opened = self.gate.notified();
        if !self.is_open.load(Ordering::SeqCst) {
            opened.await;
        }
        value
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
