//! Prefixes, scopes and patterns.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use larder::{Cache, CacheBackend};

use crate::backends::on_each_backend;

async fn listed<B: CacheBackend>(cache: &Cache<B>, pattern: &str) -> BTreeSet<String> {
    cache.keys(pattern).try_collect().await.unwrap()
}

fn set<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(String::from).into()
}

on_each_backend! {
    async fn keys_are_listed_without_the_prefix(world) {
        let cache = world.cache();
        cache.set_many([("user:1", 1), ("user:22", 2), ("post:1", 3)], 60).await.unwrap();
        assert_eq!(listed(&cache, "*").await, set(["user:1", "user:22", "post:1"]));
        assert_eq!(listed(&cache, "user:*").await, set(["user:1", "user:22"]));
        assert_eq!(listed(&cache, "user:?").await, set(["user:1"]));
        assert_eq!(listed(&cache, "[pu]*:1").await, set(["user:1", "post:1"]));
        assert_eq!(listed(&cache, "none*").await, set([]));
    }
}

on_each_backend! {
    async fn a_prefix_of_glob_characters_touches_nobody_elses_keys(world) {
        let neighbours = ["a*", "ab", "a", "cache[v2]", "cachev", "cache2", "q?", "qq", r"b\", "b"];
        for prefix in neighbours {
            let cache = world.builder().prefix(prefix).build().unwrap();
            cache.set("key", &1, 60).await.unwrap();
        }
        let mut left = neighbours.len();
        for prefix in ["a*", "cache[v2]", "q?", r"b\"] {
            let cache = world.builder().prefix(prefix).build().unwrap();
            assert_eq!(listed(&cache, "*").await, set(["key"]), "{prefix}");
            assert_eq!(cache.clear().await.unwrap(), 1, "{prefix}");
            left -= 1;
        }
        let everything = world.builder().build().unwrap();
        assert_eq!(listed(&everything, "*").await.len(), left);
    }
}

on_each_backend! {
    async fn clear_removes_its_own_prefix_and_nothing_that_begins_like_it(world) {
        let users = world.builder().prefix("users").build().unwrap();
        let others = world.builder().prefix("usersAbc").build().unwrap();
        users.set_many([("1", 1), ("2", 2)], 60).await.unwrap();
        others.set("1", &1, 60).await.unwrap();
        assert_eq!(users.clear().await.unwrap(), 2);
        assert_eq!(users.clear().await.unwrap(), 0);
        assert_eq!(others.get("1").await.unwrap(), Some(1));
    }
}

on_each_backend! {
    async fn scopes_nest_and_stay_inside_themselves(world) {
        let cache = world.cache();
        let users = cache.scope("users");
        let admins = users.scope("admins");
        admins.set("1", &1, 60).await.unwrap();
        users.set("1", &2, 60).await.unwrap();
        assert_eq!(admins.prefix(), Some("test:users:admins"));
        assert_eq!(cache.get("users:admins:1").await.unwrap(), Some(1));
        assert_eq!(listed(&users, "*").await, set(["1", "admins:1"]));
        assert_eq!(admins.clear().await.unwrap(), 1);
        assert_eq!(users.get("1").await.unwrap(), Some(2));
        let bare = world.builder().build().unwrap();
        assert_eq!(bare.scope("x").prefix(), Some("x"));
        assert_eq!(bare.scope("").prefix(), None);
    }
}

on_each_backend! {
    async fn delete_pattern_removes_what_matches_and_says_how_many(world) {
        let cache = world.cache();
        cache.set_many((0..2000).map(|i| (format!("user:{i}"), i)), 60).await.unwrap();
        cache.set("users", &1, 60).await.unwrap();
        assert_eq!(cache.delete_pattern("user:*").await.unwrap(), 2000);
        assert_eq!(cache.delete_pattern("user:*").await.unwrap(), 0);
        assert_eq!(listed(&cache, "*").await, set(["users"]));
    }
}

on_each_backend! {
    async fn odd_keys_are_keys_like_any_other(world) {
        let cache = world.cache();
        let odd = ["", " ", ":", "a\0b", "line\nbreak", "日本語", "*", "[x]", r"\", "🦀", "%s", "{slot}"];
        for key in odd {
            cache.set(key, key, 60).await.unwrap();
        }
        for key in odd {
            assert_eq!(cache.get::<String>(key).await.unwrap().as_deref(), Some(key));
        }
        assert_eq!(listed(&cache, "*").await, set(odd));
        assert_eq!(listed(&cache, &larder::glob::escape("*")).await, set(["*"]));
        assert_eq!(cache.clear().await.unwrap(), odd.len() as u64);
    }
}

#[test]
fn a_stream_of_keys_can_be_dropped_and_asks_for_nothing_more() {
    use futures::StreamExt;
    let world = crate::backends::memory();
    let cache = world.cache();
    crate::backends::block_on(async {
        cache.set_many((0..5000).map(|i| (i.to_string(), i)), 60).await.unwrap();
        let mut keys = cache.keys("*");
        keys.next().await.unwrap().unwrap();
        drop(keys);
        assert_eq!(cache.keys("*").count().await, 5000);
    });
}
