//! `MemoryBackend` against the whole backend contract, alone and behind the pointers that forward it.

use std::{sync::Arc, time::Duration};

use futures::executor::block_on;
use larder::{CacheBackend, Clock, ManualClock, Sleep, SystemClock, conformance, conformance::Subject};
use larder_memory::MemoryBackend;
use parking_lot::Mutex;

struct Fixture<B> {
    backend: Arc<B>,
    store: MemoryBackend,
    clock: ManualClock,
}

impl<B: CacheBackend + 'static> Fixture<B> {
    fn new(wrap: impl FnOnce(MemoryBackend) -> B) -> Self {
        let clock = ManualClock::new();
        let store = MemoryBackend::with_clock(clock.clone());
        Self {
            backend: Arc::new(wrap(store.clone())),
            store,
            clock,
        }
    }
}

impl<B: CacheBackend + 'static> Subject for Fixture<B> {
    type Backend = B;

    fn backend(&self) -> Arc<B> {
        Arc::clone(&self.backend)
    }

    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }

    async fn put_other_type(&self, key: &str) -> bool {
        self.store.insert_other_type(key);
        true
    }

    async fn other_type_stands(&self, key: &str) -> bool {
        self.store.holds_other_type(key)
    }
}

#[test]
fn conformance_memory() {
    let fixture = Fixture::new(|store| store);
    block_on(conformance::backend(&fixture));
    assert!(fixture.store.is_empty(), "the suite left keys behind");
}

#[test]
fn conformance_memory_in_an_arc() {
    block_on(conformance::backend(&Fixture::new(Arc::new)));
}

#[test]
fn conformance_memory_by_reference() {
    block_on(conformance::backend(&Fixture::new(|store| {
        &*Box::leak(Box::new(store))
    })));
}

/// A clock that runs, and can be set ahead.
#[derive(Debug, Clone, Default)]
struct RunningClock {
    system: SystemClock,
    ahead: Arc<Mutex<Duration>>,
}

impl Clock for RunningClock {
    fn unix_time(&self) -> Duration {
        self.system.unix_time() + *self.ahead.lock()
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic() + *self.ahead.lock()
    }

    /// Waits in real time; the suite never waits on the clock itself.
    fn sleep(&self, span: Duration) -> Sleep {
        self.system.sleep(span)
    }
}

struct OnRunningClock(Arc<MemoryBackend>, RunningClock);

impl Subject for OnRunningClock {
    type Backend = MemoryBackend;

    fn backend(&self) -> Arc<MemoryBackend> {
        Arc::clone(&self.0)
    }

    async fn pass(&self, span: Duration) {
        *self.1.ahead.lock() += span;
    }
}

#[test]
fn conformance_memory_on_a_running_clock() {
    let clock = RunningClock::default();
    let backend = Arc::new(MemoryBackend::with_clock(clock.clone()));
    block_on(conformance::backend(&OnRunningClock(backend, clock)));
}

#[test]
fn every_sentence_is_listed_once_and_reads_as_one() {
    let mut sentences = conformance::sentences();
    let listed = sentences.len();
    assert!(listed > 70, "{listed} sentences");
    assert!(sentences.iter().all(|sentence| !sentence.contains('_')));
    sentences.sort();
    sentences.dedup();
    assert_eq!(sentences.len(), listed);
}
