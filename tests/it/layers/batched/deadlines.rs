//! How long a call waits.

use std::time::Duration;

use larder::{Batched, CacheBackend, ErrorKind, ManualClock, SetOptions};
use larder_memory::{MemoryBackend, Operation};

use super::support::{Deadlines, Write, forever, one_at_a_time, poll_once, read, text, write};
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
    let write = |key| write(&backend, key, forever());
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
    let write = |key| write(&backend, key, forever());
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

fn within(millis: u64) -> SetOptions {
    forever().with_deadline(Duration::from_millis(millis))
}

/// A layer whose calls have [`DEADLINE`], with a write under way that the test holds back.
fn held(clock: &ManualClock, store: &Deadlines) -> (Batched<Deadlines>, larder_memory::Gate, Write) {
    let backend = one_at_a_time(store.clone()).clock(clock.clone());
    let backend = backend.deadline(DEADLINE).build().unwrap();
    let gate = store.store().faults().hold_of(Operation::SetMany);
    let mut first = write(&backend, "first", forever());
    assert!(poll_once(&mut first).is_pending());
    (backend, gate, first)
}

#[test]
fn a_write_that_has_waited_is_handed_on_with_what_is_left_of_its_deadline() {
    let (clock, store) = (ManualClock::new(), Deadlines::default());
    let (backend, gate, first) = held(&clock, &store);
    let mut early = write(&backend, "early", forever());
    assert!(poll_once(&mut early).is_pending());
    clock.advance(Duration::from_millis(40));
    let mut hurried = write(&backend, "hurried", within(25));
    let mut patient = write(&backend, "patient", within(5_000));
    assert!(poll_once(&mut hurried).is_pending());
    assert!(poll_once(&mut patient).is_pending());
    clock.advance(Duration::from_millis(10));
    gate.release();
    for written in block_on(futures::future::join_all([first, early, hurried, patient])) {
        assert!(written.unwrap().is_done());
    }
    assert_eq!(
        store.seen(),
        [("first", 100), ("early", 50), ("hurried", 15), ("patient", 90)].map(|(key, left)| (key.to_owned(), left))
    );
}

#[test]
fn a_write_that_goes_alone_is_handed_on_as_it_is() {
    let store = Deadlines::default();
    let backend = Batched::new(store.clone());
    for options in [forever(), within(5_000)] {
        assert!(block_on(write(&backend, "k", options)).unwrap().is_done());
    }
    assert_eq!(store.seen(), []);
    assert_eq!(backend.stats().batched, 0);
}

#[test]
fn a_write_with_a_shorter_deadline_of_its_own_ends_by_then_and_is_never_applied() {
    for is_polled in [true, false] {
        let (clock, store) = (ManualClock::new(), Deadlines::default());
        let (backend, gate, first) = held(&clock, &store);
        let mut hurried = write(&backend, "hurried", within(25));
        let mut beside = write(&backend, "beside", forever());
        assert!(poll_once(&mut hurried).is_pending());
        assert!(poll_once(&mut beside).is_pending());
        clock.advance(Duration::from_millis(25));
        if is_polled {
            hurried = Box::pin(std::future::ready(block_on(hurried)));
        }
        gate.release();
        assert!(block_on(first).unwrap().is_done());
        assert!(block_on(beside).unwrap().is_done());
        let error = block_on(hurried).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.to_string(), "set: no answer within 25ms");
        let sent: Vec<String> = store.seen().into_iter().map(|(key, _)| key).collect();
        assert_eq!(sent, ["first", "beside"], "polled: {is_polled}");
        assert!(block_on(store.store().get("hurried")).unwrap().is_none());
        assert_eq!(backend.stats().in_flight, 0);
    }
}

#[test]
fn a_write_with_a_deadline_of_zero_is_refused_and_takes_no_batch_along() {
    let store = Deadlines::default();
    let backend = one_at_a_time(store.clone()).build().unwrap();
    let error = block_on(write(&backend, "k", within(0))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(backend.stats().batches, 0);
}
