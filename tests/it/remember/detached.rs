//! Loads that outlive the calls that began them.

use std::time::Duration;

use larder::{Cache, LoadOptions, Loaded, Source, StaleReason};

use super::{
    process::{Process, at_once, is, stale},
    support::{Database, Gate, Tasks},
};
use crate::backends::{block_on, memory, on_each_backend};

on_each_backend! {
    async fn stale_while_revalidate_answers_at_once_and_loads_once(world) {
        let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("50s"));
        let (database, gate) = (Database::default(), Gate::default());
        assert_eq!(process.detached(&database, &Gate::opened()).await.unwrap(), is(0, Source::Loaded));
        assert_eq!(process.jobs.len(), 0, "nothing to do in the background for a cold key");
        let newer = database.write();
        world.pass(Duration::from_secs(110));
        for _ in 0..20 {
            let answer = process.detached(&database, &gate).await.unwrap();
            assert_eq!(answer, is(0, stale(10, StaleReason::Revalidating)));
        }
        assert_eq!(process.jobs.poll(), 1);
        assert_eq!((database.loads(), process.cache.stats().background), (2, 1));
        // It is a miss to a plain read, and joins the load for one that has no stale window to answer from.
        assert_eq!(process.cache.get::<usize>("key").await.unwrap(), None);
        gate.open();
        assert_eq!(process.jobs.poll(), 0);
        assert_eq!(process.detached(&database, &gate).await.unwrap(), is(newer, Source::Hit));
        assert_eq!((database.loads(), process.cache.stats().background), (2, 0));
        assert_eq!(process.log.loads(), ["test:key Loaded"]);
    }
}

on_each_backend! {
    async fn past_its_stale_window_a_value_is_loaded_while_the_caller_waits(world) {
        let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("50s").stale_if_error("10m"));
        let (database, gate) = (Database::default(), Gate::default());
        process.detached(&database, &Gate::opened()).await.unwrap();
        world.pass(Duration::from_secs(150));
        let mut tasks = Tasks::new();
        tasks.add(process.detached(&database, &gate));
        assert!(tasks.poll_all().is_empty());
        gate.open();
        assert_eq!(tasks.poll_all().remove(0).unwrap(), is(0, Source::Loaded));
    }
}

on_each_backend! {
    async fn scenario_08_a_refresh_ahead_in_the_background_blocks_no_read_and_a_miss_joins_it(world) {
        let process = Process::new(&world, LoadOptions::new().refresh_ahead(0.5));
        let (database, gate) = (Database::default(), Gate::default());
        process.detached(&database, &Gate::opened()).await.unwrap();
        let newer = database.write();
        world.pass(Duration::from_secs(60));
        for _ in 0..20 {
            assert_eq!(process.detached(&database, &gate).await.unwrap(), is(0, Source::Hit));
        }
        assert_eq!((process.jobs.poll(), database.loads()), (1, 2));
        // The value ends before the refresh does.
        world.pass(Duration::from_secs(40));
        assert_eq!(process.cache.get::<usize>("key").await.unwrap(), None);
        let mut tasks = Tasks::new();
        for _ in 0..20 {
            tasks.add(process.detached(&database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        assert_eq!(database.loads(), 2);
        gate.open();
        assert_eq!(process.jobs.poll(), 0);
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 20);
        assert!(answers.into_iter().all(|answer| answer.unwrap() == is(newer, Source::Shared)));
        assert_eq!(process.detached(&database, &gate).await.unwrap(), is(newer, Source::Hit));
        assert_eq!((database.loads(), process.cache.stats().voided_fills), (2, 0));
    }
}

on_each_backend! {
    async fn a_load_whose_caller_went_away_goes_on_in_the_background(world) {
        let process = Process::new(&world, LoadOptions::new());
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        let caller = tasks.add(process.detached(&database, &gate));
        let waiter = tasks.add(process.detached(&database, &gate));
        assert!(tasks.poll_all().is_empty());
        tasks.drop_task(caller);
        assert_eq!(process.jobs.poll(), 1);
        assert!(tasks.poll(waiter).is_none());
        gate.open();
        assert_eq!(process.jobs.poll(), 0);
        assert_eq!(tasks.poll(waiter).unwrap().unwrap(), is(0, Source::Shared));
        assert_eq!(database.loads(), 1);
        assert_eq!(process.cache.get::<usize>("key").await.unwrap(), Some(0));
    }
}

on_each_backend! {
    async fn an_invalidation_voids_a_load_that_runs_in_the_background(world) {
        let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("50s"));
        let other = world.cache();
        for is_here in [true, false] {
            let (database, gate) = (Database::default(), Gate::default());
            process.detached(&database, &Gate::opened()).await.unwrap();
            world.pass(Duration::from_secs(110));
            assert!(process.detached(&database, &gate).await.unwrap().is_stale());
            assert_eq!(process.jobs.poll(), 1);
            let cache = if is_here { &process.cache } else { &other };
            cache.delete("key").await.unwrap();
            gate.open();
            assert_eq!(process.jobs.poll(), 0);
            assert!(world.backend.get("test:key").await.unwrap().is_none());
        }
        assert_eq!(process.cache.stats().voided_fills, 2);
    }
}

on_each_backend! {
    async fn a_refresh_that_fails_or_panics_is_told_to_the_hooks_and_not_tried_again_at_once(world) {
        let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("10m").throttle("30s"));
        let opened = Gate::opened();
        let database = Database::default();
        process.detached(&database, &opened).await.unwrap();
        world.pass(Duration::from_secs(110));
        assert!(process.detached_fail().await.unwrap().is_stale());
        assert_eq!(process.jobs.poll(), 0);
        for _ in 0..5 {
            assert!(process.detached_fail().await.unwrap().is_stale());
            assert_eq!(process.jobs.poll(), 0);
        }
        world.pass(Duration::from_secs(30));
        let panics = || async { if true { panic!("a loader's panic") } else { Ok::<Loaded<usize>, &str>(Loaded::value(1)) } };
        let answer = process.cache.remember_detached("key", 100, &LoadOptions::new(), panics).await;
        assert!(answer.unwrap().is_stale());
        assert_eq!(process.jobs.poll(), 0);
        assert_eq!(process.log.loads(), ["test:key failed: away", "test:key Panicked"]);
        assert_eq!((process.cache.stats().loading, process.cache.stats().background), (0, 0));
    }
}

#[test]
fn a_detached_call_is_a_future_that_can_be_sent() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let cache = Cache::new(larder_memory::MemoryBackend::new());
    let name = String::from("Alice");
    let answer = futures::executor::block_on(assert_send(async {
        let options = LoadOptions::new();
        let load = move || async move { Ok::<_, ()>(Loaded::value(name)) };
        cache.remember_detached("key", 60, &options, load).await
    }));
    assert_eq!(answer.unwrap().value.as_deref(), Some("Alice"));
}

#[test]
fn a_reload_that_begins_late_in_the_stale_window_is_stored() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("50s"));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(149));
    assert!(at_once(process.detached(&database, &gate)).unwrap().is_stale());
    assert_eq!(process.jobs.poll(), 1);
    world.pass(Duration::from_secs(2));
    gate.open();
    assert_eq!(process.jobs.poll(), 0);
    assert_eq!(process.cache.stats().voided_fills, 0);
    assert_eq!(block_on(process.cache.get::<usize>("key")).unwrap(), Some(0));
}
