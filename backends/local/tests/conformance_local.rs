//! `LocalBackend` against the whole backend contract, with room for everything the suite writes.

use std::{sync::Arc, time::Duration};

use futures::executor::block_on;
use larder::{ManualClock, conformance, conformance::Subject};
use larder_local::{LocalBackend, LocalBuilder};

struct Fixture {
    backend: Arc<LocalBackend>,
    clock: ManualClock,
}

impl Fixture {
    fn new(builder: LocalBuilder) -> Self {
        let clock = ManualClock::new();
        let backend = Arc::new(builder.clock(clock.clone()).build());
        Self { backend, clock }
    }
}

impl Subject for Fixture {
    type Backend = LocalBackend;

    fn backend(&self) -> Arc<LocalBackend> {
        Arc::clone(&self.backend)
    }

    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }
}

#[test]
fn conformance_local_by_entries() {
    let fixture = Fixture::new(LocalBackend::builder().capacity(1_000_000));
    block_on(conformance::backend(&fixture));
    assert!(fixture.backend.is_empty(), "the suite left entries behind");
}

#[test]
fn conformance_local_by_bytes() {
    let fixture = Fixture::new(LocalBackend::builder().max_bytes(1 << 30));
    block_on(conformance::backend(&fixture));
    assert!(fixture.backend.is_empty(), "the suite left entries behind");
}
