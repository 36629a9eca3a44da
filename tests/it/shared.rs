//! Values that are decoded once for all who read them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{AtOnce, Cache, Entry, FallbackPolicy, Json, ManualClock, Result};
use larder_local::LocalBackend;
use larder_memory::MemoryBackend;
use serde::{Deserialize, Serialize};

use crate::{backends::block_on, store::forward_to_store};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: u32,
    y: u32,
}

/// A local map that counts how often it is asked for an entry.
#[derive(Debug, Clone)]
struct Counted(LocalBackend, Arc<AtomicUsize>);

impl Counted {
    fn count(&self) -> &LocalBackend {
        self.1.fetch_add(1, Ordering::Relaxed);
        &self.0
    }
}

forward_to_store! {
    Counted,
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.count().get(key).await
    }

    fn get_at_once(&self, prefix: &str, key: &str) -> AtOnce {
        self.count().get_at_once(prefix, key)
    }

    async fn get_joined(&self, prefix: &str, key: &str) -> Result<Option<Entry>> {
        self.count().get_joined(prefix, key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        self.count().get_many(keys).await
    }
}

fn local() -> LocalBackend {
    LocalBackend::with_capacity(1_000)
}

#[test]
fn a_local_value_is_decoded_once_until_it_is_written_again() {
    block_on(async {
        let cache = Cache::new(local());
        cache.set("p", &Point { x: 1, y: 2 }, 60).await.unwrap();
        let first: Arc<Point> = cache.get_shared("p").await.unwrap().unwrap();
        let second = cache.get_shared("p").await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        cache.set("p", &Point { x: 3, y: 4 }, 60).await.unwrap();
        let third: Arc<Point> = cache.get_shared("p").await.unwrap().unwrap();
        assert_eq!((third.x, first.x), (3, 1));
        cache.expire("p", 90).await.unwrap();
        assert!(Arc::ptr_eq(&third, &cache.get_shared("p").await.unwrap().unwrap()));
        cache.delete("p").await.unwrap();
        assert!(cache.get_shared::<Point>("p").await.unwrap().is_none());
    });
}

#[test]
fn a_local_map_is_asked_once_for_a_value_however_it_is_to_be_decoded() {
    block_on(async {
        let backend = Counted(local(), Arc::default());
        let cache = Cache::new(backend.clone());
        cache.set("p", &Point { x: 1, y: 2 }, 60).await.unwrap();
        cache.set("none", &None::<Point>, 60).await.unwrap();
        let asked = || backend.1.swap(0, Ordering::Relaxed);
        asked();

        for _ in 0..2 {
            cache.get_shared::<Point>("p").await.unwrap().unwrap();
            assert_eq!(asked(), 1);
        }
        cache.get_shared::<(u32, u32)>("p").await.unwrap().unwrap();
        assert_eq!(asked(), 1, "a second type");
        assert!(cache.get_shared::<Point>("none").await.unwrap().is_none());
        assert_eq!(asked(), 1, "a stored None");
        assert!(cache.get_shared::<Point>("missing").await.unwrap().is_none());
        assert_eq!(asked(), 1, "a miss");
        cache.get::<Point>("p").await.unwrap().unwrap();
        assert_eq!(asked(), 1, "a get");
        cache.lookup::<Point>("p").await.unwrap();
        assert_eq!(asked(), 1, "a lookup");
    });
}

#[test]
fn another_type_another_schema_and_another_codec_never_get_what_was_decoded_for_the_first() {
    block_on(async {
        let backend = local();
        let cache = Cache::new(backend.clone());
        cache.set("p", &Point { x: 1, y: 2 }, 60).await.unwrap();
        assert!(cache.get_shared::<Point>("p").await.unwrap().is_some());
        assert_eq!(
            cache.get_shared::<(u32, u32)>("p").await.unwrap().as_deref(),
            Some(&(1, 2))
        );
        let newer = Cache::builder(backend.clone()).schema_version(2).build().unwrap();
        assert!(newer.get_shared::<Point>("p").await.unwrap().is_none());
        assert_eq!(newer.stats().undecodable, 1);
        let json = Cache::builder(backend).serializer(Json).build().unwrap();
        assert!(json.get_shared::<Point>("p").await.unwrap().is_none());
        assert_eq!(json.stats().undecodable, 1);
    });
}

#[test]
fn a_shared_value_is_missing_from_the_moment_its_life_ends() {
    block_on(async {
        let clock = ManualClock::new();
        let backend = LocalBackend::builder().clock(clock.clone()).build();
        let cache = Cache::builder(backend).clock(clock.clone()).build().unwrap();
        cache.set("p", &Point { x: 1, y: 2 }, 60).await.unwrap();
        assert!(cache.get_shared::<Point>("p").await.unwrap().is_some());
        clock.advance(Duration::from_secs(60));
        assert!(cache.get_shared::<Point>("p").await.unwrap().is_none());
    });
}

#[test]
fn a_cached_none_is_nothing_and_that_of_an_option_is_shared_too() {
    block_on(async {
        let cache = Cache::new(local());
        cache.set("p", &None::<Point>, 60).await.unwrap();
        assert!(cache.get_shared::<Point>("p").await.unwrap().is_none());
        assert_eq!(
            cache.get_shared::<Option<Point>>("p").await.unwrap().as_deref(),
            Some(&None)
        );
    });
}

#[test]
fn a_backend_that_keeps_nothing_decodes_for_each_call() {
    block_on(async {
        let backend = MemoryBackend::new();
        let cache = Cache::builder(backend.clone())
            .fallback(FallbackPolicy::ReturnNone)
            .build()
            .unwrap();
        cache.set("p", &Point { x: 1, y: 2 }, 60).await.unwrap();
        let first: Arc<Point> = cache.get_shared("p").await.unwrap().unwrap();
        let second = cache.get_shared("p").await.unwrap().unwrap();
        assert_eq!(first, second);
        assert!(!Arc::ptr_eq(&first, &second));
        backend.faults().fail_all(larder::ErrorKind::Connection);
        assert!(cache.get_shared::<Point>("p").await.unwrap().is_none());
    });
}

#[test]
fn a_damaged_local_entry_is_a_miss_however_often_it_is_read() {
    use larder::{CacheBackend, Expiry, SetOptions};

    block_on(async {
        let backend = local();
        let cache = Cache::new(backend.clone());
        cache.set("p", &Point { x: 1, y: 2 }, 60).await.unwrap();
        assert!(cache.get::<Point>("p").await.unwrap().is_some());
        let entry = backend.get("p").await.unwrap().unwrap();
        let mut damaged = entry.bytes().to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        let forever = SetOptions::new(Expiry::Never);
        backend.set("p", damaged.into(), forever.clone()).await.unwrap();
        // A value of another key, which was found intact there.
        backend.set("q", entry.into_bytes(), forever).await.unwrap();
        for key in ["p", "q", "p", "q"] {
            assert!(cache.get::<Point>(key).await.unwrap().is_none());
            assert!(cache.get_shared::<Point>(key).await.unwrap().is_none());
        }
    });
}
