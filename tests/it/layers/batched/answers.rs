//! What a call in a batch is answered.

use futures::future::join_all;
use larder::{CacheBackend, Condition, ErrorKind, Expiry};
use larder_memory::{MemoryBackend, Operation};

use super::support::{FORBIDDEN, Guarded, forever, one_at_a_time, poll_once, put, read, text, write};
use crate::backends::block_on;

#[test]
fn calls_that_wait_while_a_batch_is_under_way_go_in_the_next_one() {
    let store = MemoryBackend::new();
    (0..10).for_each(|i| put(&store, &format!("k{i}"), "v"));
    let backend = one_at_a_time(store.clone()).build().unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let mut reads: Vec<_> = (0..10).map(|i| read(&backend, &format!("k{i}"))).collect();
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    assert_eq!(backend.stats().batches, 1);
    assert_eq!(backend.stats().in_flight, 10);
    gate.release();
    let found = block_on(join_all(reads));
    assert!(found.into_iter().all(|found| text(found).as_deref() == Some("v")));
    let stats = backend.stats();
    assert_eq!((stats.batches, stats.batched, stats.in_flight), (2, 10, 0));
}

#[test]
fn each_call_gets_the_answer_of_its_own_key() {
    let store = MemoryBackend::new();
    put(&store, "a", "1");
    put(&store, "", "empty key");
    store.insert_other_type("list");
    let backend = one_at_a_time(store).build().unwrap();
    let keys = ["a", "missing", "", "list", "a"];
    let found = block_on(join_all(keys.map(|key| read(&backend, key))));
    let found: Vec<_> = found.into_iter().map(text).collect();
    let one = Some("1".to_owned());
    assert_eq!(found, [one.clone(), None, Some("empty key".to_owned()), None, one]);
}

#[test]
fn a_few_calls_go_alone() {
    let store = MemoryBackend::new();
    let backend = larder::Batched::builder(store.clone()).alone(3).build().unwrap();
    let gate = store.faults().hold();
    let mut reads: Vec<_> = (0..5).map(|_| read(&backend, "k")).collect();
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    gate.release();
    block_on(join_all(reads));
    assert_eq!(backend.stats().batched, 2);
}

#[test]
fn a_batch_holds_no_more_calls_and_bytes_than_it_may() {
    let long = "k".repeat(100);
    for (calls, bytes, batches) in [(3, 1 << 20, 1 + 3), (100, 200, 1 + 5)] {
        let store = MemoryBackend::new();
        let backend = one_at_a_time(store.clone())
            .max_calls(calls)
            .max_bytes(bytes)
            .build()
            .unwrap();
        let gate = store.faults().hold_of(Operation::GetMany);
        let mut reads: Vec<_> = (0..10).map(|_| read(&backend, &long)).collect();
        assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
        gate.release();
        block_on(join_all(reads));
        assert_eq!(backend.stats().batches, batches, "{calls} calls, {bytes} bytes");
    }
}

/// In how many batches so many calls at the same time go.
fn batches_of(reads: usize, backend: &larder::Batched<MemoryBackend>) -> u64 {
    let before = backend.stats().batches;
    let gate = backend.get_ref().faults().hold_of(Operation::GetMany);
    let mut reads: Vec<_> = (0..reads).map(|_| read(backend, "k")).collect();
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    gate.release();
    block_on(join_all(reads));
    backend.stats().batches - before
}

#[test]
fn a_batch_of_large_values_is_small() {
    let store = MemoryBackend::new();
    put(&store, "k", "0123456789012345678901234567890123456789012345678");
    let backend = one_at_a_time(store).max_bytes(1_000).build().unwrap();
    // The first goes at once. Of the others nothing is known yet.
    assert_eq!(batches_of(1 + 50, &backend), 2);
    (0..30).for_each(|_| assert_eq!(batches_of(1, &backend), 1));
    // 20 of them come to as much as a batch may hold.
    assert_eq!(batches_of(1 + 50, &backend), 1 + 3);
}

#[test]
fn the_batch_after_one_that_was_late_is_half_as_large() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone()).build().unwrap();
    assert_eq!(batches_of(1 + 50, &backend), 2);
    store.faults().fail_all(ErrorKind::Timeout);
    assert_eq!(batches_of(1 + 50, &backend), 2);
    store.faults().recover();
    assert_eq!(batches_of(1 + 50, &backend), 1 + 2);
}

#[test]
fn a_batch_that_is_full_before_it_has_its_share_goes_at_once() {
    let long = "k".repeat(100);
    let store = MemoryBackend::new();
    let backend = larder::Batched::builder(store.clone())
        .alone(64)
        .max_bytes(200)
        .max_batches(2)
        .build()
        .unwrap();
    let gates = [Operation::Get, Operation::GetMany].map(|operation| store.faults().hold_of(operation));
    // Of so many a share is more than 30. The first that does not go alone finds no batch under way.
    let mut reads: Vec<_> = (0..64 + 1 + 2).map(|_| read(&backend, &long)).collect();
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    assert_eq!(backend.stats().batches, 2);
    for gate in gates {
        gate.release();
    }
    block_on(join_all(reads));
}

#[test]
fn keys_in_parts_go_together_and_are_asked_for_whole() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone()).build().unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let keys = ["a", "b", "c", "d"];
    for (key, value) in ["app:a", "app:b", "app:c", "app:d"].into_iter().zip(keys) {
        put(&store, key, value);
    }
    let mut reads = keys.map(|key| Box::pin(backend.get_joined("app:", key)));
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    gate.release();
    let found: Vec<_> = block_on(join_all(reads)).into_iter().map(text).collect();
    assert_eq!(found, keys.map(|key| Some(key.to_owned())));
    assert_eq!((backend.stats().batches, backend.stats().batched), (2, 4));
}

#[test]
fn a_key_that_may_not_be_read_fails_alone() {
    let store = MemoryBackend::new();
    put(&store, "k", "v");
    let backend = one_at_a_time(Guarded(store.clone(), false)).build().unwrap();
    let found = block_on(join_all(["k", FORBIDDEN, "k"].map(|key| read(&backend, key))));
    let [first, forbidden, last] = <[_; 3]>::try_from(found).unwrap();
    assert_eq!(text(first).as_deref(), Some("v"));
    assert_eq!(text(last).as_deref(), Some("v"));
    assert_eq!(forbidden.unwrap_err().message(), "NOPERM no access to one of the keys");
}

#[test]
fn a_store_that_is_away_is_so_for_every_call_of_the_batch_in_the_name_of_a_get() {
    for kind in [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Overloaded] {
        let store = MemoryBackend::new();
        let backend = one_at_a_time(store.clone()).build().unwrap();
        let gate = store.faults().hold_of(Operation::GetMany);
        let mut reads: Vec<_> = (0..4).map(|_| read(&backend, "k")).collect();
        assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
        store.faults().fail_all(kind);
        gate.release();
        let mut found = block_on(join_all(reads)).into_iter();
        // The first was under way before the store went away.
        assert_eq!(text(found.next().unwrap()), None);
        for failed in found {
            let error = failed.unwrap_err();
            assert_eq!((error.kind(), error.operation()), (kind, Some("get")));
        }
    }
}

#[test]
fn a_read_that_begins_after_a_write_was_acknowledged_sees_it_though_an_older_read_is_under_way() {
    let store = MemoryBackend::new();
    put(&store, "k", "old");
    let backend = one_at_a_time(store.clone()).max_batches(2).build().unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let mut older = read(&backend, "k");
    assert!(poll_once(&mut older).is_pending());
    block_on(async {
        backend.set("k", "new".into(), forever()).await.unwrap();
        let mut younger = read(&backend, "k");
        assert!(poll_once(&mut younger).is_pending());
        gate.release();
        assert_eq!(text(younger.await).as_deref(), Some("new"));
        older.await.unwrap();
    });
}

#[test]
fn writes_go_together_and_what_depends_on_what_stands_goes_as_it_is() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone()).build().unwrap();
    let gate = store.faults().hold_of(Operation::SetMany);
    let write = |i: usize| {
        let backend = backend.clone();
        Box::pin(async move { backend.set(&format!("k{i}"), i.to_string().into(), forever()).await })
    };
    let mut writes: Vec<_> = (0..10).map(write).collect();
    assert!(writes.iter_mut().all(|write| poll_once(write).is_pending()));
    block_on(async {
        let if_absent = forever().with_condition(Condition::IfAbsent);
        assert!(backend.set("c", "v".into(), if_absent).await.unwrap().is_done());
        let keep = larder::SetOptions::new(Expiry::Keep);
        assert!(backend.set("c", "w".into(), keep).await.unwrap().is_done());
        gate.release();
        for written in join_all(writes).await {
            assert!(written.unwrap().is_done());
        }
    });
    assert_eq!((backend.stats().batches, backend.stats().batched), (2, 10));
    for i in 0..10 {
        assert_eq!(text(block_on(store.get(&format!("k{i}")))), Some(i.to_string()));
    }
}

#[test]
fn a_call_beyond_the_limit_is_turned_away() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store.clone()).max_in_flight(2).build().unwrap();
    let gate = store.faults().hold_of(Operation::GetMany);
    let mut reads: Vec<_> = (0..2).map(|_| read(&backend, "k")).collect();
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    let error = block_on(backend.get("k")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert_eq!(
        error.to_string(),
        "get: 2 calls are in flight, as many as max_in_flight allows"
    );
    drop(reads);
    gate.release();
    assert!(block_on(backend.get("k")).unwrap().is_none());
}

#[test]
fn an_unbatched_clone_sends_every_call_alone() {
    let store = MemoryBackend::new();
    let backend = one_at_a_time(store).build().unwrap();
    let unbatched = backend.unbatched();
    block_on(join_all((0..10).map(|_| unbatched.get("k"))));
    assert_eq!((unbatched.stats().batches, backend.stats().batches), (0, 0));
}

#[test]
fn each_call_that_goes_alone_is_counted_with_those_of_its_kind() {
    let store = MemoryBackend::new();
    let backend = larder::Batched::builder(store.clone()).alone(1).alone_sets(3);
    let backend = backend.build().unwrap();
    let gate = store.faults().hold();
    let mut writes: Vec<_> = (0..5).map(|i| write(&backend, &format!("k{i}"), forever())).collect();
    let mut reads: Vec<_> = (0..5).map(|_| read(&backend, "k")).collect();
    assert!(writes.iter_mut().all(|write| poll_once(write).is_pending()));
    assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
    gate.release();
    block_on(async { futures::join!(join_all(writes), join_all(reads)) });
    assert_eq!(backend.stats().batched, 2 + 4);
}
