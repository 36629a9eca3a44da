//! One process at a time. Each cache here is a process of its own: what they share is the backend.

use std::time::Duration;

use larder::{Cache, CacheBackend, LeaseOutcome, LoadOptions, Loaded, Source};
use larder_memory::Operation;

use super::{
    process::{LEASE, Log, POLL},
    support::{Database, Gate, Tasks},
};
use crate::backends::{World, on_each_backend};

fn process<B: CacheBackend + Clone>(world: &World<B>) -> Cache<B> {
    process_with(world, LoadOptions::new(), Log::default())
}

fn process_with<B: CacheBackend + Clone>(world: &World<B>, options: LoadOptions, log: Log) -> Cache<B> {
    let builder = world.builder().prefix("test").load_options(options.lease(LEASE));
    builder.hook(log).build().unwrap()
}

async fn call<B: CacheBackend + 'static>(
    cache: &Cache<B>,
    database: &Database,
    gate: &Gate,
) -> (Option<usize>, Source) {
    let load = || async { database.read(gate.clone()).await.map(Loaded::value) };
    let answer = cache.remember_with("key", 100, &LoadOptions::new(), load).await;
    answer.map(|answer| (answer.value, answer.source)).unwrap()
}

on_each_backend! {
    async fn scenario_01_with_leases_the_other_processes_wait_for_the_first(world) {
        let log = Log::default();
        let (first, second) = (process(&world), process_with(&world, LoadOptions::new(), log.clone()));
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        tasks.add(call(&first, &database, &gate));
        for _ in 0..10 {
            tasks.add(call(&second, &database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_secs(2));
        assert!(tasks.poll_all().is_empty());
        assert_eq!(database.loads(), 1);
        gate.open();
        assert_eq!(tasks.poll_all(), [(Some(0), Source::Loaded)]);
        world.pass(POLL);
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 10);
        assert!(answers.into_iter().all(|answer| answer == (Some(0), Source::Hit)));
        assert_eq!((database.loads(), second.stats().loads), (1, 0));
        assert_eq!(log.waits(), [LeaseOutcome::Changed]);
    }
}

on_each_backend! {
    async fn scenario_04_a_stuck_holder_delays_the_others_by_its_lease_and_spoils_nothing_when_it_wakes(world) {
        let log = Log::default();
        let (stuck, second) = (process(&world), process_with(&world, LoadOptions::new(), log.clone()));
        let (database, gate) = (Database::default(), Gate::default());
        let (opened, mut tasks) = (Gate::opened(), Tasks::new());
        let sleeper = tasks.add(call(&stuck, &database, &gate));
        assert!(tasks.poll(sleeper).is_none());
        let waiter = tasks.add(call(&second, &database, &opened));
        assert!(tasks.poll(waiter).is_none());
        let newer = database.write();
        // From here on the holder is not polled, so it renews nothing.
        let mut waited = Duration::ZERO;
        let answer = loop {
            if let Some(answer) = tasks.poll(waiter) {
                break answer;
            }
            world.pass(POLL);
            waited += POLL;
            assert!(waited <= LEASE + POLL, "it waits longer than the lease and a look");
        };
        assert_eq!(answer, (Some(newer), Source::Loaded));
        assert!(waited >= LEASE, "{waited:?}");
        assert_eq!(log.waits(), [LeaseOutcome::TakenOver]);

        gate.open();
        assert_eq!(tasks.poll(sleeper), Some((Some(0), Source::Loaded)));
        assert_eq!(stuck.stats().voided_fills, 1);
        assert_eq!(second.get::<usize>("key").await.unwrap(), Some(newer));
    }
}

on_each_backend! {
    async fn a_holder_that_lives_keeps_its_lease_however_long_its_load_takes(world) {
        let (first, second) = (process(&world), process_with(&world, LoadOptions::new().wait("1h"), Log::default()));
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        let holder = tasks.add(call(&first, &database, &gate));
        tasks.add(call(&second, &database, &gate));
        // Twenty leases, and three times as long as a marker stands that nobody renews.
        for _ in 0..200 {
            assert!(tasks.poll_all().is_empty());
            world.pass(Duration::from_secs(1));
        }
        assert_eq!(database.loads(), 1);
        gate.open();
        assert_eq!(tasks.poll(holder), Some((Some(0), Source::Loaded)));
        world.pass(POLL);
        assert_eq!(tasks.poll_all(), [(Some(0), Source::Hit)]);
        assert_eq!((database.loads(), first.stats().voided_fills), (1, 0));
    }
}

on_each_backend! {
    async fn one_that_waits_loads_at_once_where_the_holder_gives_its_marker_back(world) {
        let (first, second) = (process(&world), process(&world));
        let (database, gate) = (Database::default(), Gate::default());
        let (opened, mut tasks) = (Gate::opened(), Tasks::new());
        let holder = tasks.add(call(&first, &database, &gate));
        let waiter = tasks.add(call(&second, &database, &opened));
        assert!(tasks.poll_all().is_empty());
        tasks.drop_task(holder);
        // Its marker is released behind it.
        first.close().await;
        world.pass(POLL);
        assert_eq!(tasks.poll(waiter), Some((Some(0), Source::Loaded)));
        assert_eq!(second.get::<usize>("key").await.unwrap(), Some(0));
    }
}

on_each_backend! {
    async fn nobody_waits_longer_than_the_options_say(world) {
        let log = Log::default();
        let first = process(&world);
        let second = process_with(&world, LoadOptions::new().wait("3s"), log.clone());
        let (database, gate) = (Database::default(), Gate::default());
        let (opened, mut tasks) = (Gate::opened(), Tasks::new());
        let holder = tasks.add(call(&first, &database, &gate));
        let waiter = tasks.add(call(&second, &database, &opened));
        for _ in 0..29 {
            assert!(tasks.poll_all().is_empty());
            world.pass(Duration::from_millis(100));
        }
        world.pass(Duration::from_millis(100));
        assert_eq!(tasks.poll(waiter), Some((Some(0), Source::Loaded)));
        assert_eq!(log.waits(), [LeaseOutcome::GaveUp]);
        // It loaded beside the holder, and its fill took the marker's place.
        assert_eq!(second.get::<usize>("key").await.unwrap(), Some(0));
        gate.open();
        assert_eq!(tasks.poll(holder), Some((Some(0), Source::Loaded)));
        assert_eq!(first.stats().voided_fills, 1);
    }
}

on_each_backend! {
    async fn an_invalidation_sets_those_that_wait_free_and_voids_the_holder(world) {
        let (first, second) = (process(&world), process(&world));
        let (database, gate) = (Database::default(), Gate::default());
        let (opened, mut tasks) = (Gate::opened(), Tasks::new());
        let holder = tasks.add(call(&first, &database, &gate));
        let waiter = tasks.add(call(&second, &database, &opened));
        assert!(tasks.poll_all().is_empty());
        let newer = database.write();
        world.backend.delete("test:key", larder::Condition::Always).await.unwrap();
        world.pass(POLL);
        assert_eq!(tasks.poll(waiter), Some((Some(newer), Source::Loaded)));
        gate.open();
        assert_eq!(tasks.poll(holder), Some((Some(0), Source::Loaded)));
        assert_eq!(first.stats().voided_fills, 1);
        assert_eq!(first.get::<usize>("key").await.unwrap(), Some(newer));
    }
}

on_each_backend! {
    async fn a_value_that_is_due_is_reloaded_by_one_process_and_answered_by_all(world) {
        let options = || LoadOptions::new().refresh_ahead(0.5);
        let (first, second) = (
            process_with(&world, options(), Log::default()),
            process_with(&world, options(), Log::default()),
        );
        let (database, gate) = (Database::default(), Gate::default());
        call(&first, &database, &Gate::opened()).await;
        world.pass(Duration::from_secs(60));
        let newer = database.write();
        let mut tasks = Tasks::new();
        let refresh = tasks.add(call(&first, &database, &gate));
        assert!(tasks.poll(refresh).is_none());
        for _ in 0..5 {
            assert_eq!(call(&second, &database, &gate).await, (Some(0), Source::Hit));
        }
        assert_eq!(database.loads(), 2);
        // Readable to plain reads meanwhile, with the life it had.
        assert_eq!(second.get::<usize>("key").await.unwrap(), Some(0));
        assert_eq!(second.ttl("key").await.unwrap(), larder::KeyTtl::Expires(Duration::from_secs(40)));
        gate.open();
        assert_eq!(tasks.poll(refresh), Some((Some(newer), Source::Loaded)));
        assert_eq!(call(&second, &database, &gate).await, (Some(newer), Source::Hit));
    }
}

on_each_backend! {
    async fn a_lease_on_a_value_that_its_holder_left_is_free_again_after_its_length(world) {
        let options = || LoadOptions::new().refresh_ahead(0.5);
        let (first, second) = (
            process_with(&world, options(), Log::default()),
            process_with(&world, options(), Log::default()),
        );
        let (database, gate) = (Database::default(), Gate::default());
        call(&first, &database, &Gate::opened()).await;
        world.pass(Duration::from_secs(60));
        let mut tasks = Tasks::new();
        let refresh = tasks.add(call(&first, &database, &gate));
        assert!(tasks.poll(refresh).is_none());
        world.pass(Duration::from_millis(9_999));
        assert_eq!(call(&second, &database, &Gate::opened()).await, (Some(0), Source::Hit));
        let newer = database.write();
        world.pass(Duration::from_millis(1));
        assert_eq!(call(&second, &database, &Gate::opened()).await, (Some(newer), Source::Loaded));
    }
}

#[test]
fn without_a_backend_each_process_loads_once_and_waits_for_nobody() {
    let world = crate::backends::memory();
    let (first, second) = (process(&world), process(&world));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    tasks.add(call(&first, &database, &gate));
    for _ in 0..20 {
        tasks.add(call(&second, &database, &gate));
    }
    assert!(tasks.poll_all().is_empty());
    assert_eq!(database.loads(), 1);
    // It goes away while the second process waits.
    world.backend.faults().fail_all(larder::ErrorKind::Connection);
    world.pass(POLL);
    assert!(tasks.poll_all().is_empty());
    for _ in 0..20 {
        tasks.add(call(&second, &database, &gate));
    }
    assert!(tasks.poll_all().is_empty());
    assert_eq!((database.loads(), second.stats().loads), (2, 1));
    gate.open();
    assert_eq!(tasks.poll_all().len(), 41);
    assert_eq!(database.loads(), 2);
}

#[test]
fn a_renewal_that_may_have_been_lost_is_made_good_by_the_next() {
    for is_applied in [false, true] {
        let world = crate::backends::memory();
        let patient = LoadOptions::new().wait("1h");
        let (first, second) = (process(&world), process_with(&world, patient, Log::default()));
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        let holder = tasks.add(call(&first, &database, &gate));
        tasks.add(call(&second, &database, &gate));
        assert!(tasks.poll_all().is_empty());
        for round in 0..60 {
            if round % 20 == 0 {
                let faults = world.backend.faults();
                if is_applied {
                    faults.fail_next_applied_of(Operation::Set, 1, larder::ErrorKind::Timeout);
                } else {
                    faults.fail_next_of(Operation::Set, 1, larder::ErrorKind::Timeout);
                }
            }
            world.pass(Duration::from_secs(1));
            assert!(tasks.poll(holder).is_none());
            world.pass(POLL);
            assert!(tasks.poll_all().is_empty());
        }
        assert_eq!(database.loads(), 1, "applied: {is_applied}");
        gate.open();
        assert_eq!(tasks.poll(holder), Some((Some(0), Source::Loaded)));
        assert_eq!(first.stats().voided_fills, 0);
    }
}

#[test]
fn a_lease_needs_the_marker_that_an_unfenced_load_leaves_out() {
    let both = LoadOptions::new().lease("5s").unfenced();
    let world = crate::backends::memory();
    let error = world.builder().load_options(both.clone()).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "lease: it is kept in the marker, which unfenced leaves out"
    );
    let load = async || Ok::<_, &str>(Loaded::value(1));
    let call = futures::executor::block_on(world.cache().remember_with("key", 60, &both, load));
    assert_eq!(
        call.unwrap_err().to_string(),
        "remember: lease: it is kept in the marker, which unfenced leaves out"
    );
}

#[test]
fn a_lease_of_the_longest_ttl_works() {
    let world = crate::backends::memory();
    let longest = LoadOptions::new().lease(larder::Ttl::MAX);
    let cache = world.builder().prefix("test").load_options(longest).build().unwrap();
    futures::executor::block_on(async {
        let answer = call(&cache, &Database::default(), &Gate::opened()).await;
        assert_eq!(answer, (Some(0), Source::Loaded));
        assert_eq!(cache.get::<usize>("key").await.unwrap(), Some(0), "it was not stored");
    });
}
