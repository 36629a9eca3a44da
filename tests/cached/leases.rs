//! One body in the whole fleet. Each cache here is a process of its own: what they share is the backend.

use std::time::Duration;

use futures::{poll, task::Poll};
use larder::{Cache, ManualClock, cached};
use larder_memory::MemoryBackend;

use crate::support::{Database, Memory, block_on};

/// The longest pause between two looks of one that waits, spread included.
const POLL: Duration = Duration::from_millis(150);
const LEASE: Duration = Duration::from_secs(10);

fn two_processes() -> (Memory, Memory, ManualClock) {
    let clock = ManualClock::new();
    let backend = MemoryBackend::with_clock(clock.clone());
    let process = || Cache::builder(backend.clone()).clock(clock.clone()).build().unwrap();
    (process(), process(), clock)
}

#[cached(cache = cache, key = "value", ttl = "1h", lease = "10s", skip(database))]
async fn value(cache: &Memory, database: &Database) -> usize {
    database.read().await
}

#[test]
fn with_a_lease_one_process_runs_the_body_and_the_other_waits() {
    let ((first, second, clock), database) = (two_processes(), Database::default());
    block_on(async {
        let (mut one, mut other) = (Box::pin(value(&first, &database)), Box::pin(value(&second, &database)));
        assert!(poll!(&mut one).is_pending());
        assert!(poll!(&mut other).is_pending());
        clock.advance(LEASE / 2);
        assert!(poll!(&mut one).is_pending());
        assert!(poll!(&mut other).is_pending());
        assert_eq!(database.loads.count(), 1);
        database.open();
        assert_eq!(poll!(&mut one), Poll::Ready(0));
        clock.advance(POLL);
        assert_eq!(poll!(&mut other), Poll::Ready(0));
        assert_eq!((database.loads.count(), second.stats().loads), (1, 0));
    });
}

#[test]
fn a_process_that_falls_silent_is_replaced_after_its_lease() {
    let ((stuck, second, clock), database) = (two_processes(), Database::default());
    block_on(async {
        // Polled once and never again, so that it renews nothing.
        let mut silent = Box::pin(value(&stuck, &database));
        assert!(poll!(&mut silent).is_pending());
        let newer = database.write();
        database.open();
        let mut other = Box::pin(value(&second, &database));
        let mut waited = Duration::ZERO;
        let answer = loop {
            if let Poll::Ready(answer) = poll!(&mut other) {
                break answer;
            }
            assert!(waited < LEASE + POLL, "it waits longer than the lease and a look");
            clock.advance(POLL);
            waited += POLL;
        };
        assert_eq!(answer, newer);
        assert!(waited >= LEASE, "{waited:?}");
    });
}

#[cached(cache = cache, key = "value", ttl = "1h", skip(database))]
async fn without_a_lease(cache: &Memory, database: &Database) -> usize {
    database.read().await
}

#[test]
fn without_a_lease_each_process_runs_the_body() {
    let ((first, second, _clock), database) = (two_processes(), Database::default());
    block_on(async {
        let (mut one, mut other) = (
            Box::pin(without_a_lease(&first, &database)),
            Box::pin(without_a_lease(&second, &database)),
        );
        assert!(poll!(&mut one).is_pending());
        assert!(poll!(&mut other).is_pending());
        assert_eq!(database.loads.count(), 2);
    });
}

#[cached(cache = cache, key = "value", ttl = "1h", lease = "10s", wait = "2s", skip(database))]
async fn impatient(cache: &Memory, database: &Database) -> usize {
    database.read().await
}

#[test]
fn nobody_waits_for_the_body_of_another_process_longer_than_wait() {
    let ((first, second, clock), database) = (two_processes(), Database::default());
    block_on(async {
        let (mut one, mut other) = (
            Box::pin(impatient(&first, &database)),
            Box::pin(impatient(&second, &database)),
        );
        assert!(poll!(&mut one).is_pending());
        assert!(poll!(&mut other).is_pending());
        for _ in 0..12 {
            clock.advance(POLL);
            assert!(poll!(&mut one).is_pending());
            assert!(poll!(&mut other).is_pending());
        }
        assert_eq!(database.loads.count(), 1);
        clock.advance(POLL * 2);
        assert!(poll!(&mut other).is_pending());
        assert_eq!((database.loads.count(), second.stats().loads), (2, 1));
    });
}

#[test]
fn nobody_waits_for_the_body_of_another_call_longer_than_wait() {
    let ((cache, _, clock), database) = (two_processes(), Database::default());
    block_on(async {
        let (mut one, mut other) = (
            Box::pin(impatient(&cache, &database)),
            Box::pin(impatient(&cache, &database)),
        );
        assert!(poll!(&mut one).is_pending());
        assert!(poll!(&mut other).is_pending());
        clock.advance(Duration::from_millis(1_999));
        assert!(poll!(&mut other).is_pending());
        assert_eq!(database.loads.count(), 1);
        clock.advance(Duration::from_millis(1));
        assert!(poll!(&mut other).is_pending());
        assert_eq!(database.loads.count(), 2);
    });
}
