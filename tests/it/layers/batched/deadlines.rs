//! How long a call waits.

use std::time::Duration;

use larder::{CacheBackend, ErrorKind, ManualClock};
use larder_memory::{MemoryBackend, Operation};

use super::support::{forever, one_at_a_time, poll_once, read, text};
use crate::backends::block_on;

const DEADLINE: Duration = Duration::from_millis(100);

#[test]
fn each_call_waits_no_longer_than_its_own_deadline_for_its_turn() {
    let clock = ManualClock::new();
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone())
        .clock(clock.clone())
        .deadline(DEADLINE)
        .build()
        .unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let mut sent = read(&backend, "k");
    let mut early = read(&backend, "k");
    assert!(poll_once(&mut sent).is_pending());
    assert!(poll_once(&mut early).is_pending());
    clock.advance(DEADLINE / 2);
    let mut late = read(&backend, "k");
    assert!(poll_once(&mut late).is_pending());
    clock.advance(DEADLINE / 2);
    // Polled by another caller, who only helps.
    assert!(poll_once(&mut late).is_pending());
    let error = block_on(early).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "get: no answer within 100ms");
    assert_eq!(block_on(sent).unwrap_err().kind(), ErrorKind::Timeout);
    // The batch that nobody waits for any more makes room.
    gate.release();
    assert_eq!(text(block_on(late)), None);
    assert_eq!(backend.stats().in_flight, 0);
}

#[test]
fn the_deadlines_of_a_second_busy_time_are_watched_as_those_of_the_first() {
    let clock = ManualClock::new();
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone())
        .clock(clock.clone())
        .deadline(DEADLINE)
        .build()
        .unwrap();
    for _ in 0..3 {
        assert!(block_on(backend.get("k")).unwrap().is_none());
        clock.advance(Duration::from_secs(1));
        let gate = store.faults().hold_of(Operation::GetMany);
        let mut held = read(&backend, "k");
        assert!(poll_once(&mut held).is_pending());
        clock.advance(DEADLINE);
        assert_eq!(block_on(held).unwrap_err().kind(), ErrorKind::Timeout);
        drop(gate);
    }
}

#[test]
fn a_write_that_was_not_sent_by_its_deadline_is_never_applied() {
    let clock = ManualClock::new();
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone())
        .clock(clock.clone())
        .deadline(DEADLINE)
        .build()
        .unwrap();
    let gate = store.faults().hold_of(Operation::SetMany);
    let write = |key: &'static str| {
        let backend = backend.clone();
        Box::pin(async move { backend.set(key, "v".into(), forever()).await })
    };
    let (mut first, mut second) = (write("first"), write("second"));
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut second).is_pending());
    clock.advance(DEADLINE);
    assert_eq!(block_on(second).unwrap_err().kind(), ErrorKind::Timeout);
    gate.release();
    let _ = block_on(first);
    block_on(write("third")).unwrap();
    assert!(block_on(store.get("second")).unwrap().is_none());
}

#[test]
fn a_call_that_is_dropped_before_its_batch_goes_is_not_sent() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone()).build().unwrap();
    let gate = store.faults().hold_of(Operation::SetMany);
    let write = |key: &'static str| {
        let backend = backend.clone();
        Box::pin(async move { backend.set(key, "v".into(), forever()).await })
    };
    let (mut first, mut second, mut third) = (write("first"), write("second"), write("third"));
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut second).is_pending());
    assert!(poll_once(&mut third).is_pending());
    drop(second);
    gate.release();
    let (first, third) = block_on(async { futures::join!(first, third) });
    assert!(first.unwrap().is_done() && third.unwrap().is_done());
    assert!(block_on(store.get("second")).unwrap().is_none());
    assert_eq!(store.len(), 2);
}
