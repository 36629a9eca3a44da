//! Lives, to the millisecond.

use std::time::Duration;

use larder::{KeyTtl, Ttl};

use crate::backends::on_each_backend;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

on_each_backend! {
    async fn a_value_dies_at_the_very_millisecond(world) {
        let cache = world.cache();
        for (ttl, life) in [("1ms", 1), ("250ms", 250), ("1500ms", 1500), ("2h30m", 9_000_000)] {
            cache.set("key", &1, ttl).await.unwrap();
            assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Expires(millis(life)), "{ttl}");
            world.pass(millis(life - 1));
            assert_eq!(cache.get("key").await.unwrap(), Some(1), "{ttl}");
            world.pass(millis(1));
            assert_eq!(cache.get::<i32>("key").await.unwrap(), None, "{ttl}");
            assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Missing, "{ttl}");
        }
    }
}

on_each_backend! {
    async fn every_form_of_a_ttl_means_what_it_says(world) {
        let cache = world.builder().default_ttl("7s").build().unwrap();
        cache.set("key", &1, 60).await.unwrap();
        assert_eq!(cache.pttl("key").await.unwrap(), KeyTtl::Expires(millis(60_000)));
        cache.set("key", &1, 60_u64).await.unwrap();
        assert_eq!(cache.pttl("key").await.unwrap(), KeyTtl::Expires(millis(60_000)));
        cache.set("key", &1, String::from("3s")).await.unwrap();
        assert_eq!(cache.pttl("key").await.unwrap(), KeyTtl::Expires(millis(3_000)));
        cache.set("key", &1, Duration::from_micros(1)).await.unwrap();
        assert_eq!(cache.pttl("key").await.unwrap(), KeyTtl::Expires(millis(1)));
        cache.set("key", &1, Ttl::FOREVER).await.unwrap();
        assert_eq!(cache.pttl("key").await.unwrap(), KeyTtl::Persistent);
        cache.set("key", &1, None::<Duration>).await.unwrap();
        assert_eq!(cache.pttl("key").await.unwrap(), KeyTtl::Expires(millis(7_000)));
        cache.set("key", &1, Ttl::DEFAULT).await.unwrap();
        assert_eq!(cache.pttl("key").await.unwrap(), KeyTtl::Expires(millis(7_000)));
    }
}

on_each_backend! {
    async fn a_write_replaces_the_life_that_was_there(world) {
        let cache = world.cache();
        cache.set("key", &1, Ttl::FOREVER).await.unwrap();
        cache.set("key", &2, 5).await.unwrap();
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Expires(millis(5_000)));
        cache.set("key", &3, Ttl::FOREVER).await.unwrap();
        world.pass(Duration::from_secs(3600));
        assert_eq!(cache.get("key").await.unwrap(), Some(3));
    }
}

on_each_backend! {
    async fn expire_persist_and_touch_change_the_life_of_a_value_alone(world) {
        let cache = world.builder().default_ttl("1h").build().unwrap();
        assert!(!cache.expire("key", 60).await.unwrap());
        assert!(!cache.persist("key").await.unwrap());
        assert!(!cache.touch("key").await.unwrap());

        cache.set("key", &1, 60).await.unwrap();
        assert!(cache.expire("key", "250ms").await.unwrap());
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Expires(millis(250)));
        assert!(cache.persist("key").await.unwrap());
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Persistent);
        assert!(cache.persist("key").await.unwrap());
        assert!(cache.touch("key").await.unwrap());
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Expires(millis(3_600_000)));
        assert!(cache.expire("key", Ttl::FOREVER).await.unwrap());
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Persistent);
        assert_eq!(cache.get("key").await.unwrap(), Some(1));
    }
}

on_each_backend! {
    async fn jitter_spreads_every_write_and_leaves_expire_and_touch_alone(world) {
        let cache = world.builder().ttl_jitter(0.5).default_ttl(100).build().unwrap();
        let bounds = millis(50_000)..=millis(150_000);
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..50 {
            cache.set("set", &round, 100).await.unwrap();
            cache.delete("add").await.unwrap();
            cache.add("add", &round, 100).await.unwrap();
            cache.replace("set", &round, 100).await.unwrap();
            cache.set_many([("many:1", round), ("many:2", round)], 100).await.unwrap();
            cache.set("none", &None::<i32>, 100).await.unwrap();
            for key in ["set", "add", "many:1", "many:2", "none"] {
                let life = cache.ttl(key).await.unwrap().remaining().unwrap();
                assert!(bounds.contains(&life), "{key}: {life:?}");
                seen.insert(life);
            }
            cache.expire("set", 100).await.unwrap();
            assert_eq!(cache.ttl("set").await.unwrap(), KeyTtl::Expires(millis(100_000)));
            cache.touch("add").await.unwrap();
            assert_eq!(cache.ttl("add").await.unwrap(), KeyTtl::Expires(millis(100_000)));
        }
        // 250 draws out of 100 000 milliseconds: a repeat or two at the most.
        assert!(seen.len() > 200, "{}", seen.len());
    }
}
