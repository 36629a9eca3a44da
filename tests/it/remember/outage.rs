//! The backend fails.

use larder::{ErrorKind, LoadError, LoadOptions, OnError};
use larder_memory::Operation;

use super::support::{Database, Gate, Tasks, remember};
use crate::backends::{block_on, memory};

#[test]
fn scenario_01_herd_with_the_backend_away_loads_once() {
    let world = memory();
    let (cache, database, gate) = (world.cache(), Database::default(), Gate::default());
    world.backend.faults().fail_all(ErrorKind::Connection);
    let mut tasks = Tasks::new();
    for _ in 0..1_000 {
        tasks.add(remember(&cache, "key", &database, &gate));
    }
    assert!(tasks.poll_all().is_empty());
    gate.open();
    let answers = tasks.poll_all();
    assert_eq!(answers.len(), 1_000);
    assert!(answers.into_iter().all(|answer| answer.unwrap() == 0));
    assert_eq!(database.loads(), 1);
}

#[test]
fn no_failing_call_of_the_backend_costs_the_value() {
    for operation in [Operation::Get, Operation::Set] {
        for kind in [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Server] {
            for skip in 0..2 {
                let world = memory();
                let (cache, database) = (world.cache(), Database::default());
                if skip == 1 && operation == Operation::Set {
                    // The fill and not the marker.
                    let gate = Gate::default();
                    let mut tasks = Tasks::new();
                    let load = tasks.add(remember(&cache, "key", &database, &gate));
                    assert!(tasks.poll(load).is_none());
                    world.backend.faults().fail_next_of(operation, 1, kind);
                    gate.open();
                    assert_eq!(tasks.poll(load).unwrap().unwrap(), 0);
                } else {
                    world.backend.faults().fail_next_of(operation, 1, kind);
                    assert_eq!(
                        block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap(),
                        0
                    );
                }
                assert_eq!(database.loads(), 1);
            }
        }
    }
}

#[test]
fn a_marker_that_may_have_been_set_is_never_filled_against_and_released() {
    let world = memory();
    let (cache, database) = (world.cache(), Database::default());
    world
        .backend
        .faults()
        .fail_next_applied_of(Operation::Set, 1, ErrorKind::Timeout);
    assert_eq!(
        block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap(),
        0
    );
    let began = std::time::Instant::now();
    while world.backend.raw("test:key").is_some() {
        assert!(began.elapsed().as_secs() < 10, "the marker was not released");
        std::thread::yield_now();
    }
    assert_eq!(block_on(cache.get::<usize>("key")).unwrap(), None);
}

#[test]
fn raise_asks_for_the_error_of_the_backend() {
    for (operation, loads) in [(Operation::Get, 0), (Operation::Set, 0)] {
        let world = memory();
        let options = LoadOptions::new().on_error(OnError::Raise);
        let cache = world.builder().prefix("test").load_options(options).build().unwrap();
        let database = Database::default();
        world.backend.faults().fail_next_of(operation, 1, ErrorKind::Connection);
        let error = block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap_err();
        assert!(matches!(error, LoadError::Cache(error) if error.kind() == ErrorKind::Connection));
        assert_eq!(database.loads(), loads);
        assert_eq!(
            block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap(),
            0
        );
    }
}

#[test]
fn an_invalidation_here_is_honoured_while_the_backend_is_away() {
    let world = memory();
    let (cache, database, gate, open) = (world.cache(), Database::default(), Gate::default(), Gate::opened());
    world.backend.faults().fail_all(ErrorKind::Connection);
    let mut tasks = Tasks::new();
    let before = tasks.add(remember(&cache, "key", &database, &gate));
    assert!(tasks.poll(before).is_none());
    let written = database.write();
    block_on(cache.delete("key")).unwrap_err();
    let after = tasks.add(remember(&cache, "key", &database, &open));
    assert_eq!(tasks.poll(after).unwrap().unwrap(), written);
    gate.open();
    assert_eq!(tasks.poll(before).unwrap().unwrap(), 0);
}
