//! Batches that a runtime polls, in the place of their callers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use larder::{Batched, CacheBackend, ErrorKind, Job, ManualClock, Runtime};
use larder_memory::{MemoryBackend, Operation};
use parking_lot::Mutex;

use super::support::{forever, one_at_a_time, poll_once, put, read, text, write};
use crate::backends::block_on;

const DEADLINE: Duration = Duration::from_millis(100);

/// Keeps its jobs until the test polls or drops them.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<Job>>>);

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Shelf").field(&self.0.lock().len()).finish()
    }
}

impl Runtime for Shelf {
    fn spawn(&self, job: Job) {
        self.0.lock().push(job);
    }
}

impl Shelf {
    /// Polls every job once.
    fn turn(&self) {
        let jobs = std::mem::take(&mut *self.0.lock());
        for mut job in jobs {
            if poll_once(&mut job).is_pending() {
                self.0.lock().push(job);
            }
        }
    }
}

fn on(shelf: &Shelf, clock: &ManualClock, store: &MemoryBackend) -> Batched<MemoryBackend> {
    let backend = one_at_a_time(store.clone()).runtime(shelf.clone());
    backend.clock(clock.clone()).deadline(DEADLINE).build().unwrap()
}

#[test]
fn a_batch_on_a_runtime_that_nobody_waits_for_any_more_makes_room() {
    let (shelf, clock, store) = (Shelf::default(), ManualClock::new(), MemoryBackend::new());
    put(&store, "k", "v");
    let backend = on(&shelf, &clock, &store);
    let gate = store.faults().hold_of(Operation::GetMany);
    let (mut first, mut second) = (read(&backend, "k"), read(&backend, "k"));
    assert!(poll_once(&mut first).is_pending());
    shelf.turn();
    assert!(poll_once(&mut second).is_pending());
    assert_eq!(backend.stats().batches, 1);

    drop(first);
    shelf.turn();
    assert_eq!(backend.stats().batches, 2);
    gate.release();
    shelf.turn();
    assert_eq!(text(block_on(second)).as_deref(), Some("v"));
}

#[test]
fn deadlines_are_watched_anew_where_a_runtime_has_dropped_the_watch() {
    let (shelf, clock, store) = (Shelf::default(), ManualClock::new(), MemoryBackend::new());
    let backend = on(&shelf, &clock, &store);
    let _gate = store.faults().hold_of(Operation::GetMany);
    let (mut first, mut second) = (read(&backend, "k"), read(&backend, "k"));
    assert!(poll_once(&mut first).is_pending());
    let watch = shelf.0.lock().remove(0);
    drop(watch);
    assert!(poll_once(&mut second).is_pending());
    shelf.turn();
    clock.advance(DEADLINE);
    shelf.turn();
    for read in [&mut first, &mut second] {
        let Poll::Ready(Err(error)) = poll_once(read) else {
            panic!("the call waits beyond its deadline");
        };
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
}

#[test]
fn the_store_is_away_for_calls_whose_runtime_has_ended() {
    let (shelf, clock, store) = (Shelf::default(), ManualClock::new(), MemoryBackend::new());
    let backend = on(&shelf, &clock, &store);
    let mut waits = read(&backend, "k");
    assert!(poll_once(&mut waits).is_pending());
    let jobs = std::mem::take(&mut *shelf.0.lock());
    drop(jobs);
    assert!(block_on(waits).unwrap_err().is_unavailable());
}

#[test]
fn of_many_calls_two_batches_are_under_way() {
    let (shelf, store) = (Shelf::default(), MemoryBackend::new());
    let backend = Batched::builder(store.clone()).alone(0).runtime(shelf.clone());
    let backend = backend.clock(ManualClock::new()).build().unwrap();
    let _gate = store.faults().hold_of(Operation::GetMany);
    let mut reads: Vec<_> = (0..100).map(|_| read(&backend, "k")).collect();
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    shelf.turn();
    assert_eq!(backend.stats().batches, 4, "a few calls have four");

    for (left, batches) in [(1, 4), (2, 4), (3, 5)] {
        drop(reads.remove(0));
        shelf.turn();
        assert_eq!(backend.stats().batches, batches, "{left} of the four have ended");
    }
}

/// Keeps its jobs until it has ended, and drops them from then on.
#[derive(Debug, Clone, Default)]
struct Mortal(Shelf, Arc<AtomicBool>);

impl Runtime for Mortal {
    fn spawn(&self, job: Job) {
        if !self.1.load(Ordering::SeqCst) {
            self.0.spawn(job);
        }
    }
}

#[test]
fn any_number_of_batches_ends_with_the_runtime() {
    let (runtime, store) = (Mortal::default(), MemoryBackend::new());
    let backend = one_at_a_time(store).max_calls(1).runtime(runtime.clone());
    let backend = backend.clock(ManualClock::new()).build().unwrap();
    let mut reads: Vec<_> = (0..5_000).map(|_| read(&backend, "k")).collect();
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    runtime.1.store(true, Ordering::SeqCst);
    let jobs = std::mem::take(&mut *runtime.0.0.lock());
    drop(jobs);
    for mut read in reads {
        let Poll::Ready(Err(error)) = poll_once(&mut read) else {
            panic!("the call waits for a runtime that has ended");
        };
        assert_eq!(error.kind(), ErrorKind::Connection);
    }
    assert_eq!(backend.stats().in_flight, 0);
}

/// Panics where it is given the second job, and keeps the others.
#[derive(Debug, Clone, Default)]
struct Faulty(Shelf, Arc<AtomicUsize>);

impl Runtime for Faulty {
    fn spawn(&self, job: Job) {
        assert_ne!(
            self.1.fetch_add(1, Ordering::SeqCst),
            1,
            "the runtime of this test panics"
        );
        self.0.spawn(job);
    }
}

#[test]
fn deadlines_are_kept_where_a_runtime_panics_as_it_is_given_a_batch() {
    let (runtime, clock) = (Faulty::default(), ManualClock::new());
    let backend = one_at_a_time(MemoryBackend::new())
        .max_calls(2)
        .runtime(runtime.clone());
    let backend = backend.clock(clock.clone()).deadline(DEADLINE).build().unwrap();
    let (mut first, mut second) = (read(&backend, "k"), read(&backend, "k"));
    let panics = catch_unwind(AssertUnwindSafe(|| poll_once(&mut first)));
    assert!(panics.is_err());
    assert!(poll_once(&mut second).is_pending());
    clock.advance(DEADLINE);
    // Of what it keeps the watch is the first.
    runtime.0.turn();
    let Poll::Ready(Err(error)) = poll_once(&mut second) else {
        panic!("the call waits beyond its deadline");
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

/// Drops a call when it is woken.
struct Dropping(Mutex<Option<Job>>);

impl Wake for Dropping {
    fn wake(self: Arc<Self>) {
        let call = self.0.lock().take();
        drop(call);
    }
}

#[test]
fn a_write_that_is_given_up_before_its_batch_begins_is_not_sent() {
    let (shelf, store) = (Shelf::default(), MemoryBackend::new());
    let backend = one_at_a_time(store.clone()).runtime(shelf.clone());
    let backend = backend.clock(ManualClock::new()).build().unwrap();
    let gate = store.faults().hold_of(Operation::SetMany);
    let mut held = write(&backend, "held", forever());
    assert!(poll_once(&mut held).is_pending());
    shelf.turn();
    let mut given_up: Job = Box::pin({
        let backend = backend.clone();
        async move {
            let _ = write(&backend, "given up", forever()).await;
        }
    });
    let mut kept = write(&backend, "kept", forever());
    assert!(poll_once(&mut given_up).is_pending() && poll_once(&mut kept).is_pending());
    // Woken when the first batch has come to its end, and the second was given to the worker.
    let waker = Waker::from(Arc::new(Dropping(Mutex::new(Some(given_up)))));
    assert!(held.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    gate.release();
    shelf.turn();
    assert_eq!(backend.stats().batches, 2);
    let Poll::Ready(written) = poll_once(&mut kept) else {
        panic!("the batch was polled");
    };
    assert!(written.unwrap().is_done());
    assert!(store.raw("given up").is_none() && store.raw("kept").is_some());
}

#[test]
fn a_runtime_runs_one_batch_after_the_other_by_the_same_job_which_ends_with_the_backend() {
    let (shelf, store) = (Shelf::default(), MemoryBackend::new());
    put(&store, "k", "v");
    let backend = on(&shelf, &ManualClock::new(), &store);
    for _ in 0..10 {
        let mut waits = read(&backend, "k");
        assert!(poll_once(&mut waits).is_pending());
        shelf.turn();
        assert_eq!(text(block_on(waits)).as_deref(), Some("v"));
    }
    assert_eq!(backend.stats().batches, 10);
    // The other is the watch on deadlines.
    assert_eq!(shelf.0.lock().len(), 2);
    drop(backend);
    shelf.turn();
    assert_eq!(shelf.0.lock().len(), 1);
}

#[test]
fn a_worker_that_ends_while_it_waits_is_replaced() {
    let (shelf, store) = (Shelf::default(), MemoryBackend::new());
    put(&store, "k", "v");
    let backend = on(&shelf, &ManualClock::new(), &store);
    for _ in 0..3 {
        let mut waits = read(&backend, "k");
        assert!(poll_once(&mut waits).is_pending());
        shelf.turn();
        assert_eq!(text(block_on(waits)).as_deref(), Some("v"));
        // The runtime ends, and with it the worker and the watch.
        let jobs = std::mem::take(&mut *shelf.0.lock());
        drop(jobs);
    }
    assert_eq!(backend.stats().batches, 3);
}

/// Bytes that count for as long as they are held.
struct Counted(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        b"v"
    }
}

#[test]
fn writes_that_are_given_up_before_they_are_sent_are_not_kept() {
    let (shelf, store) = (Shelf::default(), MemoryBackend::new());
    let backend = one_at_a_time(store).runtime(shelf.clone()).max_in_flight(10);
    let backend = backend.clock(ManualClock::new()).build().unwrap();
    let count = Arc::new(());
    let write = |key: &'static str| {
        let (backend, value) = (backend.clone(), Bytes::from_owner(Counted(Arc::clone(&count))));
        Box::pin(async move { backend.set(key, value, forever()).await })
    };
    // The first is sent and held; the second keeps the batch that the others come to.
    let (mut sent, mut waits) = (write("sent"), write("waits"));
    assert!(poll_once(&mut sent).is_pending() && poll_once(&mut waits).is_pending());
    for _ in 0..2_000 {
        assert!(poll_once(&mut write("given up")).is_pending());
    }
    drop(waits);
    for _ in 0..2_000 {
        assert!(poll_once(&mut write("given up")).is_pending());
    }
    assert_eq!(
        Arc::strong_count(&count),
        2,
        "the one that was sent, and the count itself"
    );
}
