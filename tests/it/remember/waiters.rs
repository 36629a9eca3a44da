//! Those that wait for the load of another process: for how long, for whom, and when they look.

use std::{collections::BTreeSet, time::Duration};

use futures::FutureExt;
use larder::{Clock, KeyTtl, LeaseOutcome, LoadError, LoadOptions, Loaded, ManualClock, Source};
use larder_memory::Operation;

use super::{
    process::{LEASE, POLL, Process},
    support::{Database, Gate, Tasks},
};
use crate::backends::{World, block_on, memory};

#[test]
fn one_that_waits_goes_by_the_lease_of_the_holder_and_not_by_its_own() {
    for own in ["1s", "1h"] {
        let world = memory();
        let stuck = Process::new(&world, LoadOptions::new().lease(LEASE));
        let second = Process::new(&world, LoadOptions::new().lease(own));
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        let holder = tasks.add(stuck.call(&database, &gate));
        assert!(tasks.poll(holder).is_none());
        let waiter = tasks.add(second.call(&database, &gate));
        let mut waited = Duration::ZERO;
        while database.loads() == 1 {
            assert!(tasks.poll(waiter).is_none());
            world.pass(POLL);
            waited += POLL;
            assert!(
                waited <= LEASE + POLL * 2,
                "own lease {own}: it waits longer than that of the holder"
            );
        }
        assert!(waited >= LEASE, "own lease {own}: it has waited for {waited:?}");
    }
}

#[test]
fn a_load_that_is_slow_to_renew_its_lease_is_stored_all_the_same() {
    let world = memory();
    let slow = Process::new(&world, LoadOptions::new().lease("5m"));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let holder = tasks.add(slow.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    world.pass(Duration::from_secs(9 * 60));
    gate.open();
    assert_eq!(tasks.poll(holder).unwrap().unwrap().source, Source::Loaded);
    assert_eq!(slow.cache.stats().voided_fills, 0);
    assert_eq!(block_on(slow.cache.get::<usize>("key")).unwrap(), Some(0));
}

#[test]
fn those_that_wait_look_at_moments_of_their_own() {
    let world = memory();
    let first = Process::new(&world, LoadOptions::new().lease(LEASE));
    let others: Vec<_> = (0..20)
        .map(|_| Process::new(&world, LoadOptions::new().lease(LEASE)))
        .collect();
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    tasks.add(first.call(&database, &gate));
    for process in &others {
        tasks.add(process.call(&database, &gate));
    }
    assert!(tasks.poll_all().is_empty());
    let mut moments = BTreeSet::new();
    for moment in 0..1_000 {
        world.pass(Duration::from_millis(1));
        world.backend.reset_calls();
        assert!(tasks.poll_all().is_empty());
        if world.backend.calls().of(Operation::Get) > 0 {
            moments.insert(moment);
        }
    }
    // About 200 looks. All that begin together and pause alike share about a dozen moments.
    assert!(moments.len() > 50, "{moments:?}");
}

#[test]
fn a_value_that_ends_while_another_process_reloads_it_is_waited_for() {
    let world = memory();
    let options = || LoadOptions::new().refresh_ahead(0.5).lease(LEASE);
    let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(first.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(95));
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    world.pass(Duration::from_secs(5));
    assert_eq!(block_on(second.cache.ttl("key")).unwrap(), KeyTtl::Missing);
    let waiter = tasks.add(second.call(&database, &gate));
    for _ in 0..20 {
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(database.loads(), 2, "two processes load");
    gate.open();
    assert_eq!(tasks.poll(holder).unwrap().unwrap().source, Source::Loaded);
    world.pass(POLL);
    assert_eq!(tasks.poll(waiter).unwrap().unwrap().source, Source::Hit);
    assert_eq!(database.loads(), 2);
}

/// The pause after a failed load is written where a lease is, and is held by nobody.
#[test]
fn a_throttle_is_not_waited_for_as_if_it_were_a_holder() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().refresh_ahead(0.5).lease(LEASE));
    let database = Database::default();
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(95));
    assert_eq!(block_on(process.fail()).unwrap().source, Source::Hit);
    world.pass(Duration::from_secs(5));
    assert_eq!(block_on(process.cache.get::<usize>("key")).unwrap(), None);
    let answer = process.call(&database, &Gate::opened()).now_or_never();
    assert!(answer.is_some(), "it waits for a holder that there is not");
}

#[test]
fn a_call_after_a_failed_load_of_an_ended_value_loads_at_once() {
    let world = memory();
    let options = || LoadOptions::new().refresh_ahead(0.5).lease(LEASE);
    let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
    block_on(first.call(&Database::default(), &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(105));
    assert!(matches!(block_on(first.fail()), Err(LoadError::Loader(_))));
    for process in [&first, &second] {
        let answer = process.call(&Database::default(), &Gate::opened()).now_or_never();
        assert!(answer.is_some(), "it waits for a holder that there is not");
    }
}

#[test]
fn a_wait_over_renewals_is_told_once() {
    let world = memory();
    let first = Process::new(&world, LoadOptions::new().lease(LEASE));
    let second = Process::new(&world, LoadOptions::new().lease(LEASE));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    let waiter = tasks.add(second.call(&database, &gate));
    for _ in 0..200 {
        assert!(tasks.poll(holder).is_none() && tasks.poll(waiter).is_none());
        world.pass(Duration::from_millis(100));
    }
    gate.open();
    tasks.poll(holder);
    world.pass(POLL);
    assert!(tasks.poll(waiter).is_some());
    assert_eq!(second.log.waits(), [LeaseOutcome::Changed]);
}

/// The leader of the second process is dropped just before the end; the follower has waited as long.
#[test]
fn nobody_waits_longer_than_wait_for_a_lease_that_its_own_process_waits_for_too() {
    let world = memory();
    let first = Process::new(&world, LoadOptions::new().lease(LEASE));
    let second = Process::new(&world, LoadOptions::new().lease(LEASE).wait("3s"));
    let (database, gate, opened) = (Database::default(), Gate::default(), Gate::opened());
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    let leader = tasks.add(second.call(&database, &opened));
    let follower = tasks.add(second.call(&database, &opened));
    assert!(tasks.poll_all().is_empty());
    for _ in 0..29 {
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_millis(100));
    }
    tasks.drop_task(leader);
    for _ in 0..5 {
        assert!(tasks.poll(holder).is_none());
        if tasks.poll(follower).is_some() {
            return;
        }
        world.pass(Duration::from_millis(100));
    }
    panic!("it waits for longer than 3.4 s");
}

#[test]
fn a_none_that_does_not_answer_is_reloaded_by_one_process() {
    let world = memory();
    let first = Process::new(&world, LoadOptions::new().lease(LEASE));
    let second = Process::new(&world, LoadOptions::new().lease(LEASE));
    let none = || async { Ok::<_, &str>(Loaded::<usize>::absent()) };
    block_on(first.cache.remember_with("key", 100, &LoadOptions::new(), none)).unwrap();
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    tasks.add(first.cache.remember("key", 100, || database.read(gate.clone())));
    tasks.add(second.cache.remember("key", 100, || database.read(gate.clone())));
    assert!(tasks.poll_all().is_empty());
    assert_eq!(database.loads(), 1);
}

#[test]
fn a_lease_that_a_fast_clock_has_written_holds_nobody_up() {
    let world = memory();
    let ahead = World {
        backend: world.backend.clone(),
        clock: ManualClock::new(),
    };
    let options = || LoadOptions::new().refresh_ahead(0.5).lease(LEASE);
    let (fast, second) = (Process::new(&ahead, options()), Process::new(&world, options()));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(second.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(60));
    ahead
        .clock
        .set_unix_time(world.clock.unix_time() + Duration::from_secs(35));
    let mut tasks = Tasks::new();
    let holder = tasks.add(fast.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    assert_eq!(database.loads(), 2);
    let answer = block_on(second.call(&database, &Gate::opened())).unwrap();
    assert_eq!(answer.source, Source::Loaded);
}
