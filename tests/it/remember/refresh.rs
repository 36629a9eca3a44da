//! Reloads before the end.

use std::time::Duration;

use larder::{Cache, CacheBackend, LoadOptions, Loaded, Source};

use super::support::{Database, Gate, Tasks};
use crate::backends::{World, on_each_backend};

fn cache<B: CacheBackend + Clone>(world: &World<B>, options: LoadOptions) -> Cache<B> {
    world.builder().prefix("test").load_options(options).build().unwrap()
}

async fn call<B: CacheBackend + 'static>(cache: &Cache<B>, database: &Database, gate: &Gate) -> (usize, Source) {
    let load = || async { database.read(gate.clone()).await.map(Loaded::value) };
    let answer = cache
        .remember_with("key", 100, &LoadOptions::new(), load)
        .await
        .unwrap();
    (answer.value.unwrap(), answer.source)
}

on_each_backend! {
    async fn scenario_08_eager_refresh_reloads_in_one_call_and_the_others_keep_the_value(world) {
        let cache = cache(&world, LoadOptions::new().refresh_ahead(0.8));
        let (database, gate) = (Database::default(), Gate::default());
        assert_eq!(call(&cache, &database, &Gate::opened()).await, (0, Source::Loaded));
        world.pass(Duration::from_secs(79));
        assert_eq!(call(&cache, &database, &Gate::opened()).await, (0, Source::Hit));
        assert_eq!(database.loads(), 1);

        world.pass(Duration::from_secs(1));
        let written = database.write();
        let mut tasks = Tasks::new();
        for _ in 0..50 {
            tasks.add(call(&cache, &database, &gate));
        }
        let kept = tasks.poll_all();
        assert_eq!(kept.len(), 49);
        assert!(kept.into_iter().all(|answer| answer == (0, Source::Hit)));
        gate.open();
        assert_eq!(tasks.poll_all(), [(written, Source::Loaded)]);
        assert_eq!(database.loads(), 2);
        assert_eq!(call(&cache, &database, &gate).await, (written, Source::Hit));
    }
}

on_each_backend! {
    async fn scenario_08_a_normal_miss_joins_the_eager_refresh(world) {
        let cache = cache(&world, LoadOptions::new().refresh_ahead(0.5));
        let (database, gate) = (Database::default(), Gate::default());
        call(&cache, &database, &Gate::opened()).await;
        world.pass(Duration::from_secs(60));
        let mut tasks = Tasks::new();
        let eager = tasks.add(call(&cache, &database, &gate));
        let miss = tasks.add(call(&cache, &database, &gate));
        assert!(tasks.poll(eager).is_none());
        // The other call's read comes before the value dies; it asks for a flight after.
        world.pass(Duration::from_secs(40));
        assert!(tasks.poll(miss).is_none());
        tasks.poll(miss);
        gate.open();
        assert!(tasks.poll(eager).is_some());
        assert!(tasks.poll(miss).is_some());
        drop(world);
    }
}

on_each_backend! {
    async fn an_eager_refresh_is_fenced(world) {
        let cache = cache(&world, LoadOptions::new().refresh_ahead(0.5));
        let (database, gate) = (Database::default(), Gate::default());
        call(&cache, &database, &Gate::opened()).await;
        world.pass(Duration::from_secs(60));
        let mut tasks = Tasks::new();
        let eager = tasks.add(call(&cache, &database, &gate));
        assert!(tasks.poll(eager).is_none());
        database.write();
        world.cache().delete("key").await.unwrap();
        gate.open();
        assert_eq!(tasks.poll(eager), Some((0, Source::Loaded)));
        assert_eq!(cache.get::<usize>("key").await.unwrap(), None);
    }
}

on_each_backend! {
    async fn a_failed_refresh_keeps_the_value_and_is_not_tried_again_before_the_throttle(world) {
        let cache = cache(&world, LoadOptions::new().refresh_ahead(0.5).throttle("5s"));
        call(&cache, &Database::default(), &Gate::opened()).await;
        world.pass(Duration::from_secs(60));
        let loads = std::cell::Cell::new(0);
        let failing = async || {
            let load = || async {
                loads.set(loads.get() + 1);
                Err::<Loaded<usize>, _>("away")
            };
            cache.remember_with("key", 100, &LoadOptions::new(), load).await.unwrap()
        };
        for _ in 0..10 {
            let answer = failing().await;
            assert_eq!((answer.value, answer.source), (Some(0), Source::Hit));
        }
        assert_eq!(loads.get(), 1);
        world.pass(Duration::from_secs(5));
        failing().await;
        failing().await;
        assert_eq!(loads.get(), 2);
        assert_eq!(cache.ttl("key").await.unwrap().remaining(), Some(Duration::from_secs(35)));
    }
}

on_each_backend! {
    async fn early_reloads_more_often_the_nearer_the_end_and_the_longer_the_load(world) {
        let cache = cache(&world, LoadOptions::new().early(1.0));
        let clock = world.clock.clone();
        let reloads = async |load_secs: u64, left_secs: u64| {
            let mut reloads = 0;
            for _ in 0..400 {
                cache.delete("key").await.unwrap();
                let load = || async {
                    clock.advance(Duration::from_secs(load_secs));
                    Ok::<_, &str>(Loaded::value(1))
                };
                cache.remember_with("key", 100, &LoadOptions::new(), load).await.unwrap();
                clock.advance(Duration::from_secs(100 - left_secs));
                let answer = cache.remember_with("key", 100, &LoadOptions::new(), load).await.unwrap();
                reloads += usize::from(answer.source == Source::Loaded);
            }
            reloads
        };
        // The chance is e^(-left / load), so of 400: 147 for one in one, 54 for two in one, 1 for six in one.
        let (near, far, short) = (reloads(10, 10).await, reloads(10, 20).await, reloads(1, 6).await);
        assert!((90..210).contains(&near), "{near}");
        assert!((15..100).contains(&far), "{far}");
        assert!(short < 15, "{short}");
    }
}
