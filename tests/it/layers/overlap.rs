//! Calls of the layers that overlap with each other, and those that nobody waits for any more.

use std::time::{Duration, Instant};

use larder::{Breaker, BreakerState, CacheBackend, Condition, ErrorKind, FallbackState, SetItem};
use larder_memory::{MemoryBackend, Operation};

use super::support::{Stores, forever, put, read};
use crate::{backends::block_on, remember::support::Tasks};

fn items(keys: &[&str], value: &'static str) -> Vec<SetItem> {
    keys.iter().map(|key| SetItem::new(*key, value, forever())).collect()
}

#[test]
fn outage_a_batch_that_the_primary_refuses_does_not_bring_back_what_was_deleted() {
    let stores = Stores::new();
    let backend = stores.fallback();
    block_on(async {
        for key in ["a", "b"] {
            put(&backend, key, "old").await;
        }
        stores.primary.faults().fail_all(ErrorKind::Connection);
        backend.delete_many(&["a", "b"]).await;
        stores.primary.faults().recover();
        let faults = stores.primary.faults();
        faults.fail_next_of(Operation::SetMany, 1, ErrorKind::Server);
        for refused in backend.set_many(items(&["a", "b"], "new")).await {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Server);
        }
        assert_eq!(stores.primary.raw("a").unwrap(), "old", "it stands there still");
        assert_eq!(backend.journal().keys, 2);
        for key in ["a", "b"] {
            assert_eq!(read(&backend, key).await, None);
        }
        assert!(stores.primary.is_empty());
    });
}

#[test]
fn outage_a_write_that_is_dropped_in_the_secondary_is_replayed_all_the_same() {
    let stores = Stores::new();
    let backend = larder::Fallback::builder(stores.primary.clone(), stores.secondary.clone())
        .retry_every(Duration::from_millis(1))
        .build()
        .unwrap();
    block_on(async {
        for key in ["set", "many", "delete", "deleted", "page:1"] {
            put(&backend, key, "old").await;
        }
    });
    stores.primary.faults().fail_all(ErrorKind::Connection);
    // One after the other, so that none is replayed for the sake of another's.
    let dropped: [fn(&super::support::Pair) -> futures::future::BoxFuture<'_, ()>; 5] = [
        |pair| Box::pin(async { drop(pair.set("set", "new".into(), forever()).await) }),
        |pair| Box::pin(async { drop(pair.set_many(items(&["many"], "new")).await) }),
        |pair| Box::pin(async { drop(pair.delete("delete", Condition::Always).await) }),
        |pair| Box::pin(async { drop(pair.delete_many(&["deleted"]).await) }),
        |pair| Box::pin(async { drop(pair.delete_matching("page:*").await) }),
    ];
    for (left, call) in (0..5).rev().zip(dropped) {
        let gate = stores.secondary.faults().hold();
        let mut tasks = Tasks::new();
        let call = tasks.add(call(&backend));
        assert!(tasks.poll(call).is_none(), "the secondary holds it");
        tasks.drop_task(call);
        gate.release();
        stores.primary.faults().recover();
        let began = Instant::now();
        while backend.state() != FallbackState::Primary || stores.primary.len() > left {
            assert!(began.elapsed().as_secs() < 10, "{:?}", backend.journal());
            std::thread::yield_now();
        }
        stores.primary.faults().fail_all(ErrorKind::Connection);
    }
}

#[test]
fn outage_what_can_not_be_deleted_does_not_hold_up_the_rest_of_a_replay() {
    let stores = Stores::new();
    let backend = stores.fallback();
    let keys: Vec<String> = (0..2_000).map(|n| format!("key:{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    block_on(async {
        backend.set_many(items(&keys, "old")).await;
        put(&backend, "page:1", "old").await;
        stores.primary.faults().fail_all(ErrorKind::Connection);
        backend.delete_many(&keys).await;
        backend.delete_matching("page:*").await.unwrap();

        stores.primary.reset_calls();
        assert_eq!(backend.replay().await.unwrap_err().kind(), ErrorKind::Connection);
        assert_eq!(stores.primary.calls().total(), 1, "one that is away is asked once");

        stores.primary.faults().recover();
        let faults = stores.primary.faults();
        faults.fail_next_of(Operation::DeleteMany, 1, ErrorKind::Server);
        let error = backend.replay().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        let left = backend.journal();
        assert_eq!((left.keys, left.patterns), (512, 0), "one round trip's worth");
        assert_eq!(stores.primary.len(), 512);
        backend.replay().await.unwrap();
        assert!(stores.primary.is_empty());
    });
}

#[test]
fn outage_a_probe_that_nobody_polls_is_joined_by_another_after_the_longest_opening() {
    let (clock, long) = (larder::ManualClock::new(), Duration::from_millis(500));
    let store = MemoryBackend::with_clock(clock.clone());
    let breaker = Breaker::builder(store.clone())
        .failures(1)
        .clock(clock.clone())
        .build()
        .unwrap();
    store.faults().fail_next(1, ErrorKind::Timeout);
    block_on(breaker.get("k")).unwrap_err();
    clock.advance(long);
    let gate = store.faults().hold();
    let mut tasks = Tasks::new();
    let forgotten = tasks.add(breaker.get("k"));
    assert!(tasks.poll(forgotten).is_none());
    gate.release();

    clock.advance(long.saturating_sub(Duration::from_nanos(1)));
    block_on(breaker.get("k")).unwrap_err();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    clock.advance(Duration::from_nanos(1));
    block_on(breaker.get("k")).unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
    // What the first says now is of the past.
    store.faults().fail_all(ErrorKind::Timeout);
    let _ = tasks.poll(forgotten);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn outage_a_slow_probe_still_counts_when_another_has_joined_it() {
    let (clock, long) = (larder::ManualClock::new(), Duration::from_millis(500));
    let store = MemoryBackend::with_clock(clock.clone());
    let breaker = Breaker::builder(store.clone())
        .failures(1)
        .clock(clock.clone())
        .build()
        .unwrap();
    store.faults().fail_next(1, ErrorKind::Timeout);
    block_on(breaker.get("k")).unwrap_err();
    clock.advance(long);
    let gate = store.faults().hold();
    let mut tasks = Tasks::new();
    let slow = tasks.add(breaker.get("k"));
    assert!(tasks.poll(slow).is_none());
    clock.advance(long);
    let another = tasks.add(breaker.get("k"));
    assert!(tasks.poll(another).is_none());
    block_on(breaker.get("k")).unwrap_err();
    gate.release();
    tasks.poll(slow).unwrap().unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
    tasks.poll(another).unwrap().unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
}
