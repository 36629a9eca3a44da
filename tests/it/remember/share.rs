//! One load for all that miss together.

use std::time::Duration;

use larder::{LoadError, LoadOptions, Loaded, Source};

use super::support::{Database, Gate, Tasks, remember};
use crate::backends::{block_on, memory, on_each_backend};

on_each_backend! {
    async fn scenario_01_herd_of_10_000_callers_in_one_process_loads_once(world) {
        let (cache, database, gate) = (world.cache(), Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        for _ in 0..10_000 {
            tasks.add(remember(&cache, "key", &database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        assert_eq!(database.loads(), 1);
        gate.open();
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 10_000);
        assert!(answers.into_iter().all(|answer| answer.unwrap() == 0));
        assert_eq!(database.loads(), 1);
        assert_eq!(world.backend.get("test:key").await.unwrap().unwrap().bytes()[3], b'V');
    }
}

on_each_backend! {
    async fn a_call_made_during_a_load_shares_it_by_its_marker(world) {
        let (cache, database, gate) = (world.cache(), Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        let first = tasks.add(remember(&cache, "key", &database, &gate));
        assert!(tasks.poll(first).is_none());
        let second = tasks.add(remember(&cache, "key", &database, &gate));
        assert!(tasks.poll(second).is_none());
        gate.open();
        assert_eq!(tasks.poll_all().len(), 2);
        assert_eq!(database.loads(), 1);
        drop(world);
    }
}

on_each_backend! {
    async fn scenario_02_failing_herd_of_1_000_callers_fails_once_and_loads_again_next_time(world) {
        let cache = world.cache();
        let (loads, gate) = (std::cell::Cell::new(0), Gate::default());
        let call = || cache.remember::<u8, _, _, _>("key", 60, || async {
            loads.set(loads.get() + 1);
            gate.wait().await;
            Err("the database is away")
        });
        let mut tasks = Tasks::new();
        for _ in 0..1_000 {
            tasks.add(call());
        }
        assert!(tasks.poll_all().is_empty());
        gate.open();
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 1_000);
        for answer in answers {
            assert_eq!(answer.unwrap_err().loader(), Some(&"the database is away"));
        }
        assert_eq!(loads.get(), 1);
        assert!(world.backend.get("test:key").await.unwrap().is_none());
        call().await.unwrap_err();
        assert_eq!(loads.get(), 2);
    }
}

on_each_backend! {
    async fn a_panic_is_one_outcome_for_all_and_the_next_call_loads_again(world) {
        let (cache, gate) = (world.cache(), Gate::default());
        let call = |fails: bool| {
            let (cache, gate) = (&cache, &gate);
            cache.remember::<u8, &str, _, _>("key", 60, move || async move {
                gate.wait().await;
                assert!(!fails, "on purpose");
                Ok(1)
            })
        };
        let mut tasks = Tasks::new();
        for _ in 0..10 {
            tasks.add(call(true));
        }
        assert!(tasks.poll_all().is_empty());
        gate.open();
        for answer in tasks.poll_all() {
            assert!(matches!(answer, Err(LoadError::Panicked)));
        }
        assert_eq!(tasks.left(), 0);
        assert!(world.backend.get("test:key").await.unwrap().is_none());
        assert_eq!(call(false).await.unwrap(), 1);
    }
}

on_each_backend! {
    async fn different_keys_and_different_caches_load_by_themselves(world) {
        let (one, other) = (world.cache(), world.cache());
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        tasks.add(remember(&one, "a", &database, &gate));
        tasks.add(remember(&one, "b", &database, &gate));
        tasks.add(remember(&other, "a", &database, &gate));
        assert!(tasks.poll_all().is_empty());
        // The other cache joins the load of the first by its marker: it loads at once, and nobody is blocked.
        tasks.poll_all();
        assert_eq!(database.loads(), 3);
        gate.open();
        assert_eq!(tasks.poll_all().len(), 3);
    }
}

#[test]
fn a_waiter_with_another_type_or_another_error_loads_itself() {
    let world = memory();
    let (cache, gate) = (world.cache(), Gate::default());
    let mut tasks = Tasks::new();
    tasks.add(Box::pin(async {
        let value: Result<u64, LoadError<&str>> = cache
            .remember("key", 60, || async {
                gate.wait().await;
                Err("one")
            })
            .await;
        value.unwrap_err().to_string()
    }) as std::pin::Pin<Box<dyn Future<Output = String>>>);
    tasks.add(Box::pin(async {
        let value: Result<u64, LoadError<String>> = cache.remember("key", 60, || async { Err("two".to_owned()) }).await;
        value.unwrap_err().to_string()
    }));
    assert!(tasks.poll_all().is_empty());
    gate.open();
    assert_eq!(tasks.poll_all(), ["the load failed: one", "the load failed: two"]);
}

#[test]
fn a_follower_of_a_leader_that_nobody_polls_waits_its_bound_and_loads_itself() {
    let world = memory();
    let options = LoadOptions::new().wait("5s");
    let cache = world.builder().load_options(options).build().unwrap();
    let database = Database::default();
    let (stuck, open) = (Gate::default(), Gate::opened());
    let mut tasks = Tasks::new();
    let leader = tasks.add(remember(&cache, "key", &database, &stuck));
    assert!(tasks.poll(leader).is_none());
    let followers = [(); 3].map(|()| tasks.add(remember(&cache, "key", &database, &open)));
    for follower in followers {
        assert!(tasks.poll(follower).is_none());
    }
    world.pass(Duration::from_millis(4_999));
    assert!(followers.iter().all(|&follower| tasks.poll(follower).is_none()));
    world.pass(Duration::from_millis(1));
    for follower in followers {
        assert_eq!(tasks.poll(follower).unwrap().unwrap(), 0);
    }
    // One of the three loaded, and the others shared or found what it had.
    assert_eq!(database.loads(), 2);
    stuck.open();
    assert_eq!(tasks.poll(leader).unwrap().unwrap(), 0);
    assert_eq!(block_on(cache.get::<usize>("key")).unwrap(), Some(0));
}

#[test]
fn every_source_is_told() {
    let world = memory();
    let (cache, gate) = (world.cache(), Gate::default());
    let options = LoadOptions::new();
    let call = || async {
        let load = || async {
            gate.wait().await;
            Ok::<_, &str>(Loaded::value(1))
        };
        cache.remember_with("key", 60, &options, load).await.unwrap().source
    };
    let mut tasks = Tasks::new();
    tasks.add(call());
    tasks.add(call());
    assert!(tasks.poll_all().is_empty());
    gate.open();
    assert_eq!(tasks.poll_all(), [Source::Loaded, Source::Shared]);
    assert_eq!(block_on(call()), Source::Hit);
}
