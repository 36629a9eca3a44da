//! Those that take over a flight whose leader went before the answer to its marker came.

use std::time::Duration;

use bytes::Bytes;
use larder::{CacheBackend, ErrorKind, Expiry, LoadOptions, SetOptions, Source};
use larder_memory::{MemoryBackend, Operation};

use super::{
    process::{Answer, LEASE, Process},
    support::{Database, Gate, Tasks},
};
use crate::backends::{World, block_on, memory};

/// A leader that loads under a marker whose answer was lost, and one that waits for it and has seen nothing yet.
fn leader_and_heir<'a>(
    world: &World<MemoryBackend>,
    process: &'a Process,
    tasks: &mut Tasks<'a, Answer>,
    database: &'a Database,
    gates: [&'a Gate; 2],
) -> (usize, usize) {
    let faults = world.backend.faults();
    faults.fail_next_applied_of(Operation::Set, 1, ErrorKind::Timeout);
    let hold = faults.hold_of(Operation::Get);
    let leader = tasks.add(process.call(database, gates[0]));
    let heir = tasks.add(process.call(database, gates[1]));
    assert!(tasks.poll_all().is_empty());
    hold.release();
    let hold = faults.hold_of(Operation::Set);
    assert!(tasks.poll_all().is_empty());
    hold.release();
    assert!(tasks.poll(leader).is_none());
    assert_eq!(database.loads(), 1);
    (leader, heir)
}

#[test]
fn an_heir_does_not_wait_for_the_marker_of_its_own_flight() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().lease(LEASE));
    let (database, gate, opened) = (Database::default(), Gate::default(), Gate::opened());
    let mut tasks = Tasks::new();
    let (leader, heir) = leader_and_heir(&world, &process, &mut tasks, &database, [&gate, &opened]);
    tasks.drop_task(leader);
    assert_eq!(tasks.poll(heir).unwrap().unwrap().source, Source::Loaded);
    assert_eq!(process.cache.stats().voided_fills, 0);
    assert_eq!(block_on(process.cache.get::<usize>("key")).unwrap(), Some(0));
}

#[test]
fn an_heir_renews_the_lease_of_its_predecessor() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().lease(LEASE));
    let second = Process::new(&world, LoadOptions::new().lease(LEASE));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let (leader, heir) = leader_and_heir(&world, &process, &mut tasks, &database, [&gate, &gate]);
    tasks.drop_task(leader);
    assert!(tasks.poll(heir).is_none());
    let waiter = tasks.add(second.call(&database, &gate));
    for _ in 0..25 {
        assert!(tasks.poll(heir).is_none());
        assert!(tasks.poll(waiter).is_none());
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(database.loads(), 2, "another process loads beside the heir");
}

/// The heir has found the key empty and placed a marker of its own; then an invalidation takes that away, and what the
/// predecessor had sent arrives.
#[test]
fn a_marker_that_lands_after_the_heir_s_own_does_not_stay_behind() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().lease(LEASE));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let (leader, heir) = leader_and_heir(&world, &process, &mut tasks, &database, [&gate, &gate]);
    let marker: Bytes = world.backend.raw("test:key").unwrap();
    world.backend.clear();
    tasks.drop_task(leader);
    assert!(tasks.poll(heir).is_none());
    assert!(world.backend.raw("test:key").is_some_and(|own| own != marker));
    world.backend.clear();
    let options = SetOptions::new(Expiry::After(Duration::from_secs(60)));
    block_on(world.backend.set("test:key", marker, options)).unwrap();
    gate.open();
    assert!(tasks.poll(heir).unwrap().is_ok());
    while process.jobs.poll() > 0 {}
    assert_eq!(world.backend.raw("test:key"), None);
}
