//! Loads that begin on one side of an outage and end on the other.

use larder::{Cache, CacheBackend, Condition, ErrorKind};
use larder_memory::Operation;

use super::support::{Pair, Stores};
use crate::{
    backends::block_on,
    remember::support::{Database, Gate, Tasks, remember},
};

/// A load begins, then the value changes and its key is deleted, then the load ends, each with the primary there or
/// away. Whatever is cached in the end is not what the load has read.
fn load_across(turns: [bool; 3], replay: bool, is_applied: bool) {
    let stores = Stores::new();
    let fallback = stores.fallback();
    let cache: Cache<Pair> = Cache::builder(fallback.clone())
        .clock(stores.clock.clone())
        .prefix("app")
        .build()
        .unwrap();
    let faults = stores.primary.faults();
    let turn = |is_there: bool| {
        faults.recover();
        match (is_there, is_applied) {
            (true, _) => {}
            (false, false) => faults.fail_all(ErrorKind::Timeout),
            (false, true) => faults.fail_next_applied(100, ErrorKind::Timeout),
        }
    };
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    turn(turns[0]);
    let load = tasks.add(remember(&cache, "key", &database, &gate));
    assert!(tasks.poll(load).is_none());
    turn(turns[1]);
    let written = database.write();
    block_on(cache.delete("key")).unwrap();
    if replay {
        drop(block_on(fallback.replay()));
    }
    turn(turns[2]);
    gate.open();
    assert_eq!(
        tasks.poll(load).unwrap().unwrap(),
        0,
        "the caller gets what it has loaded"
    );
    for is_there in [turns[2], true, false, true] {
        turn(is_there);
        let found: Option<usize> = block_on(cache.get("key")).unwrap();
        assert_eq!(found, None, "{turns:?} {replay} {is_applied}: an old value is back");
    }
    let answer = block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap();
    assert_eq!(answer, written);
    assert_eq!(block_on(cache.get::<usize>("key")).unwrap(), Some(written));
}

#[test]
fn outage_no_load_that_spans_it_brings_back_what_was_deleted() {
    for turns in 0..8 {
        for replay in [false, true] {
            for is_applied in [false, true] {
                load_across([turns & 1 > 0, turns & 2 > 0, turns & 4 > 0], replay, is_applied);
            }
        }
    }
}

#[test]
fn outage_a_fill_that_passed_the_check_just_before_the_delete_is_deleted_with_it() {
    let stores = Stores::new();
    let fallback = stores.fallback();
    let cache = Cache::builder(fallback.clone()).prefix("app").build().unwrap();
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let load = tasks.add(remember(&cache, "key", &database, &gate));
    assert!(tasks.poll(load).is_none());
    let held = stores.primary.faults().hold_of(Operation::Set);
    gate.open();
    assert!(tasks.poll(load).is_none());
    database.write();
    // Through the backend, as another cache on it would.
    stores
        .primary
        .faults()
        .fail_next_of(Operation::Delete, 1, ErrorKind::Connection);
    block_on(fallback.delete("app:key", Condition::Always)).unwrap();
    held.release();
    tasks.poll(load).unwrap().unwrap();
    assert!(
        stores.primary.raw("app:key").is_some(),
        "the fill came in time for its fence"
    );
    assert_eq!(block_on(cache.get::<usize>("key")).unwrap(), None);
    assert_eq!(stores.primary.raw("app:key"), None);
}

#[test]
fn outage_what_is_remembered_meanwhile_is_kept_in_the_secondary() {
    let stores = Stores::new();
    let cache = Cache::new(stores.fallback());
    let database = Database::default();
    stores.primary.faults().fail_all(ErrorKind::Connection);
    for _ in 0..3 {
        assert_eq!(
            block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap(),
            0
        );
    }
    assert_eq!(database.loads(), 1);
}
