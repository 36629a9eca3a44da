//! What an invalidation during a load does.

use larder::{Cache, CacheBackend, Condition, Expiry, LoadOptions, SetOptions};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::support::{Database, Gate, Tasks, remember};
use crate::backends::{World, block_on, memory, on_each_backend};

/// The ways to invalidate one key, here or in another process, through larder or past it.
#[derive(Debug, Clone, Copy)]
enum Invalidation {
    Delete,
    Set,
    DeleteMany,
    SetMany,
    DeletePattern,
    Clear,
    Pull,
    PlainDelete,
    PlainSet,
}

const ALL: [Invalidation; 9] = [
    Invalidation::Delete,
    Invalidation::Set,
    Invalidation::DeleteMany,
    Invalidation::SetMany,
    Invalidation::DeletePattern,
    Invalidation::Clear,
    Invalidation::Pull,
    Invalidation::PlainDelete,
    Invalidation::PlainSet,
];

impl Invalidation {
    /// Invalidates `key` through `cache`, with `value` where it writes one.
    async fn make<B: CacheBackend>(self, cache: &Cache<B>, backend: &B, key: &str, value: usize) {
        let physical = format!("test:{key}");
        match self {
            Self::Delete => drop(cache.delete(key).await.unwrap()),
            Self::Set => cache.set(key, &value, 60).await.unwrap(),
            Self::DeleteMany => drop(cache.delete_many([key]).await.unwrap()),
            Self::SetMany => cache.set_many([(key, value)], 60).await.unwrap(),
            Self::DeletePattern => drop(cache.delete_pattern(key).await.unwrap()),
            Self::Clear => drop(cache.clear().await.unwrap()),
            Self::Pull => drop(cache.pull::<usize>(key).await.unwrap()),
            Self::PlainDelete => drop(backend.delete(&physical, Condition::Always).await.unwrap()),
            Self::PlainSet => {
                let options = SetOptions::new(Expiry::Never);
                backend
                    .set(&physical, "by another program".into(), options)
                    .await
                    .unwrap();
            }
        }
    }
}

on_each_backend! {
    async fn scenario_03_invalidate_during_a_load_voids_the_fill_in_every_way(world) {
        // Through the cache that loads, and through another, as another process would.
        for here in [true, false] {
            for invalidation in ALL {
                let (cache, database, gate) = (world.cache(), Database::default(), Gate::default());
                let other = if here { cache.clone() } else { world.cache() };
                let mut tasks = Tasks::new();
                let load = tasks.add(remember(&cache, "key", &database, &gate));
                assert!(tasks.poll(load).is_none());
                let written = database.write();
                invalidation.make(&other, &world.backend, "key", written).await;
                gate.open();
                assert_eq!(tasks.poll(load).unwrap().unwrap(), 0, "the caller gets what it loaded");
                let cached = cache.get::<usize>("key").await.unwrap();
                assert_ne!(cached, Some(0), "{invalidation:?}: the old value is cached");
                let now = remember(&cache, "key", &database, &Gate::opened()).await.unwrap();
                assert_eq!(now, written, "{invalidation:?}");
                cache.clear().await.unwrap();
            }
        }
    }
}

on_each_backend! {
    async fn scenario_03_a_call_made_after_an_invalidation_does_not_share_the_older_load(world) {
        for invalidation in ALL {
            let (cache, database) = (world.cache(), Database::default());
            let (old, new) = (Gate::default(), Gate::opened());
            let mut tasks = Tasks::new();
            let before = tasks.add(remember(&cache, "key", &database, &old));
            assert!(tasks.poll(before).is_none());
            let written = database.write();
            invalidation.make(&world.cache(), &world.backend, "key", written).await;
            let after = tasks.add(remember(&cache, "key", &database, &new));
            assert_eq!(tasks.poll(after).unwrap().unwrap(), written, "{invalidation:?}");
            old.open();
            tasks.poll(before).unwrap().unwrap();
            assert_eq!(cache.get::<usize>("key").await.unwrap(), Some(written), "{invalidation:?}");
            cache.clear().await.unwrap();
        }
    }
}

on_each_backend! {
    async fn an_unfenced_load_is_voided_in_this_process(world) {
        let cache = world.builder().prefix("test").load_options(LoadOptions::new().unfenced()).build().unwrap();
        for invalidation in &ALL[..7] {
            let (database, gate) = (Database::default(), Gate::default());
            let mut tasks = Tasks::new();
            let load = tasks.add(remember(&cache, "key", &database, &gate));
            assert!(tasks.poll(load).is_none());
            let written = database.write();
            invalidation.make(&cache, &world.backend, "key", written).await;
            gate.open();
            assert_eq!(tasks.poll(load).unwrap().unwrap(), 0);
            assert_ne!(cache.get::<usize>("key").await.unwrap(), Some(0), "{invalidation:?}");
            cache.clear().await.unwrap();
        }
    }
}

on_each_backend! {
    async fn a_marker_of_another_process_blocks_nobody(world) {
        let (here, there) = (world.cache(), world.cache());
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        let other = tasks.add(remember(&there, "key", &database, &gate));
        assert!(tasks.poll(other).is_none());
        assert_eq!(remember(&here, "key", &database, &Gate::opened()).await.unwrap(), 0);
        assert_eq!(here.get::<usize>("key").await.unwrap(), Some(0));
        gate.open();
        assert_eq!(tasks.poll(other).unwrap().unwrap(), 0);
        assert_eq!(there.stats().voided_fills, 1);
        drop(world);
    }
}

on_each_backend! {
    async fn a_marker_is_gone_after_its_window(world) {
        let options = LoadOptions::new().fill_window("10s");
        let cache = world.builder().prefix("test").load_options(options).build().unwrap();
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        let load = tasks.add(remember(&cache, "key", &database, &gate));
        assert!(tasks.poll(load).is_none());
        assert!(!cache.persist("key").await.unwrap());
        world.pass(std::time::Duration::from_secs(10));
        assert!(world.backend.get("test:key").await.unwrap().is_none());
        gate.open();
        assert_eq!(tasks.poll(load).unwrap().unwrap(), 0);
        assert_eq!(cache.get::<usize>("key").await.unwrap(), None);
        assert_eq!(cache.stats().voided_fills, 1);
    }
}

/// One process and another, each with loads that begin, end and are dropped in any order, between invalidations in
/// any way: nothing that was loaded before an invalidation returned is read after it.
fn history(seed: u64) {
    let world: World<_> = memory();
    let mut rng = StdRng::seed_from_u64(seed);
    let database = Database::default();
    let caches = [world.cache(), world.cache()];
    let mut tasks = Tasks::new();
    let mut begun: Vec<(usize, usize, Gate)> = Vec::new();
    let mut floor = 0;
    for step in 0..60 {
        match rng.random_range(0..10) {
            0..4 => {
                let gate = if rng.random() { Gate::opened() } else { Gate::default() };
                let cache = &caches[rng.random_range(0..2)];
                let (database, held) = (&database, gate.clone());
                let task = tasks.add(async move { remember(cache, "key", database, &held).await });
                begun.push((task, floor, gate));
            }
            4..6 if !begun.is_empty() => begun[rng.random_range(0..begun.len())].2.open(),
            6 if !begun.is_empty() => {
                let (task, ..) = begun.swap_remove(rng.random_range(0..begun.len()));
                tasks.drop_task(task);
            }
            7 => {
                let written = database.write();
                let invalidation = ALL[rng.random_range(0..ALL.len())];
                block_on(invalidation.make(&caches[rng.random_range(0..2)], &world.backend, "key", written));
                floor = written;
            }
            8 => {
                let read: Option<usize> = block_on(caches[rng.random_range(0..2)].get("key")).unwrap();
                assert!(
                    read.is_none_or(|read| read >= floor),
                    "LARDER_SEED={seed} step {step}: {read:?} < {floor}"
                );
            }
            _ => {}
        }
        begun.retain(|(task, floor, _)| match tasks.poll(*task) {
            None => true,
            Some(answer) => {
                let read = answer.unwrap();
                assert!(read >= *floor, "LARDER_SEED={seed} step {step}: {read} < {floor}");
                false
            }
        });
    }
}

#[test]
fn scenario_03_history_of_1_000_seeds_never_goes_back() {
    if let Ok(seed) = std::env::var("LARDER_SEED") {
        return history(seed.parse().unwrap());
    }
    let first: u64 = rand::random();
    for seed in 0..1_000 {
        history(first.wrapping_add(seed));
    }
}
