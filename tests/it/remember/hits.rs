//! What one call does.

use std::time::Duration;

use larder::{Error, ErrorKind, KeyTtl, LoadError, LoadOptions, Loaded, Source};
use larder_memory::Operation;

use super::support::{Database, Gate, remember};
use crate::backends::{block_on, memory, on_each_backend};

type Failure = LoadError<&'static str>;

on_each_backend! {
    async fn a_miss_loads_and_a_hit_does_not(world) {
        let (cache, database) = (world.cache(), Database::default());
        for _ in 0..3 {
            assert_eq!(remember(&cache, "key", &database, &Gate::opened()).await.unwrap(), 0);
        }
        assert_eq!(database.loads(), 1);
        assert_eq!(cache.stats().loads, 1);
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Expires(Duration::from_secs(3600)));
        world.pass(Duration::from_secs(3600));
        remember(&cache, "key", &database, &Gate::opened()).await.unwrap();
        assert_eq!(database.loads(), 2);
    }
}

on_each_backend! {
    async fn loaders_may_borrow_and_change_what_is_around_them(world) {
        let cache = world.cache();
        let mut asked = Vec::new();
        let name = String::from("Ada");
        let value: String = cache
            .remember("key", 60, async || {
                asked.push(&name);
                Ok::<_, Error>(name.clone())
            })
            .await
            .unwrap();
        assert_eq!((value, asked.len()), (name.clone(), 1));
    }
}

on_each_backend! {
    async fn a_none_is_remembered_for_the_negative_ttl(world) {
        let cache = world.cache();
        let options = LoadOptions::new().negative_ttl("10s");
        let none = || async { Ok::<_, Error>(Loaded::value(None::<u8>)) };
        let first = cache.remember_with("key", "1h", &options, none).await.unwrap();
        assert_eq!((first.value, first.source), (Some(None), Source::Loaded));
        let second = cache.remember_with("key", "1h", &options, none).await.unwrap();
        assert_eq!((second.value, second.source), (Some(None), Source::Hit));
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Expires(Duration::from_secs(10)));
        // A plain call that has to answer a value loads one.
        let value: u8 = cache.remember("key", "1h", async || Ok::<_, Error>(7)).await.unwrap();
        assert_eq!((value, cache.get("key").await.unwrap()), (7, Some(7_u8)));
    }
}

on_each_backend! {
    async fn a_loader_can_give_its_own_ttl_or_ask_not_to_be_stored(world) {
        let cache = world.cache();
        let options = LoadOptions::new();
        let load = || async { Ok::<_, Error>(Loaded::value(1).ttl("5m")) };
        cache.remember_with("timed", "1h", &options, load).await.unwrap();
        assert_eq!(cache.ttl("timed").await.unwrap(), KeyTtl::Expires(Duration::from_secs(300)));

        let load = || async { Ok::<_, Error>(Loaded::value(1).do_not_store()) };
        let answer = cache.remember_with("unstored", "1h", &options, load).await.unwrap();
        assert_eq!(answer.value, Some(1));
        assert!(world.backend.get("test:unstored").await.unwrap().is_none());

        let load = || async { Ok::<_, Error>(Loaded::value(1).ttl("wrong")) };
        let error = cache.remember_with("wrong", "1h", &options, load).await.unwrap_err();
        assert!(matches!(error, LoadError::Cache(error) if error.kind() == ErrorKind::InvalidInput));
        assert!(world.backend.get("test:wrong").await.unwrap().is_none());
    }
}

on_each_backend! {
    async fn force_refresh_loads_whatever_is_cached(world) {
        let (cache, database) = (world.cache(), Database::default());
        remember(&cache, "key", &database, &Gate::opened()).await.unwrap();
        let written = database.write();
        let options = LoadOptions::new().force_refresh();
        let load = async || database.read(Gate::opened()).await.map(Loaded::value);
        let answer = cache.remember_with("key", "1h", &options, load).await.unwrap();
        assert_eq!(answer.value, Some(written));
        assert_eq!(remember(&cache, "key", &database, &Gate::opened()).await.unwrap(), written);
    }
}

on_each_backend! {
    async fn undecodable_bytes_are_loaded_over(world) {
        let (cache, database) = (world.cache(), Database::default());
        for bytes in ["foreign bytes", ""] {
            let options = larder::SetOptions::new(larder::Expiry::Never);
            world.backend.set("test:key", bytes.into(), options).await.unwrap();
            assert_eq!(remember(&cache, "key", &database, &Gate::opened()).await.unwrap(), 0);
            assert_eq!(cache.get::<usize>("key").await.unwrap(), Some(0), "{bytes:?}");
        }
    }
}

#[test]
fn a_hit_is_one_call_of_the_backend_and_a_miss_is_three() {
    let world = memory();
    let (cache, database) = (world.cache(), Database::default());
    block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap();
    let calls = world.backend.calls();
    world.backend.reset_calls();
    assert_eq!(
        (calls.of(Operation::Get), calls.of(Operation::Set), calls.total()),
        (1, 2, 3)
    );
    block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap();
    assert_eq!(world.backend.calls().total(), 1);
}

#[test]
fn an_unfenced_miss_is_two_calls_of_the_backend() {
    let world = memory();
    let cache = world
        .builder()
        .load_options(LoadOptions::new().unfenced())
        .build()
        .unwrap();
    block_on(remember(&cache, "key", &Database::default(), &Gate::opened())).unwrap();
    assert_eq!(world.backend.calls().total(), 2);
}

#[test]
fn wrong_input_is_refused_before_anything_is_read_or_loaded() {
    let world = memory();
    let cache = world.cache();
    let load = || async { Err::<u8, _>("not asked") };
    let refusal = |result: Result<u8, Failure>| match result.unwrap_err() {
        LoadError::Cache(error) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refusal(block_on(cache.remember("key", "1hfoo", load))),
        r#"remember: ttl "1hfoo": expected a number before "foo""#
    );
    assert_eq!(
        refusal(block_on(cache.remember(&"k".repeat(70_000), 60, load))),
        "remember: the key has 70000 bytes; the limit is 65536"
    );
    let with = |options: LoadOptions| {
        let load = || async { Err::<Loaded<u8>, _>("not asked") };
        match block_on(cache.remember_with("key", 60, &options, load)).unwrap_err() {
            LoadError::Cache(error) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let new = LoadOptions::new;
    assert_eq!(
        with(new().refresh_ahead(1.0)),
        "remember: refresh_ahead 1: not between 0 and 1"
    );
    assert_eq!(with(new().early(0.0)), "remember: early 0: not above 0 and finite");
    assert_eq!(with(new().ttl_jitter(2.0)), "remember: ttl_jitter 2: not in [0, 1)");
    assert_eq!(
        with(new().wait(larder::Ttl::FOREVER)),
        "remember: wait forever: it has to be a span"
    );
    assert!(with(new().negative_ttl(-1)).starts_with("remember: ttl -1: negative"));
    assert_eq!(
        world
            .builder()
            .load_options(new().early(f64::NAN))
            .build()
            .unwrap_err()
            .to_string(),
        "early NaN: not above 0 and finite"
    );
    assert_eq!(world.backend.calls().total(), 0);
}

#[test]
fn a_load_that_asks_for_its_own_key_is_told_so() {
    let world = memory();
    let cache = world.cache();
    let answer: Result<u8, LoadError<Failure>> =
        block_on(cache.remember("key", 60, async || cache.remember("key", 60, async || Ok(1)).await));
    assert!(matches!(answer.unwrap_err().loader(), Some(LoadError::Reentrant)));
    let nested: Result<u8, LoadError<Failure>> =
        block_on(cache.remember("key", 60, async || cache.remember("other", 60, async || Ok(1)).await));
    assert_eq!(nested.unwrap(), 1);
}

#[test]
fn errors_of_every_kind_are_errors() {
    fn is_error<E: std::error::Error>(_: &E) {}
    is_error(&LoadError::<std::io::Error>::Panicked);
    is_error(&LoadError::<String>::Reentrant);
    is_error(&LoadError::<&'static str>::TimedOut);
    let failed: LoadError<Box<dyn std::error::Error + Send + Sync>> =
        LoadError::Loader(std::sync::Arc::new("why".into()));
    is_error(&LoadError::<String>::Panicked);
    assert_eq!(failed.to_string(), "the load failed: why");
    assert!(failed.into_loader().is_some());
}
