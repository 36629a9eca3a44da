//! Calls that are made at the same time, sent together.
//!
//! A call that finds many others under way joins a batch, and the batch is sent while others are in flight: it grows for
//! as long as the store is busy, and no longer. [`Lane`](lane::Lane) puts calls together and decides when a batch goes,
//! [`Hall`](hall::Hall) is where they wait, each in its [`Waiting`](waiting::Waiting), [`Relay`](relay::Relay) lets those
//! who wait poll what they wait for. On a runtime [`work`](worker::work) polls it instead.
//!
//! Without one nothing is spawned, so that no executor is needed. A batch belongs to nobody and is polled by whoever waits. When it is
//! woken, it wakes all of its callers and all of those whose batch waits for room: any of them may be one that is never
//! polled again, and each of them polls whatever there is to poll.

mod batch;
mod builder;
mod commands;
mod errand;
mod expected;
mod hall;
mod lane;
#[cfg(all(test, larder_loom))]
mod loom_tests;
mod relay;
mod waiting;
mod worker;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

pub use self::builder::BatchedBuilder;
use self::{
    errand::{Gets, Sets},
    lane::Lane,
};

/// A backend that sends together what is asked at the same time.
///
/// Concurrent `get`s become one [`get_many`](crate::CacheBackend::get_many), and concurrent unconditional `set`s one
/// [`set_many`](crate::CacheBackend::set_many). Everything else goes through as it is. Worth it where a batch costs the
/// store or its client less than as many calls do: over a network, under load.
///
/// # Behavior
///
/// - **Nothing waits for company.** A call that is alone is handed on as it is. Those that find others under way join the
///   batch that goes next: at once where no batch is under way, else when it holds its share of the calls under way, or
///   when a batch under way has ended. Up to 4 batches are under way at once, so a few calls go at once as well; of many
///   calls it is two, each with half of them, as far as they hold them.
/// - **A batch of large values is small.** It holds no more calls than come to 256 KiB with values as large as those read
///   before, or half as many as one that was not answered in time, though 16 at the least: the answer to hundreds of large
///   values would keep everybody else waiting, and be in memory at once.
/// - **A read is never older than its call.** A call joins only a batch that was not sent yet.
/// - **Each call keeps its own answer.** A failure of one key is that key's; where the store refuses a whole batch of
///   reads, each is asked again by itself, so that one that is forbidden costs the others a round trip. Failures of a
///   store that is away are everyone's at once.
/// - **Who leaves takes nothing along.** A call that is dropped before its batch is sent is not sent; one that is dropped
///   later leaves its batch to the others, and the last one ends it.
/// - **Nobody waits for one who is left unpolled.** Callers poll the batches together, on any executor, and nothing is
///   spawned; a [`runtime`](BatchedBuilder::runtime) takes that off them.
/// - **Every call has a deadline**, 250 ms from its beginning unless the builder is told otherwise, waiting included: then
///   it fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout). Of the calls that go alone the backend keeps the
///   deadline. A write in a batch is handed on with what is left of it, or of
///   [its own](crate::SetOptions::deadline) where that is shorter; one with nothing left is not. Beyond 65 536 calls under
///   way, further ones fail with [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded).
///
/// Clones share their batches.
///
/// # Examples
///
/// ```
/// use futures::future::join_all;
/// use larder::{Batched, CacheBackend, Expiry, SetOptions};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let store = MemoryBackend::new();
/// let backend = Batched::new(store.clone());
/// backend.set("k", "v".into(), SetOptions::new(Expiry::Never)).await?;
///
/// let slow = store.faults().hold(); // until all have asked
/// let reads = join_all((0..100).map(|_| backend.get("k")));
/// let (found, ()) = futures::join!(reads, async { slow.release() });
/// assert!(found.into_iter().all(|entry| entry.unwrap().unwrap().bytes() == "v"));
/// assert_eq!(backend.stats().batched, 99); // the first was alone
/// assert!(backend.stats().batches < 20);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub struct Batched<B> {
    backend: Arc<B>,
    gets: Option<Arc<Lane<B, Gets>>>,
    sets: Option<Arc<Lane<B, Sets>>>,
}

/// What a [`Batched`] has put together since it was made, over all its clones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BatchedStats {
    /// Batches sent.
    pub batches: u64,
    /// Calls sent in them; all others went alone.
    pub batched: u64,
    /// Calls under way now, alone or in a batch.
    pub in_flight: usize,
}

impl<B> Batched<B> {
    /// A layer around `backend` with every default.
    #[must_use]
    pub fn new(backend: B) -> Self {
        BatchedBuilder::new(backend).assemble()
    }

    /// Starts to configure a layer around `backend`.
    pub fn builder(backend: B) -> BatchedBuilder<B> {
        BatchedBuilder::new(backend)
    }

    /// What was put together so far.
    #[must_use]
    pub fn stats(&self) -> BatchedStats {
        let mut stats = BatchedStats::default();
        if let Some(gets) = &self.gets {
            stats.batches += gets.batches.load(Ordering::Relaxed);
            stats.batched += gets.batched.load(Ordering::Relaxed);
            stats.in_flight += gets.calls();
        }
        if let Some(sets) = &self.sets {
            stats.batches += sets.batches.load(Ordering::Relaxed);
            stats.batched += sets.batched.load(Ordering::Relaxed);
            stats.in_flight += sets.calls();
        }
        stats
    }

    /// The same backend without the batches: every call goes alone.
    #[must_use]
    pub fn unbatched(&self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            gets: None,
            sets: None,
        }
    }

    /// The backend beneath.
    #[must_use]
    pub fn get_ref(&self) -> &B {
        &self.backend
    }
}

impl<B> Clone for Batched<B> {
    fn clone(&self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            gets: self.gets.clone(),
            sets: self.sets.clone(),
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for Batched<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batched")
            .field("backend", &self.backend)
            .field("gets", &self.gets.is_some())
            .field("sets", &self.sets.is_some())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
