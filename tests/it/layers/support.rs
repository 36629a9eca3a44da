//! A fallback between two stores in memory, on one clock.

use bytes::Bytes;
use larder::{CacheBackend, Expiry, Fallback, FallbackBuilder, ManualClock, SetOptions};
use larder_memory::MemoryBackend;

pub(super) type Pair = Fallback<MemoryBackend, MemoryBackend>;

pub(super) struct Stores {
    pub(super) primary: MemoryBackend,
    pub(super) secondary: MemoryBackend,
    pub(super) clock: ManualClock,
}

impl Stores {
    pub(super) fn new() -> Self {
        let clock = ManualClock::new();
        Self {
            primary: MemoryBackend::with_clock(clock.clone()),
            secondary: MemoryBackend::with_clock(clock.clone()),
            clock,
        }
    }

    /// Without the background, so that a test decides what is replayed when.
    pub(super) fn builder(&self) -> FallbackBuilder<MemoryBackend, MemoryBackend> {
        Fallback::builder(self.primary.clone(), self.secondary.clone())
            .clock(self.clock.clone())
            .without_background()
    }

    pub(super) fn fallback(&self) -> Pair {
        self.builder().build().unwrap()
    }
}

pub(super) fn forever() -> SetOptions {
    SetOptions::new(Expiry::Never)
}

pub(super) async fn put(backend: &impl CacheBackend, key: &str, value: &'static str) {
    let outcome = backend.set(key, Bytes::from(value), forever()).await.unwrap();
    assert!(outcome.is_done());
}

pub(super) async fn read(backend: &impl CacheBackend, key: &str) -> Option<Bytes> {
    let entry = backend.get(key).await.unwrap();
    entry.map(larder::Entry::into_bytes)
}
