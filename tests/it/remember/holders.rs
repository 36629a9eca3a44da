//! Those that hold a lease: what they write, and what they leave alone once another has their place.

use std::time::Duration;

use bytes::Bytes;
use larder::{CacheBackend, Condition, ErrorKind, KeyTtl, LoadOptions, Source, StaleReason};
use larder_memory::{MemoryBackend, Operation};

use super::{
    process::{Answer, LEASE, POLL, Process, at_once, stale},
    support::{Database, Gate, Tasks},
};
use crate::backends::{World, block_on, memory};

fn leased() -> LoadOptions {
    LoadOptions::new().lease(LEASE)
}

fn entry(world: &World<MemoryBackend>) -> Option<Bytes> {
    world.backend.raw("test:key")
}

fn kept_for(world: &World<MemoryBackend>) -> KeyTtl {
    block_on(world.backend.head("test:key", 0)).unwrap().unwrap().ttl()
}

/// Polls one that waits until it has taken the place of a holder that nobody polls, and loads.
fn take_over(world: &World<MemoryBackend>, tasks: &Tasks<'_, Answer>, waiter: usize, database: &Database) {
    let before = database.loads();
    let mut waited = Duration::ZERO;
    while database.loads() == before {
        assert!(waited <= LEASE + POLL, "it waits longer than the lease and a look");
        assert!(tasks.poll(waiter).is_none());
        world.pass(POLL);
        waited += POLL;
    }
}

#[test]
fn a_load_that_fails_leaves_a_value_alone_that_was_set_meanwhile() {
    let world = memory();
    let (process, other) = (Process::new(&world, leased()), Process::new(&world, leased()));
    let (gate, mut tasks) = (Gate::default(), Tasks::new());
    let holder = tasks.add(process.fail_after(&gate));
    assert!(tasks.poll(holder).is_none());
    block_on(other.cache.set("key", &7_usize, 60)).unwrap();
    gate.open();
    assert!(tasks.poll(holder).unwrap().is_err());
    process.jobs.poll();
    assert_eq!(block_on(other.cache.get::<usize>("key")).unwrap(), Some(7));
}

#[test]
fn what_a_dropped_load_leaves_to_be_swept_is_its_own_marker_and_nothing_else() {
    let world = memory();
    let (process, other) = (Process::new(&world, leased()), Process::new(&world, leased()));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let holder = tasks.add(process.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    block_on(other.cache.set("key", &7_usize, 60)).unwrap();
    tasks.drop_task(holder);
    assert_eq!(process.jobs.len(), 1, "nothing is swept");
    assert_eq!(process.jobs.poll(), 0);
    assert_eq!(block_on(other.cache.get::<usize>("key")).unwrap(), Some(7));
}

#[test]
fn one_that_has_lost_its_lease_stops_renewing_and_leaves_the_marker_to_the_new_holder() {
    let world = memory();
    let (stuck, second) = (Process::new(&world, leased()), Process::new(&world, leased()));
    let (database, gate, failing) = (Database::default(), Gate::default(), Gate::default());
    let mut tasks = Tasks::new();
    let sleeper = tasks.add(stuck.fail_after(&failing));
    assert!(tasks.poll(sleeper).is_none());
    let holder = tasks.add(second.call(&database, &gate));
    take_over(&world, &tasks, holder, &database);
    let taken = entry(&world);

    // It wakes, and finds that its renewal is refused.
    assert!(tasks.poll(sleeper).is_none());
    assert_eq!(entry(&world), taken);
    world.backend.reset_calls();
    for _ in 0..5 {
        world.pass(LEASE / 3);
        assert!(tasks.poll(sleeper).is_none());
    }
    assert_eq!(world.backend.calls().of(Operation::Set), 0, "it goes on renewing");
    failing.open();
    assert!(tasks.poll(sleeper).unwrap().is_err());
    stuck.jobs.poll();
    assert_eq!(entry(&world), taken);

    gate.open();
    assert_eq!(tasks.poll(holder).unwrap().unwrap().source, Source::Loaded);
    assert_eq!(second.cache.stats().voided_fills, 0);
    assert_eq!(block_on(second.cache.get::<usize>("key")).unwrap(), Some(0));
}

#[test]
fn one_whose_renewal_is_lost_does_not_take_the_next_holder_for_itself() {
    let world = memory();
    let (stuck, second) = (Process::new(&world, leased()), Process::new(&world, leased()));
    let (database, gate, failing) = (Database::default(), Gate::default(), Gate::default());
    let mut tasks = Tasks::new();
    let sleeper = tasks.add(stuck.fail_after(&failing));
    assert!(tasks.poll(sleeper).is_none());
    let holder = tasks.add(second.call(&database, &gate));
    take_over(&world, &tasks, holder, &database);
    let taken = entry(&world);
    world
        .backend
        .faults()
        .fail_next_of(Operation::Set, 1, ErrorKind::Timeout);
    world.backend.reset_calls();
    for _ in 0..5 {
        assert!(tasks.poll(sleeper).is_none());
        world.pass(LEASE / 3);
    }
    assert_eq!(entry(&world), taken);
    let sets = world.backend.calls().of(Operation::Set);
    assert_eq!(
        sets, 1,
        "it goes on renewing after the look has shown it another holder"
    );
}

#[test]
fn what_is_swept_behind_one_that_has_lost_its_lease_is_not_the_marker_of_the_new_holder() {
    let world = memory();
    let (stuck, second) = (Process::new(&world, leased()), Process::new(&world, leased()));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let sleeper = tasks.add(stuck.call(&database, &gate));
    assert!(tasks.poll(sleeper).is_none());
    let holder = tasks.add(second.call(&database, &gate));
    take_over(&world, &tasks, holder, &database);
    let taken = entry(&world);
    tasks.drop_task(sleeper);
    assert_eq!((stuck.jobs.len(), stuck.jobs.poll()), (1, 0));
    assert_eq!(entry(&world), taken);
}

#[test]
fn a_take_over_gives_way_to_a_renewal_that_comes_first() {
    let world = memory();
    let (slow, second) = (Process::new(&world, leased()), Process::new(&world, leased()));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let holder = tasks.add(slow.call(&database, &gate));
    let waiter = tasks.add(second.call(&database, &gate));
    assert!(tasks.poll_all().is_empty());
    let hold = world.backend.faults().hold_of(Operation::Set);
    for _ in 0..100 {
        world.pass(POLL);
        assert!(tasks.poll(waiter).is_none());
    }
    assert_eq!(hold.waiting(), 1, "the take-over is not on its way");
    hold.release();
    assert!(tasks.poll(holder).is_none());
    assert!(tasks.poll(waiter).is_none());
    assert_eq!(database.loads(), 1, "two processes load");
    gate.open();
    assert_eq!(tasks.poll(holder).unwrap().unwrap().source, Source::Loaded);
    world.pass(POLL);
    assert_eq!(tasks.poll(waiter).unwrap().unwrap().source, Source::Hit);
    assert_eq!((database.loads(), slow.cache.stats().voided_fills), (1, 0));
}

#[test]
fn one_that_has_lost_the_lease_of_a_value_pauses_nobody_when_its_load_fails() {
    let world = memory();
    let options = || leased().refresh_ahead(0.5);
    let (stuck, second) = (Process::new(&world, options()), Process::new(&world, options()));
    let (database, gate, failing) = (Database::default(), Gate::default(), Gate::default());
    block_on(stuck.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(60));
    let mut tasks = Tasks::new();
    let sleeper = tasks.add(stuck.fail_after(&failing));
    assert!(tasks.poll(sleeper).is_none());
    world.pass(LEASE);
    let holder = tasks.add(second.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    let taken = entry(&world);
    assert_eq!(database.loads(), 2, "nobody has taken the lease over");
    failing.open();
    assert_eq!(tasks.poll(sleeper).unwrap().unwrap().source, Source::Hit);
    assert_eq!(entry(&world), taken);
}

#[test]
fn a_reload_that_fails_after_a_renewal_is_throttled() {
    let world = memory();
    let process = Process::new(&world, leased().stale_if_error("10m").throttle("30s"));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(100));
    let mut tasks = Tasks::new();
    let reload = tasks.add(process.fail_after(&gate));
    assert!(tasks.poll(reload).is_none());
    world.pass(LEASE / 2);
    assert!(tasks.poll(reload).is_none());
    gate.open();
    assert_eq!(
        tasks.poll(reload).unwrap().unwrap().source,
        stale(5, StaleReason::LoadFailed)
    );
    // The lease that the holder had would be over.
    world.pass(Duration::from_secs(29));
    let answer = at_once(process.call(&database, &gate)).unwrap();
    assert_eq!(answer.source, stale(34, StaleReason::Throttled));
    world.pass(Duration::from_secs(1));
    assert_eq!(at_once(process.call(&database, &gate)).unwrap().source, Source::Loaded);
}

#[test]
fn a_stale_answer_tells_whether_it_is_reloaded_or_nobody_tries_for_now() {
    let windows = [
        LoadOptions::new().stale_while_revalidate("10m"),
        LoadOptions::new().stale_if_error("10m"),
    ];
    for window in windows {
        let world = memory();
        let options = || window.clone().lease(LEASE).throttle("30s");
        let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
        let (database, gate) = (Database::default(), Gate::default());
        block_on(first.call(&database, &Gate::opened())).unwrap();
        world.pass(Duration::from_secs(110));
        let mut tasks = Tasks::new();
        let reload = tasks.add(first.fail_after(&gate));
        assert!(tasks.poll(reload).is_none());
        let answer = at_once(second.call(&database, &gate)).unwrap();
        assert_eq!(answer.source, stale(10, StaleReason::Revalidating));
        gate.open();
        assert_eq!(
            tasks.poll(reload).unwrap().unwrap().source,
            stale(10, StaleReason::LoadFailed)
        );
        let answer = at_once(second.call(&database, &gate)).unwrap();
        assert_eq!(answer.source, stale(10, StaleReason::Throttled));
        assert_eq!(database.loads(), 1);
    }
}

#[test]
fn taking_and_renewing_the_lease_of_a_value_leaves_its_expiry_alone() {
    let world = memory();
    let process = Process::new(&world, leased().refresh_ahead(0.5));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(60));
    let before = entry(&world);
    assert_eq!(kept_for(&world), KeyTtl::Expires(Duration::from_secs(100)));
    let mut tasks = Tasks::new();
    let holder = tasks.add(process.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    let taken = entry(&world);
    assert_ne!(taken, before);
    assert_eq!(kept_for(&world), KeyTtl::Expires(Duration::from_secs(100)));
    world.pass(Duration::from_secs(5));
    assert!(tasks.poll(holder).is_none());
    assert_ne!(entry(&world), taken, "it is not renewed");
    assert_eq!(kept_for(&world), KeyTtl::Expires(Duration::from_secs(95)));
}

/// A change of life that was read before a take-over and is written after it.
#[test]
fn an_expire_does_not_undo_a_lease_that_was_taken_meanwhile() {
    let world = memory();
    let options = || leased().refresh_ahead(0.5);
    let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(first.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(60));
    let mut changes = Tasks::new();
    let hold = world.backend.faults().hold_of(Operation::Set);
    let expire = changes.add(second.cache.expire("key", 20));
    assert!(changes.poll(expire).is_none());
    assert_eq!(hold.waiting(), 1);
    hold.release();
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    assert!(changes.poll(expire).unwrap().unwrap());
    assert_eq!(
        block_on(second.cache.ttl("key")).unwrap(),
        KeyTtl::Expires(Duration::from_secs(20))
    );
    for _ in 0..15 {
        world.pass(Duration::from_secs(1));
        assert!(tasks.poll(holder).is_none());
    }
    // Due again by its new life, and held.
    assert_eq!(at_once(second.call(&database, &gate)).unwrap().source, Source::Hit);
    assert_eq!(database.loads(), 2, "two processes load");
}

#[test]
fn a_holder_keeps_the_lease_and_the_new_life_of_a_value_that_is_touched_during_its_load() {
    let world = memory();
    let options = || leased().refresh_ahead(0.5);
    let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(first.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(60));
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    assert!(block_on(second.cache.expire("key", 20)).unwrap());
    for left in (5..20).rev() {
        world.pass(Duration::from_secs(1));
        assert!(tasks.poll(holder).is_none());
        let ttl = block_on(second.cache.ttl("key")).unwrap();
        assert_eq!(
            ttl,
            KeyTtl::Expires(Duration::from_secs(left)),
            "a renewal brings the old life back"
        );
    }
    // Due again by its new life, and held.
    assert_eq!(at_once(second.call(&database, &gate)).unwrap().source, Source::Hit);
    assert_eq!(database.loads(), 2, "two processes load");
}

#[test]
fn a_failed_load_whose_release_fails_leaves_its_marker_to_the_background() {
    let world = memory();
    let process = Process::new(&world, leased());
    let faults = world.backend.faults();
    faults.fail_next_of(Operation::Delete, 1, ErrorKind::Timeout);
    assert!(block_on(process.fail()).is_err());
    assert!(entry(&world).is_some());
    assert_eq!(process.jobs.poll(), 0);
    assert_eq!(entry(&world), None, "the marker stays behind");
}

/// The renewal was applied and its answer lost, and so was the look after it.
#[test]
fn a_holder_that_lives_keeps_its_lease_over_two_lost_answers() {
    let world = memory();
    let (first, second) = (Process::new(&world, leased()), Process::new(&world, leased()));
    let (database, gate, opened) = (Database::default(), Gate::default(), Gate::opened());
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    let faults = world.backend.faults();
    faults.fail_next_applied_of(Operation::Set, 1, ErrorKind::Timeout);
    faults.fail_next_of(Operation::Get, 1, ErrorKind::Timeout);
    world.pass(Duration::from_secs(4));
    assert!(tasks.poll(holder).is_none());
    let waiter = tasks.add(second.call(&database, &opened));
    for _ in 0..25 {
        assert!(tasks.poll(holder).is_none());
        assert!(tasks.poll(waiter).is_none(), "a second load beside a live holder");
        world.pass(Duration::from_secs(1));
    }
}

#[test]
fn a_voided_holder_resurrects_nothing() {
    let world = memory();
    let options = || leased().stale_while_revalidate("10m");
    let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(first.call(&database, &Gate::opened())).unwrap();
    for delete_after in 0..12 {
        world.pass(Duration::from_secs(110));
        assert!(at_once(first.detached(&database, &gate)).unwrap().is_stale());
        for second in 0..12 {
            first.jobs.poll();
            if second == delete_after {
                block_on(world.backend.delete("test:key", Condition::Always)).unwrap();
            }
            world.pass(Duration::from_secs(1));
        }
        gate.open();
        assert_eq!(first.jobs.poll(), 0);
        assert_eq!(block_on(second.cache.get::<usize>("key")).unwrap(), None);
        block_on(first.call(&database, &Gate::opened())).unwrap();
    }
}
