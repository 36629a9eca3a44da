//! Every layer is a backend like any other.

use std::{sync::Arc, time::Duration};

use larder::{
    Batched, Breaker, CacheBackend, ErrorKind, Fallback, ManualClock, ThreadRuntime,
    conformance::{self, Subject},
};
use larder_local::LocalBackend;
use larder_memory::MemoryBackend;

use crate::backends::block_on;

struct Fixture<B> {
    backend: Arc<B>,
    /// Where keys of another type go, if anywhere.
    store: Option<MemoryBackend>,
    clock: ManualClock,
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
        self.store.as_ref().map(|store| store.insert_other_type(key)).is_some()
    }

    async fn other_type_stands(&self, key: &str) -> bool {
        self.store.as_ref().is_some_and(|store| store.holds_other_type(key))
    }
}

fn hold_to_the_contract<B: CacheBackend + 'static>(layers: impl FnOnce(MemoryBackend, ManualClock) -> B) {
    let clock = ManualClock::new();
    let store = MemoryBackend::with_clock(clock.clone());
    let backend = Arc::new(layers(store.clone(), clock.clone()));
    let fixture = Fixture {
        backend,
        store: Some(store.clone()),
        clock,
    };
    block_on(conformance::backend(&fixture));
    assert!(store.is_empty(), "the suite left keys behind");
}

#[test]
fn conformance_batched() {
    hold_to_the_contract(|store, _| Batched::new(store));
}

#[test]
fn conformance_batched_without_a_call_that_goes_alone() {
    hold_to_the_contract(|store, _| Batched::builder(store).alone(0).max_batches(1).build().unwrap());
}

#[test]
fn conformance_batched_on_a_runtime() {
    hold_to_the_contract(|store, _| Batched::builder(store).alone(0).runtime(ThreadRuntime).build().unwrap());
}

#[test]
fn conformance_breaker_around_batched() {
    hold_to_the_contract(|store, clock| {
        let batched = Batched::builder(store).alone(0).build().unwrap();
        Breaker::builder(batched).clock(clock).build().unwrap()
    });
}

#[test]
fn conformance_breaker() {
    hold_to_the_contract(|store, clock| Breaker::builder(store).clock(clock).build().unwrap());
}

#[test]
fn conformance_fallback() {
    hold_to_the_contract(|store, clock| Fallback::new(store, MemoryBackend::with_clock(clock)));
}

#[test]
fn conformance_fallback_around_a_breaker() {
    hold_to_the_contract(|store, clock| {
        let breaker = Breaker::builder(store).clock(clock.clone()).build().unwrap();
        Fallback::new(breaker, LocalBackend::builder().capacity(1_000).clock(clock).build())
    });
}

#[test]
fn conformance_breaker_around_a_fallback() {
    hold_to_the_contract(|store, clock| Breaker::new(Fallback::new(store, MemoryBackend::with_clock(clock))));
}

/// What the secondary answers keeps the contract too, but for the lives that it cuts.
#[test]
fn conformance_fallback_while_the_primary_is_away() {
    let clock = ManualClock::new();
    let primary = MemoryBackend::with_clock(clock.clone());
    primary.faults().fail_all(ErrorKind::Connection);
    let secondary = MemoryBackend::with_clock(clock.clone());
    let backend = Fallback::builder(primary, secondary)
        .clock(clock.clone())
        .max_ttl(Duration::from_secs(1 << 40))
        .journal_capacity(1_000_000)
        .without_background()
        .build()
        .unwrap();
    let fixture = Fixture {
        backend: Arc::new(backend),
        store: None,
        clock,
    };
    // Nothing lives for ever there, which many sentences notice; no other may fail, but for one key that is too long.
    let failures: Vec<String> = block_on(conformance::failures(&fixture))
        .into_iter()
        .filter(|failure| !failure.reason.contains("Expires(10995") && !failure.reason.contains("10995116"))
        .map(|failure| failure.sentence)
        .collect();
    assert_eq!(
        failures,
        [
            "a key of 64 kibibytes is a key like any other",
            "a reader never sees a value that is half written"
        ]
    );
}
