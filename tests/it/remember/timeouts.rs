//! How long a call waits for a load, and what it answers then.

use std::{future::ready, sync::mpsc, time::Duration};

use futures::FutureExt;
use larder::{LoadError, LoadOptions, Loaded, Source, StaleReason};
use larder_memory::Operation;

use super::{
    process::{LEASE, Process, is, stale},
    support::{Database, Gate, Tasks},
};
use crate::backends::{block_on, memory, on_each_backend};

on_each_backend! {
    async fn scenario_07_soft_timeout_answers_stale_and_the_one_load_goes_on(world) {
        let options = LoadOptions::new().stale_if_error("10m").soft_timeout("100ms");
        let process = Process::new(&world, options);
        let (database, gate) = (Database::default(), Gate::default());
        process.detached(&database, &Gate::opened()).await.unwrap();
        let newer = database.write();
        world.pass(Duration::from_secs(100));
        // Twenty callers, spread over ten times the soft timeout.
        let mut tasks = Tasks::new();
        let mut answers = 0;
        for round in 0..20 {
            tasks.add(process.detached(&database, &gate));
            for answer in tasks.poll_all() {
                assert!(matches!(answer.unwrap().source, Source::Stale { why: StaleReason::TimedOut, .. }));
                answers += 1;
            }
            assert!(tasks.left() <= 2, "round {round}: a caller waits longer than the soft timeout");
            world.pass(Duration::from_millis(50));
        }
        world.pass(Duration::from_millis(100));
        answers += tasks.poll_all().len();
        assert_eq!((answers, database.loads()), (20, 2));
        gate.open();
        assert_eq!(process.jobs.poll(), 0);
        assert_eq!(process.detached(&database, &gate).await.unwrap(), is(newer, Source::Hit));
        assert_eq!(database.loads(), 2);
        assert_eq!(process.log.loads(), ["test:key Loaded"]);
    }
}

on_each_backend! {
    async fn without_a_stale_value_a_soft_timeout_waits_for_the_load(world) {
        let process = Process::new(&world, LoadOptions::new().stale_if_error("10m").soft_timeout("100ms"));
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        tasks.add(process.detached(&database, &gate));
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_secs(5));
        assert!(tasks.poll_all().is_empty());
        gate.open();
        assert_eq!(tasks.poll_all().remove(0).unwrap(), is(0, Source::Loaded));
    }
}

on_each_backend! {
    async fn a_hard_timeout_ends_every_wait_and_a_detached_load_goes_on(world) {
        let process = Process::new(&world, LoadOptions::new().hard_timeout("1s"));
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        for _ in 0..5 {
            tasks.add(process.detached(&database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_millis(999));
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_millis(1));
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 5);
        assert!(answers.into_iter().all(|answer| matches!(answer, Err(LoadError::TimedOut))));
        gate.open();
        assert_eq!(process.jobs.poll(), 0);
        assert_eq!(process.detached(&database, &gate).await.unwrap(), is(0, Source::Hit));
        assert_eq!(database.loads(), 1);
    }
}

on_each_backend! {
    async fn a_hard_timeout_of_a_load_that_may_borrow_drops_it_and_keeps_its_stale_value_for_the_throttle(world) {
        let options = LoadOptions::new().hard_timeout("1s").stale_if_error("10m").throttle("30s");
        let process = Process::new(&world, options);
        let (database, gate) = (Database::default(), Gate::default());
        process.detached(&database, &Gate::opened()).await.unwrap();
        world.pass(Duration::from_secs(100));
        let call = async || {
            let load = || async { database.read(gate.clone()).await.map(Loaded::value) };
            process.cache.remember_with("key", 100, &LoadOptions::new(), load).await
        };
        let mut tasks = Tasks::new();
        tasks.add(call());
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_secs(1));
        let answer = tasks.poll_all().remove(0).unwrap();
        assert_eq!(answer, is(0, stale(1, StaleReason::TimedOut)));
        assert_eq!((database.most_running(), process.cache.stats().loading), (1, 0));
        // The next ones do not wait for what will not come.
        assert_eq!(call().await.unwrap(), is(0, stale(1, StaleReason::Throttled)));
        assert_eq!(database.loads(), 2);
        // And without a value to fall back on it is an error.
        let load = || async { database.read(gate.clone()).await.map(Loaded::value) };
        let options = LoadOptions::new();
        let mut tasks = Tasks::new();
        tasks.add(process.cache.remember_with("cold", 100, &options, load));
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_secs(1));
        assert!(matches!(tasks.poll_all().remove(0), Err(LoadError::TimedOut)));
        process.jobs.poll();
        assert!(world.backend.get("test:cold").await.unwrap().is_none(), "the marker stays behind");
    }
}

#[test]
fn a_hard_timeout_counts_from_the_call_and_not_from_the_soft_one() {
    let world = memory();
    let options = LoadOptions::new().stale_if_error("10m").soft_timeout("100ms");
    let process = Process::new(&world, options.hard_timeout("1s"));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    // With nobody to leave the load to, the soft timeout ends no wait.
    block_on(process.cache.close());
    let mut tasks = Tasks::new();
    let call = tasks.add(process.detached(&database, &gate));
    assert!(tasks.poll(call).is_none());
    for _ in 0..9 {
        world.pass(Duration::from_millis(100));
        assert!(tasks.poll(call).is_none());
    }
    world.pass(Duration::from_millis(100));
    assert_eq!(
        tasks.poll(call).unwrap().unwrap(),
        is(0, stale(11, StaleReason::TimedOut))
    );
}

#[test]
fn a_soft_timeout_above_the_hard_one_does_not_lengthen_the_wait() {
    let world = memory();
    let options = LoadOptions::new().stale_if_error("10m").soft_timeout("2s");
    let process = Process::new(&world, options.hard_timeout("1s"));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    let mut tasks = Tasks::new();
    let call = tasks.add(process.detached(&database, &gate));
    assert!(tasks.poll(call).is_none());
    world.pass(Duration::from_secs(1));
    assert_eq!(
        tasks.poll(call).unwrap().unwrap(),
        is(0, stale(11, StaleReason::TimedOut))
    );
}

#[test]
fn a_soft_timeout_leaves_no_load_to_a_background_that_is_full() {
    let world = memory();
    let options = LoadOptions::new().stale_if_error("10m").soft_timeout("100ms");
    let process = Process::limited(&world, options, 1);
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    let mut tasks = Tasks::new();
    let other = tasks.add(process.detached_of("other", &database, &gate));
    assert!(tasks.poll(other).is_none());
    tasks.drop_task(other);
    assert_eq!(process.jobs.poll(), 1);
    let call = tasks.add(process.detached(&database, &gate));
    assert!(tasks.poll(call).is_none());
    world.pass(Duration::from_millis(100));
    assert!(tasks.poll(call).is_none(), "it gives its load up");
    gate.open();
    assert_eq!(tasks.poll(call).unwrap().unwrap(), is(0, Source::Loaded));
    assert_eq!(process.jobs.poll(), 0);
    assert_eq!(process.log.loads(), ["test:other Loaded"]);
}

#[test]
fn a_follower_keeps_its_soft_timeout_where_the_background_is_closed() {
    let world = memory();
    let options = LoadOptions::new().stale_if_error("10m").soft_timeout("100ms");
    let process = Process::new(&world, options);
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    block_on(process.cache.close());
    let mut tasks = Tasks::new();
    let leader = tasks.add(process.detached(&database, &gate));
    let follower = tasks.add(process.detached(&database, &gate));
    assert!(tasks.poll_all().is_empty());
    world.pass(Duration::from_millis(100));
    assert!(tasks.poll(leader).is_none());
    assert!(tasks.poll(follower).is_some());
}

#[test]
fn a_hard_timeout_with_a_lease_is_throttled_as_without() {
    let world = memory();
    let options = LoadOptions::new()
        .hard_timeout("1s")
        .stale_if_error("10m")
        .throttle("30s")
        .lease(LEASE);
    let process = Process::new(&world, options);
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(100));
    let mut tasks = Tasks::new();
    let call = tasks.add(process.call(&database, &gate));
    assert!(tasks.poll(call).is_none());
    world.pass(Duration::from_secs(1));
    assert!(tasks.poll(call).unwrap().unwrap().is_stale());
    world.pass(Duration::from_secs(15));
    let answer = process.call(&database, &gate).now_or_never();
    assert!(answer.is_some(), "it loads again in the middle of the throttle");
}

#[test]
fn a_hard_timeout_answers_no_value_past_its_stale_window() {
    let world = memory();
    let options = LoadOptions::new()
        .hard_timeout("30s")
        .stale_if_error("10s")
        .refresh_ahead(0.9);
    let process = Process::new(&world, options);
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(105));
    let mut tasks = Tasks::new();
    let call = tasks.add(process.call(&database, &gate));
    assert!(tasks.poll(call).is_none());
    world.pass(Duration::from_secs(30));
    let answer = tasks.poll(call).unwrap();
    assert!(matches!(answer, Err(LoadError::TimedOut)), "{answer:?}");
}

#[test]
fn a_loader_that_has_ended_is_answered_though_the_time_is_up_before_its_value_is_stored() {
    for is_detached in [false, true] {
        let world = memory();
        let options = LoadOptions::new().hard_timeout("1s").stale_if_error("10m");
        let cache = world.builder().load_options(options.clone()).build().unwrap();
        let (held, clock) = (world.backend.clone(), world.clock.clone());
        let (sender, gates) = mpsc::channel();
        // As a blocking loader does, it holds the thread.
        let load = move || {
            clock.advance(Duration::from_secs(2));
            sender.send(held.faults().hold_of(Operation::Set)).unwrap();
            ready(Ok::<_, String>(Loaded::value(7_usize)))
        };
        let answer = async {
            if is_detached {
                cache.remember_detached("key", 60, &options, load).await
            } else {
                cache.remember_with("key", 60, &options, load).await
            }
        };
        let mut answer = Box::pin(answer);
        assert!(answer.as_mut().now_or_never().is_none(), "{is_detached}");
        drop(gates.recv().unwrap());
        assert_eq!(block_on(answer).unwrap(), is(7, Source::Loaded));
        assert_eq!(block_on(cache.get("key")).unwrap(), Some(7_usize));
    }
}
