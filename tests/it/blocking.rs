//! The blocking calls, on the backends that need no server.

use std::{
    collections::HashMap,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use larder::{
    BlockingCache, CacheBackend, ErrorKind, KeyTtl, LoadError, LoadOptions, Loaded, Lookup, Source, SweepProgress, Ttl,
};

use crate::backends::{World, block_on, local, memory, on_each_backend};

fn sorted<B: CacheBackend>(cache: &BlockingCache<B>, pattern: &str) -> Vec<String> {
    let mut keys: Vec<String> = cache.keys(pattern).collect::<Result<_, _>>().unwrap();
    keys.sort();
    keys
}

on_each_backend! {
    async fn every_blocking_call_does_what_the_async_one_does(world) {
        let async_cache = world.builder().prefix("test").default_ttl("1h").build().unwrap();
        let cache = async_cache.blocking();

        cache.set("a", &1, 60).unwrap();
        assert_eq!(async_cache.get("a").await.unwrap(), Some(1));
        assert_eq!(cache.get("a").unwrap(), Some(1));
        assert_eq!(cache.get_shared("a").unwrap().as_deref(), Some(&1));
        assert_eq!(cache.lookup::<i32>("a").unwrap(), Lookup::Hit(1));
        assert!(cache.exists("a").unwrap());
        assert_eq!(cache.ttl("a").unwrap(), KeyTtl::Expires(Duration::from_secs(60)));
        assert!(cache.touch("a").unwrap());
        assert_eq!(cache.pttl("a").unwrap(), KeyTtl::Expires(Duration::from_secs(3600)));
        assert!(cache.expire("a", "5m").unwrap());
        assert!(cache.persist("a").unwrap());
        assert_eq!(cache.ttl("a").unwrap(), KeyTtl::Persistent);
        assert!(!cache.add("a", &2, 60).unwrap());
        assert!(cache.replace("a", &3, 60).unwrap());
        assert_eq!(cache.pull("a").unwrap(), Some(3));
        assert!(!cache.delete("a").unwrap());

        cache.set_many([("a", 1), ("b", 2)], Ttl::DEFAULT).unwrap();
        assert!(cache.set_many_results([("c", 3)], 60).unwrap()[0].1.is_ok());
        let found: HashMap<String, i32> = cache.get_many(["a", "c", "x"]).unwrap();
        assert_eq!(found, HashMap::from([("a".into(), 1), ("c".into(), 3)]));
        let results = cache.get_many_results::<i32>(["x"]);
        assert_eq!(*results[0].1.as_ref().unwrap(), Lookup::Miss);
        assert_eq!(sorted(&cache, "*"), ["a", "b", "c"]);
        assert_eq!(cache.delete_many(["a", "x"]).unwrap(), 1);
        assert!(*cache.delete_many_results(["b"])[0].1.as_ref().unwrap());

        let users = cache.scope("users");
        assert_eq!(users.prefix(), Some("test:users"));
        users.set_many([("1", 1), ("2", 2)], 60).unwrap();
        assert_eq!(users.delete_pattern("1*").unwrap(), 1);
        assert_eq!(users.clear().unwrap(), 1);
        users.set_many([("1", 1), ("2", 2)], 60).unwrap();
        let removed = AtomicUsize::new(0);
        let told = |progress: SweepProgress| removed.store(usize::try_from(progress.removed).unwrap(), Ordering::SeqCst);
        assert_eq!(users.delete_pattern_with("1*", told).unwrap(), 1);
        assert_eq!(removed.swap(0, Ordering::SeqCst), 1);
        assert_eq!(users.clear_with(told).unwrap(), 1);
        assert_eq!(removed.into_inner(), 1);
        assert_eq!(cache.clear_database().unwrap(), 1);

        let bound = cache.bind::<u8>("bound").schema_version(7);
        assert_eq!(bound.key(), "bound");
        bound.set(&1, 60).unwrap();
        assert_eq!(cache.get::<u8>("bound").unwrap(), None);
        assert_eq!(cache.get_shared::<u8>("bound").unwrap(), None);
        assert_eq!(bound.get().unwrap(), Some(1));
        assert_eq!(bound.get_shared().unwrap().as_deref(), Some(&1));
        assert_eq!(async_cache.bind::<u8>("bound").get_shared().await.unwrap(), None);
        assert_eq!(bound.lookup().unwrap(), Lookup::Hit(1));
        assert!(bound.exists().unwrap() && bound.touch().unwrap() && bound.expire(9).unwrap());
        assert_eq!(bound.ttl().unwrap(), KeyTtl::Expires(Duration::from_secs(9)));
        assert!(bound.persist().unwrap());
        assert_eq!(bound.pttl().unwrap(), KeyTtl::Persistent);
        assert!(!bound.add(&2, 60).unwrap() && bound.replace(&2, 60).unwrap());
        assert_eq!(bound.clone().pull().unwrap(), Some(2));
        assert!(!bound.delete().unwrap());
    }
}

on_each_backend! {
    async fn a_blocking_remember_loads_once_and_says_where_the_value_is_from(world) {
        let cache = world.cache().blocking();
        let options = LoadOptions::new();
        let load = || Ok::<_, String>(Loaded::value(1));
        assert_eq!(cache.remember_with("a", 60, &options, load).unwrap().source, Source::Loaded);
        assert_eq!(cache.remember_with("a", 60, &options, load).unwrap().source, Source::Hit);
        let failed: Result<u8, _> = cache.remember("b", 60, || Err("away"));
        assert_eq!(failed.unwrap_err().loader(), Some(&"away"));
        let panicked: Result<u8, LoadError<()>> = cache.remember("b", 60, || panic!("on purpose"));
        assert!(matches!(panicked, Err(LoadError::Panicked)));

        let mut asked = Vec::new();
        let ids = ["a", "c"];
        let answers = cache.remember_many_with(ids, |id| (*id).to_owned(), 60, &options, |missing| {
            asked.clone_from(&missing);
            Ok::<_, String>(missing.into_iter().map(|id| (id, Loaded::value(2))))
        });
        let sources: Vec<Source> = answers.unwrap().into_iter().map(|(_, answer)| answer.unwrap().source).collect();
        assert_eq!(sources, [Source::Hit, Source::Loaded]);
        assert_eq!(asked, ["c"]);
        drop(world);
    }
}

#[test]
fn the_keys_of_a_failing_backend_end_with_one_error() {
    let world = memory();
    let cache = world.cache().blocking();
    cache.set("a", &1, 60).unwrap();
    world.backend.faults().fail_all(ErrorKind::Connection);
    let mut keys = cache.keys("*");
    assert!(keys.next().unwrap().is_err());
    assert!(keys.next().is_none());
}

fn one_load_for_all_threads<B: CacheBackend + Clone + 'static>(world: &World<B>) {
    const THREADS: usize = 32;
    let cache = world.cache().blocking();
    let (loads, start) = (AtomicUsize::new(0), Barrier::new(THREADS));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                let value = cache.remember("key", 60, || {
                    loads.fetch_add(1, Ordering::SeqCst);
                    // All that came in time wait for this load, and the others find what it stored.
                    while cache.stats().waiting == 0 {
                        thread::yield_now();
                    }
                    Ok::<_, String>(7)
                });
                assert_eq!(value.unwrap(), 7);
            });
        }
    });
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[test]
fn threads_that_miss_together_share_one_load() {
    one_load_for_all_threads(&memory());
    one_load_for_all_threads(&local());
}

#[test]
fn a_blocking_call_waits_for_an_async_load_of_another_thread() {
    let world = memory();
    let cache = world.cache();
    let loading = || async {
        while cache.stats().waiting == 0 {
            thread::yield_now();
        }
        Ok::<_, String>("async".to_owned())
    };
    thread::scope(|scope| {
        scope.spawn(|| block_on(cache.remember("key", 60, loading)).unwrap());
        while cache.stats().loading == 0 {
            thread::yield_now();
        }
        let shared = cache
            .blocking()
            .remember("key", 60, || Ok::<_, String>("blocking".to_owned()));
        assert_eq!(shared.unwrap(), "async");
    });
}

#[test]
fn a_blocking_loader_may_make_blocking_calls_and_asks_for_its_own_key_in_vain() {
    let cache = memory().cache().blocking();
    let outer: Result<u32, LoadError<LoadError<String>>> = cache.remember("outer", 60, || {
        cache.set("beside", &1_u32, 60)?;
        let inner: u32 = cache.remember("inner", 60, || Ok::<_, String>(2))?;
        let own: Result<u32, LoadError<String>> = cache.remember("outer", 60, || Ok(9));
        assert!(matches!(own, Err(LoadError::Reentrant)));
        Ok(inner + cache.get::<u32>("beside")?.unwrap_or_default())
    });
    assert_eq!(outer.unwrap(), 3);
}

#[test]
fn blocking_calls_may_be_made_inside_an_async_load() {
    let cache = memory().cache();
    let outer = cache.remember("outer", 60, || async {
        cache.blocking().remember("inner", 60, || Ok::<u32, String>(2))
    });
    assert_eq!(block_on(outer).unwrap(), 2);
    let own = cache.remember("own", 60, || async {
        cache.blocking().remember("own", 60, || Ok::<u32, String>(2))
    });
    assert!(matches!(
        block_on(own).unwrap_err().loader(),
        Some(LoadError::Reentrant)
    ));
}

#[test]
fn a_load_begun_on_the_thread_that_now_calls_is_not_waited_for() {
    // Its clock stands still: whoever waits, waits for ever.
    let cache = memory().cache();
    block_on(async {
        let mut stuck = std::pin::pin!(cache.remember("key", 60, std::future::pending::<Result<u8, String>>));
        assert!(futures::poll!(&mut stuck).is_pending());
        assert_eq!(cache.blocking().remember("key", 60, || Ok::<u8, String>(1)).unwrap(), 1);
    });
}
