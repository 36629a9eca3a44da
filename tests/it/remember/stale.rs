//! A value past its life is better than none, for a while.

use std::{cell::Cell, time::Duration};

use larder::{Cache, CacheBackend, KeyTtl, LoadError, LoadOptions, Loaded, Remembered, Source, StaleReason};

use super::{
    process::{Process, stale},
    support::{Database, Gate, Tasks},
};
use crate::backends::{World, block_on, memory, on_each_backend};

fn cache<B: CacheBackend + Clone>(world: &World<B>) -> Cache<B> {
    let options = LoadOptions::new().stale_if_error("10m").throttle("30s");
    world.builder().prefix("test").load_options(options).build().unwrap()
}

async fn call<B: CacheBackend + 'static>(
    cache: &Cache<B>,
    loads: &Cell<usize>,
    answer: Result<u8, &'static str>,
) -> Result<Remembered<u8>, LoadError<&'static str>> {
    let load = || async {
        loads.set(loads.get() + 1);
        answer.map(Loaded::value)
    };
    cache.remember_with("key", "1m", &LoadOptions::new(), load).await
}

on_each_backend! {
    async fn scenario_06_fail_safe_serves_stale_with_one_load_per_throttle_and_never_past_its_window(world) {
        let (cache, loads) = (cache(&world), Cell::new(0));
        call(&cache, &loads, Ok(1)).await.unwrap();
        assert_eq!(loads.get(), 1);
        world.pass(Duration::from_secs(60));
        assert_eq!(cache.get::<u8>("key").await.unwrap(), None, "a stale value is a miss to get");

        let answer = call(&cache, &loads, Err("away")).await.unwrap();
        assert_eq!((answer.value, answer.source), (Some(1), stale(0, StaleReason::LoadFailed)));
        assert!(answer.is_stale());
        for _ in 0..10 {
            let answer = call(&cache, &loads, Err("away")).await.unwrap();
            assert_eq!(answer.source, stale(0, StaleReason::Throttled));
        }
        assert_eq!(loads.get(), 2);

        // However long it is expired, the throttle counts from the failure.
        for round in 1..=19 {
            world.pass(Duration::from_secs(30));
            let answer = call(&cache, &loads, Err("away")).await.unwrap();
            assert_eq!(answer.source, stale(30 * round, StaleReason::LoadFailed));
            let answer = call(&cache, &loads, Err("away")).await.unwrap();
            assert_eq!(answer.source, stale(30 * round, StaleReason::Throttled));
        }
        assert_eq!(loads.get(), 21);

        world.pass(Duration::from_secs(30));
        assert!(call(&cache, &loads, Err("away")).await.is_err());
        // It stays a little longer for a reload that began at the end of its window.
        world.pass(Duration::from_secs(60));
        assert!(world.backend.get("test:key").await.unwrap().is_none());
    }
}

on_each_backend! {
    async fn a_load_that_works_again_takes_the_stale_value_away(world) {
        let (cache, loads) = (cache(&world), Cell::new(0));
        call(&cache, &loads, Ok(1)).await.unwrap();
        world.pass(Duration::from_secs(61));
        call(&cache, &loads, Err("away")).await.unwrap();
        world.pass(Duration::from_secs(30));
        let answer = call(&cache, &loads, Ok(2)).await.unwrap();
        assert_eq!((answer.value, answer.source), (Some(2), Source::Loaded));
        assert_eq!(call(&cache, &loads, Err("not asked")).await.unwrap().source, Source::Hit);
    }
}

on_each_backend! {
    async fn all_that_share_a_failed_load_get_the_stale_value(world) {
        let (cache, loads, gate) = (cache(&world), Cell::new(0), Gate::default());
        call(&cache, &loads, Ok(1)).await.unwrap();
        world.pass(Duration::from_secs(60));
        let mut tasks = Tasks::new();
        for _ in 0..20 {
            tasks.add(async {
                let load = || async {
                    loads.set(loads.get() + 1);
                    gate.wait().await;
                    Err::<Loaded<u8>, _>("away")
                };
                cache.remember_with("key", "1m", &LoadOptions::new(), load).await
            });
        }
        assert!(tasks.poll_all().is_empty());
        gate.open();
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 20);
        assert!(answers.into_iter().all(|answer| answer.unwrap().is_stale()));
        assert_eq!(loads.get(), 2);
    }
}

on_each_backend! {
    async fn a_deleted_value_is_not_served_stale(world) {
        let (cache, loads) = (cache(&world), Cell::new(0));
        call(&cache, &loads, Ok(1)).await.unwrap();
        world.pass(Duration::from_secs(60));
        call(&cache, &loads, Err("away")).await.unwrap();
        assert!(cache.delete("key").await.unwrap());
        assert!(call(&cache, &loads, Err("away")).await.is_err());
    }
}

on_each_backend! {
    async fn a_cache_without_the_window_does_not_serve_what_another_kept(world) {
        let (keeps, loads) = (cache(&world), Cell::new(0));
        call(&keeps, &loads, Ok(1)).await.unwrap();
        world.pass(Duration::from_secs(60));
        assert!(call(&world.cache(), &loads, Err("away")).await.is_err());
        assert!(call(&keeps, &loads, Err("away")).await.unwrap().is_stale());
    }
}

on_each_backend! {
    async fn expire_persist_and_touch_move_the_logical_life_and_keep_the_window_behind_it(world) {
        let options = LoadOptions::new().stale_if_error("10m");
        let cache = world.builder().prefix("test").default_ttl("5m").load_options(options).build().unwrap();
        let loads = Cell::new(0);
        let life = async || cache.ttl("key").await.unwrap();
        let seconds = |seconds| KeyTtl::Expires(Duration::from_secs(seconds));
        call(&cache, &loads, Ok(1)).await.unwrap();
        assert_eq!(life().await, seconds(60));

        assert!(cache.expire("key", "2m").await.unwrap());
        assert_eq!(life().await, seconds(120));
        assert_eq!(cache.get::<u8>("key").await.unwrap(), Some(1));
        assert!(cache.touch("key").await.unwrap());
        assert_eq!(life().await, seconds(300));
        world.pass(Duration::from_secs(299));
        assert_eq!(call(&cache, &loads, Err("not asked")).await.unwrap().source, Source::Hit);
        world.pass(Duration::from_secs(1));
        assert_eq!(life().await, KeyTtl::Missing);
        assert!(!cache.expire("key", "1m").await.unwrap(), "a stale value is none");
        assert!(!cache.persist("key").await.unwrap());
        world.pass(Duration::from_secs(599));
        assert!(call(&cache, &loads, Err("away")).await.unwrap().is_stale());
        world.pass(Duration::from_secs(1));
        assert!(call(&cache, &loads, Err("away")).await.is_err());

        call(&cache, &loads, Ok(2)).await.unwrap();
        assert!(cache.persist("key").await.unwrap());
        assert_eq!(life().await, KeyTtl::Persistent);
        world.pass(Duration::from_secs(1_000_000));
        assert_eq!(cache.get::<u8>("key").await.unwrap(), Some(2));
        assert!(cache.expire("key", 7).await.unwrap());
        assert_eq!(life().await, seconds(7));
        assert_eq!(cache.stats().undecodable, 0);
    }
}

/// What is a miss to `get` and `exists` is no value to `add` and `replace` either.
#[test]
fn a_stale_value_is_nothing_to_add_and_nothing_to_replace() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().refresh_ahead(0.5));
    block_on(process.call(&Database::default(), &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    assert!(!block_on(process.cache.exists("key")).unwrap());
    assert!(!block_on(process.cache.replace("key", &1_usize, 60)).unwrap());
    assert!(block_on(process.cache.add("key", &1_usize, 60)).unwrap());
}

#[test]
fn windows_at_the_longest_ttl_cost_no_value() {
    let world = memory();
    let longest = larder::Ttl::MAX;
    let options = LoadOptions::new().stale_if_error(longest);
    let process = Process::new(&world, options);
    let load = async || Ok::<_, &str>(Loaded::value(1_usize));
    let answer = block_on(process.cache.remember_with("key", longest, &LoadOptions::new(), load));
    assert_eq!(answer.unwrap().value, Some(1));
    assert_eq!(
        block_on(process.cache.get::<usize>("key")).unwrap(),
        Some(1),
        "it was not stored"
    );
}
