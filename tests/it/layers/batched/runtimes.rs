//! Batches that a runtime polls, in the place of their callers.

use std::{sync::Arc, task::Poll, time::Duration};

use larder::{Batched, ErrorKind, Job, ManualClock, Runtime};
use larder_memory::{MemoryBackend, Operation};
use parking_lot::Mutex;

use super::support::{one_at_a_time, poll_once, put, read, text};
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
    let watch = shelf.0.lock().pop();
    drop(watch.expect("a batch and a watch were begun"));
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
