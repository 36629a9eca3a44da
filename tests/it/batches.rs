//! Many keys in one trip.

use std::collections::HashMap;

use larder::{Error, ErrorKind, Lookup};
use larder_memory::Operation;

use crate::backends::{block_on, memory, on_each_backend};

fn expected<const N: usize>(pairs: [(&str, i32); N]) -> HashMap<String, i32> {
    pairs.map(|(key, value)| (key.to_owned(), value)).into()
}

on_each_backend! {
    async fn batches_write_read_and_remove(world) {
        let cache = world.cache();
        cache.set_many([("a", 1), ("b", 2), ("c", 3)], 3600).await.unwrap();
        let found: HashMap<String, i32> = cache.get_many(["a", "b", "x"]).await.unwrap();
        assert_eq!(found, expected([("a", 1), ("b", 2)]));
        assert_eq!(cache.delete_many(["a", "b", "x"]).await.unwrap(), 2);
        let found: HashMap<String, i32> = cache.get_many(["a", "b", "c"]).await.unwrap();
        assert_eq!(found, expected([("c", 3)]));
    }
}

on_each_backend! {
    async fn empty_batches_do_nothing(world) {
        let cache = world.cache();
        let none: [&str; 0] = [];
        assert!(cache.get_many::<i32>(none).await.unwrap().is_empty());
        assert!(cache.get_many_results::<i32>(none).await.is_empty());
        cache.set_many(Vec::<(String, i32)>::new(), 60).await.unwrap();
        assert_eq!(cache.delete_many(none).await.unwrap(), 0);
    }
}

on_each_backend! {
    async fn a_key_given_twice_is_answered_twice_and_written_last(world) {
        let cache = world.cache();
        cache.set_many([("a", 1), ("a", 2)], 60).await.unwrap();
        let results = cache.get_many_results::<i32>(["a", "b", "a"]).await;
        let answers: Vec<_> = results.into_iter().map(|(key, result)| (key, result.unwrap())).collect();
        let answer = |key: &str, lookup| (key.to_owned(), lookup);
        assert_eq!(answers, [answer("a", Lookup::Hit(2)), answer("b", Lookup::Miss), answer("a", Lookup::Hit(2))]);
        let removed = cache.delete_many_results(["a", "a"]).await;
        let removed: Vec<bool> = removed.into_iter().map(|(_, result)| result.unwrap()).collect();
        assert_eq!(removed, [true, false]);
    }
}

on_each_backend! {
    async fn ten_thousand_keys_go_in_one_batch(world) {
        let cache = world.cache();
        let keys: Vec<String> = (0..10_000).map(|i| format!("key:{i}")).collect();
        cache.set_many(keys.iter().zip(0..), 60).await.unwrap();
        let found: HashMap<String, i32> = cache.get_many(&keys).await.unwrap();
        assert_eq!(found.len(), 10_000);
        assert_eq!(found["key:9999"], 9999);
        assert_eq!(cache.delete_many(&keys).await.unwrap(), 10_000);
    }
}

on_each_backend! {
    async fn an_item_that_can_not_be_stored_fails_alone(world) {
        let cache = world.builder().max_value_bytes(10).build().unwrap();
        let long = "x".repeat(100);
        let results = cache.set_many_results([("a", "1"), ("b", &long), ("c", "3")], 60).await.unwrap();
        let failed: Vec<_> = results.iter().filter(|(_, result)| result.is_err()).map(|(key, _)| key.as_str()).collect();
        assert_eq!(failed, ["b"]);
        let found: HashMap<String, String> = cache.get_many(["a", "b", "c"]).await.unwrap();
        assert_eq!(found.len(), 2);
    }
}

#[test]
fn each_batch_is_one_call_of_the_backend() {
    let world = memory();
    let cache = world.cache();
    block_on(async {
        cache.set_many((0..100).map(|i| (i.to_string(), i)), 60).await.unwrap();
        cache.get_many::<i32>((0..100).map(|i| i.to_string())).await.unwrap();
        cache.delete_many((0..100).map(|i| i.to_string())).await.unwrap();
    });
    let calls = world.backend.calls();
    for operation in [Operation::SetMany, Operation::GetMany, Operation::DeleteMany] {
        assert_eq!(
            (calls.of(operation), calls.keys_in(operation)),
            (1, 100),
            "{operation:?}"
        );
    }
    assert_eq!(calls.total(), 3);
}

#[test]
fn a_single_call_is_one_call_of_the_backend() {
    let world = memory();
    let cache = world.cache();
    block_on(async {
        cache.set("key", &1, 60).await.unwrap();
        cache.get::<i32>("key").await.unwrap();
        cache.exists("key").await.unwrap();
        cache.ttl("key").await.unwrap();
        cache.delete("key").await.unwrap();
        cache.add("key", &1, 60).await.unwrap();
        cache.get::<i32>("missing").await.unwrap();
        cache.delete("missing").await.unwrap();
    });
    assert_eq!(world.backend.calls().total(), 8);
}

#[test]
fn a_change_of_what_stands_there_is_a_look_and_a_step() {
    let world = memory();
    let cache = world.cache();
    block_on(cache.set("key", &1, 60)).unwrap();
    world.backend.reset_calls();
    block_on(cache.expire("key", 60)).unwrap();
    block_on(cache.persist("key")).unwrap();
    block_on(cache.replace("key", &2, 60)).unwrap();
    block_on(cache.expire("missing", 60)).unwrap();
    block_on(cache.replace("missing", &2, 60)).unwrap();
    assert_eq!(world.backend.calls().total(), 9);
}

on_each_backend! {
    async fn each_answer_of_a_batch_is_that_of_its_key(world) {
        let cache = world.cache();
        // The second and the last may not be asked for.
        let long = "k".repeat(64 * 1024 + 1);
        cache.set_many([("a", 1), ("b", 2), ("c", 3)], 60).await.unwrap();
        let answers = cache.get_many_results::<i32>(["c", &long, "none", "a", "b", &long]).await;
        let keys: Vec<&str> = answers.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["c", &long, "none", "a", "b", &long]);
        let answers: Vec<_> = answers.into_iter().map(|(_, answer)| answer.ok()).collect();
        let [one, two, three] = [1, 2, 3].map(|value| Some(Lookup::Hit(value)));
        assert_eq!(answers, [three, None, Some(Lookup::Miss), one, two, None]);
        assert_eq!(cache.stats().undecodable, 0);
    }
}

#[test]
fn a_batch_of_which_nothing_answers_is_an_error() {
    let world = memory();
    let cache = world.cache();
    block_on(cache.set("a", &1, 60)).unwrap();
    world.backend.faults().fail_all(ErrorKind::Connection);
    let is_connection = |error: Error| assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    is_connection(block_on(cache.get_many::<i32>(["a", "b"])).unwrap_err());
    // What the caller can mend is said first: it is so when the backend is back, too.
    let long = "k".repeat(64 * 1024 + 1);
    let refused = block_on(cache.get_many::<i32>(["a", &long])).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    is_connection(block_on(cache.set_many([("a", 1)], 60)).unwrap_err());
    is_connection(block_on(cache.delete_many(["a"])).unwrap_err());
    is_connection(block_on(cache.delete_pattern("*")).unwrap_err());
    world.backend.faults().recover();
    assert_eq!(block_on(cache.get("a")).unwrap(), Some(1));
}
