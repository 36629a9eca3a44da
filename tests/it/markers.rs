//! A fill marker is nothing to every call but the load that placed it.

use std::time::Duration;

use larder::{Cache, CacheBackend, Condition, Expiry, KeyTtl, Lookup, SetOptions};

use crate::backends::{World, on_each_backend};

/// A marker as `docs/format.md` has it.
fn marker(fence: u8) -> Vec<u8> {
    let mut bytes = vec![0xF5, 0x4C, 1, b'M'];
    bytes.extend([fence; 8]);
    bytes.push(2);
    bytes.extend([7; 20]);
    bytes
}

async fn place<B: CacheBackend + Clone>(world: &World<B>) -> Cache<B> {
    let options = SetOptions::new(Expiry::After(Duration::from_secs(60)));
    world.backend.set("test:key", marker(1).into(), options).await.unwrap();
    world.cache()
}

/// Whether a fill on the marker's fence would still be stored.
async fn still_open<B: CacheBackend>(world: &World<B>) -> bool {
    let entry = world.backend.get("test:key").await.unwrap();
    entry.is_some_and(|entry| entry.bytes().starts_with(&marker(1)[..12]))
}

on_each_backend! {
    async fn reads_miss_a_marker_without_counting_it_as_undecodable(world) {
        let cache = place(&world).await;
        assert_eq!(cache.get::<i32>("key").await.unwrap(), None);
        assert_eq!(cache.lookup::<Option<i32>>("key").await.unwrap(), Lookup::Miss);
        assert!(cache.get_many::<i32>(["key"]).await.unwrap().is_empty());
        assert!(!cache.exists("key").await.unwrap());
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Missing);
        assert_eq!(cache.stats().undecodable, 0);
        assert!(still_open(&world).await);
    }
}

on_each_backend! {
    async fn add_takes_the_place_of_a_marker(world) {
        let cache = place(&world).await;
        assert!(cache.add("key", &1, 60).await.unwrap());
        assert_eq!(cache.get("key").await.unwrap(), Some(1));
        assert!(!still_open(&world).await);
    }
}

on_each_backend! {
    async fn replace_refuses_a_marker_and_leaves_it(world) {
        let cache = place(&world).await;
        assert!(!cache.replace("key", &1, 60).await.unwrap());
        assert!(still_open(&world).await);
    }
}

on_each_backend! {
    async fn delete_answers_false_for_a_marker_and_voids_it(world) {
        let cache = place(&world).await;
        assert!(!cache.delete("key").await.unwrap());
        assert!(world.backend.get("test:key").await.unwrap().is_none());
    }
}

on_each_backend! {
    async fn pull_misses_a_marker_and_voids_it(world) {
        let cache = place(&world).await;
        assert_eq!(cache.pull::<i32>("key").await.unwrap(), None);
        assert!(world.backend.get("test:key").await.unwrap().is_none());
    }
}

on_each_backend! {
    async fn expire_answers_false_for_a_marker_and_voids_it(world) {
        let cache = place(&world).await;
        assert!(!cache.expire("key", "1d").await.unwrap());
        assert!(world.backend.get("test:key").await.unwrap().is_none());
    }
}

on_each_backend! {
    async fn persist_answers_false_for_a_marker_and_never_makes_it_immortal(world) {
        let cache = place(&world).await;
        assert!(!cache.persist("key").await.unwrap());
        assert!(!cache.expire("other", larder::Ttl::FOREVER).await.unwrap());
        let head = world.backend.head("test:key", 4).await.unwrap().unwrap();
        assert!(matches!(head.ttl(), KeyTtl::Expires(_)));
    }
}

on_each_backend! {
    async fn every_removal_and_every_plain_write_voids_a_marker(world) {
        let cache = place(&world).await;
        cache.set("key", &1, 60).await.unwrap();
        assert!(!still_open(&world).await);
        place(&world).await;
        cache.delete_many(["key"]).await.unwrap();
        assert!(!still_open(&world).await);
        place(&world).await;
        assert_eq!(cache.delete_pattern("k*").await.unwrap(), 1, "a marker is a key that is removed");
        assert!(!still_open(&world).await);
        place(&world).await;
        assert_eq!(cache.clear().await.unwrap(), 1);
        assert!(!still_open(&world).await);
        place(&world).await;
        cache.set_many([("key", 1)], 60).await.unwrap();
        assert!(!still_open(&world).await);
    }
}

on_each_backend! {
    async fn the_trait_can_carry_a_fenced_fill(world) {
        let cache = place(&world).await;
        let on_the_fence = Condition::IfStartsWith(marker(1)[..12].to_vec().into());
        let fill = SetOptions::new(Expiry::After(Duration::from_secs(60))).with_condition(on_the_fence.clone());
        assert!(world.backend.set("test:key", "late".into(), fill.clone()).await.unwrap().is_done());

        place(&world).await;
        cache.delete("key").await.unwrap();
        assert!(!world.backend.set("test:key", "late".into(), fill.clone()).await.unwrap().is_done());
        cache.set("key", &2, 60).await.unwrap();
        assert!(!world.backend.set("test:key", "late".into(), fill).await.unwrap().is_done());
        assert!(!world.backend.delete("test:key", on_the_fence).await.unwrap().is_done());
        assert_eq!(cache.get("key").await.unwrap(), Some(2));
    }
}
