//! Runs one test body on every in-process backend.

use std::{future::Future, time::Duration};

use larder::{Cache, CacheBackend, CacheBuilder, ManualClock};
use larder_local::LocalBackend;
use larder_memory::MemoryBackend;

/// Defines a test that runs on memory and on a local map, each with a clock that the test moves.
macro_rules! on_each_backend {
    ($(#[$meta:meta])* async fn $name:ident($world:ident) $body:block) => {
        $(#[$meta])*
        #[test]
        fn $name() {
            async fn run<B: larder::CacheBackend + Clone + 'static>($world: $crate::backends::World<B>) $body
            $crate::backends::block_on(run($crate::backends::memory()));
            $crate::backends::block_on(run($crate::backends::local()));
        }
    };
}
pub(crate) use on_each_backend;

#[derive(Debug, Clone)]
pub(crate) struct World<B> {
    pub(crate) backend: B,
    pub(crate) clock: ManualClock,
}

impl<B: CacheBackend + Clone> World<B> {
    pub(crate) fn builder(&self) -> CacheBuilder<B> {
        Cache::builder(self.backend.clone()).clock(self.clock.clone())
    }

    pub(crate) fn cache(&self) -> Cache<B> {
        self.builder().prefix("test").build().unwrap()
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }
}

pub(crate) fn memory() -> World<MemoryBackend> {
    let clock = ManualClock::new();
    World {
        backend: MemoryBackend::with_clock(clock.clone()),
        clock,
    }
}

pub(crate) fn local() -> World<LocalBackend> {
    let clock = ManualClock::new();
    World {
        backend: LocalBackend::builder().capacity(100_000).clock(clock.clone()).build(),
        clock,
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}
