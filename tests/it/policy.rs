//! What the calls of a cache answer when its backend is away.

use std::{collections::HashMap, sync::Arc};

use futures::TryStreamExt;
use larder::{Cache, Error, ErrorKind, FallbackPolicy, Fallen, KeyTtl, Lookup};
use larder_memory::{MemoryBackend, Operation};
use parking_lot::Mutex;

use crate::backends::{World, block_on, memory};

const AWAY: [ErrorKind; 3] = [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Overloaded];

/// A cache over a world that fails every call with `kind`.
fn failing(kind: ErrorKind, policy: FallbackPolicy) -> (World<MemoryBackend>, Cache<MemoryBackend>) {
    let world = memory();
    let cache = world.builder().prefix("test").default_ttl("1h").fallback(policy);
    let cache = cache.build().unwrap();
    block_on(cache.set("k", &1_u8, 60)).unwrap();
    world.backend.faults().fail_all(kind);
    (world, cache)
}

/// The error of every call that there is, by its name.
async fn errors(cache: &Cache<MemoryBackend>) -> Vec<(&'static str, Error)> {
    let mut errors = Vec::new();
    macro_rules! each {
        ($($name:literal: $call:expr),* $(,)?) => {$(
            if let Err(error) = $call.await {
                errors.push(($name, error));
            }
        )*};
    }
    each! {
        "get": cache.get::<u8>("k"),
        "lookup": cache.lookup::<u8>("k"),
        "get_many": cache.get_many::<u8>(["k", "l"]),
        "pull": cache.pull::<u8>("k"),
        "exists": cache.exists("k"),
        "ttl": cache.ttl("k"),
        "set": cache.set("k", &2_u8, 60),
        "set_many": cache.set_many([("k", 2_u8)], 60),
        "add": cache.add("k", &2_u8, 60),
        "replace": cache.replace("k", &2_u8, 60),
        "delete": cache.delete("k"),
        "delete_many": cache.delete_many(["k"]),
        "delete_pattern": cache.delete_pattern("*"),
        "clear": cache.clear(),
        "clear_database": cache.clear_database(),
        "expire": cache.expire("k", 60),
        "persist": cache.persist("k"),
        "touch": cache.touch("k"),
        "keys": cache.keys("*").try_collect::<Vec<String>>(),
    }
    errors
}

const CALLS: usize = 19;

#[test]
fn outage_raise_is_the_default_and_raises_from_every_call() {
    for kind in AWAY {
        let (_world, cache) = failing(kind, FallbackPolicy::default());
        let errors = block_on(errors(&cache));
        assert_eq!(errors.len(), CALLS);
        for (name, error) in errors {
            assert_eq!(error.kind(), kind, "{name}");
        }
    }
}

#[test]
fn outage_return_none_answers_what_an_empty_cache_would() {
    for kind in AWAY {
        let (world, cache) = failing(kind, FallbackPolicy::ReturnNone);
        block_on(async {
            assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
            assert_eq!(cache.bind::<u8>("k").get().await.unwrap(), None);
            assert_eq!(cache.lookup::<u8>("k").await.unwrap(), Lookup::Miss);
            assert_eq!(cache.pull::<u8>("k").await.unwrap(), None);
            assert_eq!(cache.get_many::<u8>(["k"]).await.unwrap(), HashMap::new());
            let results = cache.get_many_results::<u8>(["k"]).await;
            assert_eq!(results[0].1.as_ref().unwrap(), &Lookup::Miss);
            assert!(!cache.exists("k").await.unwrap());
            assert_eq!(cache.ttl("k").await.unwrap(), KeyTtl::Missing);
            cache.set("k", &2_u8, 60).await.unwrap();
            cache.set_many([("k", 2_u8)], 60).await.unwrap();
            assert!(!cache.add("new", &2_u8, 60).await.unwrap());
            assert!(!cache.replace("k", &2_u8, 60).await.unwrap());
            assert!(!cache.delete("k").await.unwrap());
            assert_eq!(cache.delete_many(["k"]).await.unwrap(), 0);
            assert_eq!(cache.delete_pattern("*").await.unwrap(), 0);
            assert_eq!(cache.clear().await.unwrap(), 0);
            assert!(!cache.expire("k", 60).await.unwrap());
            assert!(!cache.persist("k").await.unwrap());
            assert!(!cache.touch("k").await.unwrap());
            assert_eq!(cache.keys("*").try_collect::<Vec<String>>().await.unwrap(), [""; 0]);

            world.backend.faults().recover();
            assert_eq!(cache.get::<u8>("k").await.unwrap(), Some(1), "nothing was stored");
        });
    }
}

#[test]
fn outage_errors_that_are_not_of_an_outage_are_raised_whatever_the_policy() {
    let policies = [
        FallbackPolicy::ReturnNone,
        FallbackPolicy::callback(|_, _, _| Fallen::value(1_u8)),
    ];
    for policy in policies {
        let (_world, cache) = failing(ErrorKind::Server, policy);
        block_on(async {
            assert_eq!(errors(&cache).await.len(), CALLS);
            assert_eq!(
                cache.set("k", &1_u8, -1).await.unwrap_err().kind(),
                ErrorKind::InvalidInput
            );
            assert_eq!(
                cache.get::<u8>(&"k".repeat(70_000)).await.unwrap_err().kind(),
                ErrorKind::InvalidInput
            );
        });
    }
}

#[test]
fn outage_a_callback_hears_the_call_the_key_and_the_error() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let policy = FallbackPolicy::callback(move |operation, key, error| {
        log.lock().push((operation, key.to_owned(), error.kind()));
        Fallen::nothing()
    });
    let (_world, cache) = failing(ErrorKind::Timeout, policy);
    block_on(async {
        assert!(errors(&cache).await.is_empty());
        cache.scope("users").set("1", &1_u8, 60).await.unwrap();
    });
    let heard = heard.lock();
    for call in [
        ("get", "k"),
        ("get_many", "l"),
        ("set", "k"),
        ("set", "1"),
        ("delete_pattern", "*"),
        ("keys", "*"),
    ] {
        let wanted = (call.0, call.1.to_owned(), ErrorKind::Timeout);
        assert!(heard.contains(&wanted), "{wanted:?} in {heard:?}");
    }
    assert_eq!(heard.len(), CALLS + 2, "each key of a batch once, and every other call");
}

#[test]
fn outage_a_value_of_a_callback_is_encoded_by_the_serializer_that_the_cache_has() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct User {
        name: String,
    }
    #[derive(serde::Serialize)]
    struct Guest {
        name: &'static str,
    }
    async fn check<S: larder::Serializer>(serializer: S) {
        let backend = MemoryBackend::new();
        backend.faults().fail_all(ErrorKind::Connection);
        let policy = FallbackPolicy::callback(|_, key, error| match key {
            "guest" => Fallen::value(Guest { name: "guest" }),
            "some" => Fallen::value(Some(Guest { name: "some" })),
            "absent" => Fallen::value(None::<Guest>),
            "wrong" => Fallen::value(true),
            _ => Fallen::error(Error::new(error.kind(), "of the callback's own")),
        });
        let cache = Cache::builder(backend)
            .serializer(serializer)
            .fallback(policy)
            .build()
            .unwrap();
        let user = |name: &str| User { name: name.into() };
        assert_eq!(cache.get("guest").await.unwrap(), Some(user("guest")));
        assert_eq!(cache.get("some").await.unwrap(), Some(user("some")));
        assert_eq!(cache.lookup::<User>("absent").await.unwrap(), Lookup::Absent);
        assert_eq!(cache.get::<Option<User>>("absent").await.unwrap(), Some(None));
        assert_eq!(cache.pull("guest").await.unwrap(), Some(user("guest")));
        let many: HashMap<String, User> = cache.get_many(["guest", "some", "absent"]).await.unwrap();
        assert_eq!(many.len(), 2);
        assert_eq!(cache.get::<User>("wrong").await.unwrap_err().kind(), ErrorKind::Codec);
        let error = cache.get::<User>("else").await.unwrap_err();
        assert_eq!(error.to_string(), "get: of the callback's own");
        assert!(
            !cache.exists("guest").await.unwrap(),
            "a value is nothing to a call that answers none"
        );
        cache.set("guest", &1_u8, 60).await.unwrap();
    }
    block_on(check(larder::Json));
    block_on(check(larder::MessagePack));
}

#[test]
fn outage_a_view_with_another_policy_leaves_the_cache_as_it_was() {
    let (_world, cache) = failing(ErrorKind::Connection, FallbackPolicy::Raise);
    block_on(async {
        let quiet = cache.with_fallback(FallbackPolicy::ReturnNone);
        assert_eq!(quiet.get::<u8>("k").await.unwrap(), None);
        assert_eq!(quiet.scope("users").get::<u8>("k").await.unwrap(), None);
        assert!(cache.get::<u8>("k").await.is_err());
        assert_eq!(quiet.prefix(), cache.prefix());
    });
}

#[test]
fn outage_the_policy_is_not_asked_by_remember() {
    let (_world, cache) = failing(
        ErrorKind::Connection,
        FallbackPolicy::callback(|_, _, _| Fallen::value(9_u8)),
    );
    let value = block_on(cache.remember("k", 60, async || Ok::<_, &str>(5_u8)));
    assert_eq!(value.unwrap(), 5);
}

#[test]
fn outage_a_part_of_a_batch_that_failed_is_what_the_policy_says() {
    let world = memory();
    let cache = world.cache().with_fallback(FallbackPolicy::ReturnNone);
    world
        .backend
        .faults()
        .fail_next_of(Operation::SetMany, 1, ErrorKind::Timeout);
    let results = block_on(cache.set_many_results([("a", 1_u8), ("b", 2)], 60)).unwrap();
    assert!(results.into_iter().all(|(_, result)| result.is_ok()));
    world
        .backend
        .faults()
        .fail_next_of(Operation::DeleteMany, 1, ErrorKind::Timeout);
    let results = block_on(cache.delete_many_results(["a", "b"]));
    assert!(results.into_iter().all(|(_, result)| !result.unwrap()));
}

#[test]
fn outage_an_invalidation_that_returns_none_still_voids_the_loads_of_this_process() {
    use crate::remember::support::{Database, Gate, Tasks, remember};

    let world = memory();
    let cache = world.cache().with_fallback(FallbackPolicy::ReturnNone);
    let (database, gate, open) = (Database::default(), Gate::default(), Gate::opened());
    world.backend.faults().fail_all(ErrorKind::Connection);
    let mut tasks = Tasks::new();
    let before = tasks.add(remember(&cache, "key", &database, &gate));
    assert!(tasks.poll(before).is_none());
    let written = database.write();
    assert!(!block_on(cache.delete("key")).unwrap());
    let after = tasks.add(remember(&cache, "key", &database, &open));
    assert_eq!(tasks.poll(after).unwrap().unwrap(), written);
    gate.open();
    assert_eq!(tasks.poll(before).unwrap().unwrap(), 0);
}
