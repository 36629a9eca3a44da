//! Who polls a batch: whoever waits, while others are dropped, left unpolled, or panic.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{
    StreamExt,
    future::{Either, join_all, select},
    stream::FuturesUnordered,
};
use larder::{Batched, CacheBackend, Clock, SystemClock};
use larder_memory::{MemoryBackend, Operation};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::support::{Bell, FORBIDDEN, Guarded, Read, one_at_a_time, poll_once, put, read, text};
use crate::backends::block_on;

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_caller_left_unpolled_keeps_neither_its_batch_nor_the_next_one_waiting() {
    let store = MemoryBackend::new();
    put(&store, "k", "v");
    let backend = one_at_a_time(store.clone()).build().unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let mut unpolled: Vec<Read> = (0..5).map(|_| read(&backend, "k")).collect();
    assert!(unpolled.iter_mut().all(|read| poll_once(read).is_pending()));
    let waits = read(&backend, "k");
    let waiting = std::thread::spawn(move || text(block_on(waits)));
    while backend.stats().in_flight < 6 {
        std::thread::yield_now();
    }
    gate.release();
    assert_eq!(waiting.join().unwrap().as_deref(), Some("v"));
    assert_eq!(backend.stats().batches, 2);
    for read in unpolled {
        assert_eq!(text(block_on(read)).as_deref(), Some("v"));
    }
}

#[test]
fn everyone_whose_answer_may_hang_on_a_batch_is_woken_with_it() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone()).max_calls(2).build().unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let bells: Vec<_> = (0..6).map(|_| Arc::new(Bell::default())).collect();
    let mut reads: Vec<Read> = bells.iter().map(|_| read(&backend, "k")).collect();
    for (read, bell) in reads.iter_mut().zip(&bells) {
        let waker = Waker::from(Arc::clone(bell));
        assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    gate.release();
    assert!(bells.iter().all(|bell| bell.0.load(Ordering::SeqCst) == 1));
    // Any one of them gets them all on.
    let last = reads.pop().unwrap();
    block_on(last).unwrap();
}

#[test]
fn the_last_one_to_leave_a_batch_ends_it_and_makes_room() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone()).build().unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let mut sent = read(&backend, "k");
    assert!(poll_once(&mut sent).is_pending());
    let (bell, mut next) = (Arc::new(Bell::default()), read(&backend, "k"));
    let waker = Waker::from(Arc::clone(&bell));
    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(gate.waiting(), 1);
    drop(sent);
    assert_eq!(gate.waiting(), 0, "the store still works for nobody");
    assert!(bell.0.load(Ordering::SeqCst) > 0, "nobody was told of the room");
    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(gate.waiting(), 1);
    gate.release();
    block_on(next).unwrap();
}

#[test]
fn a_panic_of_the_store_is_that_of_the_caller_it_came_to_and_an_error_to_the_others() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(Guarded(store.clone(), true)).build().unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let mut first = read(&backend, "k");
    let mut panics = read(&backend, FORBIDDEN);
    let mut beside = read(&backend, "k");
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut panics).is_pending());
    assert!(poll_once(&mut beside).is_pending());
    gate.release();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll_once(&mut first)));
    // The poll that answers the first sends the second batch.
    assert!(caught.is_err());
    let error = block_on(beside).unwrap_err();
    assert_eq!(
        error.to_string(),
        "get: the batch of this call has ended without an answer"
    );
    assert!(block_on(backend.get("k")).unwrap().is_none());
}

#[test]
fn callers_that_are_polled_dropped_and_forgotten_at_random_leave_the_others_their_answers() {
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let store = MemoryBackend::new();
        put(&store, "k", "v");
        let backend = Batched::builder(store.clone())
            .alone(random.random_range(0..3))
            .max_batches(random.random_range(1..4))
            .max_calls(random.random_range(1..6))
            .build()
            .unwrap();
        let mut gate = None;
        let mut live: Vec<Read> = Vec::new();
        let mut forgotten: Vec<Read> = Vec::new();
        for _ in 0..random.random_range(10..80) {
            match random.random_range(0..10) {
                0..=3 => live.push(read(&backend, ["k", "missing"].choose(&mut random).unwrap())),
                4..=6 if !live.is_empty() => {
                    let at = random.random_range(0..live.len());
                    if let Poll::Ready(found) = poll_once(&mut live[at]) {
                        found.unwrap();
                        drop(live.swap_remove(at));
                    }
                }
                7 if !live.is_empty() => drop(live.swap_remove(random.random_range(0..live.len()))),
                8 if !live.is_empty() => forgotten.push(live.swap_remove(random.random_range(0..live.len()))),
                _ => gate = gate.is_none().then(|| store.faults().hold()),
            }
        }
        drop(gate);
        // Which polls each of them when it is woken, and no other.
        let live: FuturesUnordered<_> = live.into_iter().collect();
        let all = block_on(select(live.collect::<Vec<_>>(), SystemClock::new().sleep(LIMIT)));
        assert!(matches!(all, Either::Left(_)), "seed {seed}: a caller was never woken");
        drop(forgotten);
        assert_eq!(backend.stats().in_flight, 0, "seed {seed}");
    }
}

#[test]
fn callers_on_many_threads_and_executors_all_get_their_own_answers() {
    const THREADS: usize = 6;
    const CALLS: usize = 300;
    let store = MemoryBackend::new();
    let keys: Vec<String> = (0..CALLS).map(|i| format!("k{i}")).collect();
    for key in &keys {
        let value = key.clone().into();
        let written = block_on(store.set(key, value, super::support::forever()));
        assert!(written.unwrap().is_done());
    }
    let backend = Batched::builder(Late(store)).alone(0).max_calls(7).build().unwrap();
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let calls = |backend: Batched<Late>, keys: Vec<String>| async move {
        let found = join_all(keys.iter().map(|key| backend.get(key))).await;
        for (key, found) in keys.iter().zip(found) {
            assert_eq!(text(found).as_ref(), Some(key));
        }
    };
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let call = calls(backend.clone(), keys.clone());
            let handle = tokio.handle().clone();
            std::thread::spawn(move || match thread % 3 {
                0 => block_on(call),
                1 => handle.block_on(handle.spawn(call)).unwrap(),
                _ => futures::executor::LocalPool::new().run_until(call),
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let stats = backend.stats();
    assert_eq!(stats.in_flight, 0);
    assert!(stats.batched > stats.batches, "nothing was put together");
}

/// A store whose batches are answered from a thread of their own.
#[derive(Debug, Clone)]
struct Late(MemoryBackend);

crate::store::forward_to_store! {
    Late,
    async fn get(&self, key: &str) -> larder::Result<Option<larder::Entry>> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<larder::Result<Option<larder::Entry>>> {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let sending = std::thread::spawn(move || sender.send(()));
        receiver.await.unwrap();
        let _ = sending.join();
        self.0.get_many(keys).await
    }
}
