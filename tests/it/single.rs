//! The calls on one key.

use larder::{Cache, KeyTtl, Lookup, Postcard, Snappy, Ttl};
use serde::{Deserialize, Serialize};

use crate::backends::{World, on_each_backend};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

fn alice() -> User {
    User {
        id: 1,
        name: "Alice".into(),
    }
}

on_each_backend! {
    async fn a_value_is_stored_read_and_deleted(world) {
        let cache = world.cache();
        assert_eq!(cache.get::<User>("user:1").await.unwrap(), None);
        cache.set("user:1", &alice(), "2h30m").await.unwrap();
        assert_eq!(cache.get("user:1").await.unwrap(), Some(alice()));
        assert_eq!(cache.lookup("user:1").await.unwrap(), Lookup::Hit(alice()));
        assert!(cache.exists("user:1").await.unwrap());
        assert!(cache.delete("user:1").await.unwrap());
        assert!(!cache.delete("user:1").await.unwrap());
        assert!(!cache.exists("user:1").await.unwrap());
    }
}

on_each_backend! {
    async fn unsized_values_are_stored_by_reference(world) {
        let cache = world.cache();
        cache.set("text", "hello", 60).await.unwrap();
        cache.set("slice", [1, 2, 3].as_slice(), 60).await.unwrap();
        assert_eq!(cache.get::<String>("text").await.unwrap().as_deref(), Some("hello"));
        assert_eq!(cache.get::<Vec<i32>>("slice").await.unwrap(), Some(vec![1, 2, 3]));
    }
}

on_each_backend! {
    async fn add_stores_only_what_is_not_there(world) {
        let cache = world.cache();
        assert!(cache.add("key", &1, 60).await.unwrap());
        assert!(!cache.add("key", &2, 60).await.unwrap());
        assert_eq!(cache.get("key").await.unwrap(), Some(1));
    }
}

on_each_backend! {
    async fn replace_stores_only_over_what_is_there(world) {
        let cache = world.cache();
        assert!(!cache.replace("key", &1, 60).await.unwrap());
        assert!(!cache.exists("key").await.unwrap());
        cache.set("key", &1, 60).await.unwrap();
        assert!(cache.replace("key", &2, 60).await.unwrap());
        assert_eq!(cache.get("key").await.unwrap(), Some(2));
    }
}

on_each_backend! {
    async fn pull_answers_the_value_once(world) {
        let cache = world.cache();
        cache.set("key", &alice(), 60).await.unwrap();
        assert_eq!(cache.pull("key").await.unwrap(), Some(alice()));
        assert_eq!(cache.pull::<User>("key").await.unwrap(), None);
        cache.set("none", &None::<User>, 60).await.unwrap();
        assert_eq!(cache.pull::<Option<User>>("none").await.unwrap(), Some(None));
    }
}

on_each_backend! {
    async fn add_replace_and_delete_do_not_take_foreign_bytes_for_a_value(world) {
        use larder::{Expiry, SetOptions};
        let cache = world.cache();
        let foreign = || world.backend.set("test:key", "foreign".into(), SetOptions::new(Expiry::Never));
        foreign().await.unwrap();
        assert!(!cache.add("key", &1, 60).await.unwrap());
        assert!(!cache.replace("key", &1, 60).await.unwrap());
        assert!(!cache.expire("key", 60).await.unwrap());
        assert!(!cache.persist("key").await.unwrap());
        assert_eq!(cache.pull::<i32>("key").await.unwrap(), None);
        assert_eq!(world.backend.get("test:key").await.unwrap().unwrap().bytes().as_ref(), b"foreign");
        assert!(!cache.delete("key").await.unwrap());
        assert!(world.backend.get("test:key").await.unwrap().is_none());
    }
}

on_each_backend! {
    async fn a_bound_key_has_the_calls_of_the_cache(world) {
        let cache = world.builder().default_ttl("1h").build().unwrap();
        let alices = cache.bind::<User>("user:1");
        assert_eq!(alices.key(), "user:1");
        alices.set(&alice(), Ttl::DEFAULT).await.unwrap();
        assert_eq!(alices.get().await.unwrap(), Some(alice()));
        assert_eq!(alices.lookup().await.unwrap(), Lookup::Hit(alice()));
        assert!(alices.exists().await.unwrap());
        assert!(!alices.add(&alice(), 60).await.unwrap());
        assert!(alices.replace(&alice(), 60).await.unwrap());
        assert!(alices.touch().await.unwrap());
        assert_eq!(alices.ttl().await.unwrap(), KeyTtl::Expires(std::time::Duration::from_secs(3600)));
        assert!(alices.persist().await.unwrap());
        assert_eq!(alices.pttl().await.unwrap(), KeyTtl::Persistent);
        assert!(alices.expire(60).await.unwrap());
        assert_eq!(alices.pull().await.unwrap(), Some(alice()));
        assert!(!alices.delete().await.unwrap());
    }
}

on_each_backend! {
    async fn a_bound_key_can_carry_a_schema_version_of_its_own(world) {
        let cache = world.builder().schema_version(1).build().unwrap();
        let newer = cache.bind::<User>("user:1").schema_version(2);
        newer.set(&alice(), 60).await.unwrap();
        assert_eq!(newer.get().await.unwrap(), Some(alice()));
        assert!(newer.exists().await.unwrap());
        assert_eq!(cache.get::<User>("user:1").await.unwrap(), None);
        assert!(!cache.exists("user:1").await.unwrap());
        assert_eq!(cache.stats().undecodable, 2);
    }
}

#[test]
fn caches_bound_keys_and_their_futures_can_be_sent_to_other_threads() {
    fn sendable<T: Send + Sync>(value: T) -> T {
        value
    }
    fn send<T: Send>(value: T) -> T {
        value
    }
    let World { backend, .. } = crate::backends::memory();
    let cache: Cache<_, Postcard, Snappy> = sendable(Cache::new(backend));
    let bound = sendable(cache.bind::<User>("key"));
    let user = alice();
    drop(send(cache.set("key", &user, 60)));
    drop(send(cache.get::<User>("key")));
    drop(send(cache.get_many::<User>(["key"])));
    drop(send(cache.set_many([("key", 1)], "1h")));
    drop(send(cache.delete_many(vec![String::new()])));
    drop(send(cache.delete_pattern("*")));
    drop(send(cache.pull::<User>("key")));
    drop(send(cache.keys("*")));
    drop(send(bound.get()));
    assert_eq!(size_of_val(&cache), size_of::<usize>());
}

#[test]
fn debug_shows_settings_and_no_value() {
    let cache = crate::backends::memory().cache();
    crate::backends::block_on(cache.set("secret-key", "secret-value", 60)).unwrap();
    let shown = format!("{cache:?} {:?}", cache.bind::<String>("secret-key"));
    assert!(shown.contains("Cache") && shown.contains("\"test\""), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn a_delete_does_not_take_a_value_that_came_in_between() {
    use larder::{CacheBackend, Expiry, SetOptions};
    use larder_memory::Operation;

    use crate::backends::{block_on, memory};

    let world = memory();
    let cache = world.cache();
    block_on(
        world
            .backend
            .set("test:key", "foreign".into(), SetOptions::new(Expiry::Never)),
    )
    .unwrap();
    let mut delete = std::pin::pin!(cache.delete("key"));
    let mut poll = || {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        delete.as_mut().poll(&mut cx)
    };
    // The first look is over; the step that removes what it saw waits at the gate.
    let head = world.backend.faults().hold_of(Operation::Head);
    assert!(poll().is_pending());
    let removal = world.backend.faults().hold_of(Operation::Delete);
    head.release();
    assert!(poll().is_pending());
    block_on(cache.set("key", "fresh", 60)).unwrap();
    removal.release();
    let std::task::Poll::Ready(answer) = poll() else {
        panic!("nothing holds the call any more");
    };
    // It removed the fresh value, as a delete that comes after the write does, and says so.
    assert!(answer.unwrap());
    assert_eq!(block_on(cache.get::<String>("key")).unwrap(), None);
}
