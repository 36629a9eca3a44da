//! Wrong input is refused in one line that says what and why, and leaves what is stored as it was.

use std::time::Duration;

use larder::{Cache, ErrorKind, KeyTtl, Result, Ttl};
use larder_memory::MemoryBackend;

use crate::backends::{block_on, on_each_backend};

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let line = error.to_string();
    assert!(!line.contains('\n'));
    line
}

on_each_backend! {
    async fn a_wrong_ttl_is_refused_by_every_call_and_nothing_changes(world) {
        let cache = world.cache();
        cache.set("key", &1, 60).await.unwrap();
        let wrong = r#"ttl "1hfoo": expected a number before "foo""#;
        assert_eq!(refusal(cache.set("key", &2, "1hfoo").await), format!("set: {wrong}"));
        assert_eq!(refusal(cache.add("new", &2, "1hfoo").await), format!("add: {wrong}"));
        assert_eq!(refusal(cache.replace("key", &2, "1hfoo").await), format!("replace: {wrong}"));
        assert_eq!(refusal(cache.expire("key", "1hfoo").await), format!("expire: {wrong}"));
        assert_eq!(refusal(cache.set_many([("key", 2)], "1hfoo").await), format!("set_many: {wrong}"));
        assert_eq!(
            refusal(cache.set_many_results([("key", 2)], "1hfoo").await),
            format!("set_many_results: {wrong}")
        );
        for seconds in [0, -1, i32::MIN] {
            refusal(cache.set("key", &2, seconds).await);
            refusal(cache.expire("key", seconds).await);
        }
        refusal(cache.expire("key", Duration::ZERO).await);
        refusal(cache.set("key", &2, u64::MAX).await);
        assert_eq!(
            refusal(cache.set("key", &2, Ttl::DEFAULT).await),
            "set: ttl default: the cache has no default_ttl; give a ttl, or Ttl::FOREVER"
        );
        refusal(cache.touch("key").await);

        assert_eq!(cache.get("key").await.unwrap(), Some(1));
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Expires(Duration::from_secs(60)));
        assert!(!cache.exists("new").await.unwrap());
    }
}

on_each_backend! {
    async fn an_over_long_key_is_refused_by_every_call(world) {
        let cache = world.builder().default_ttl(60).prefix("p").build().unwrap();
        let longest = "k".repeat(65_536);
        cache.set(&longest, &1, 60).await.unwrap();
        assert_eq!(cache.get(&longest).await.unwrap(), Some(1));

        let long = "k".repeat(65_537);
        let why = "the key has 65537 bytes; the limit is 65536";
        assert_eq!(refusal(cache.get::<i32>(&long).await), format!("get: {why}"));
        assert_eq!(refusal(cache.lookup::<i32>(&long).await), format!("lookup: {why}"));
        assert_eq!(refusal(cache.get_shared::<i32>(&long).await), format!("get_shared: {why}"));
        assert_eq!(refusal(cache.set(&long, &1, 60).await), format!("set: {why}"));
        assert_eq!(refusal(cache.add(&long, &1, 60).await), format!("add: {why}"));
        assert_eq!(refusal(cache.replace(&long, &1, 60).await), format!("replace: {why}"));
        assert_eq!(refusal(cache.pull::<i32>(&long).await), format!("pull: {why}"));
        assert_eq!(refusal(cache.delete(&long).await), format!("delete: {why}"));
        assert_eq!(refusal(cache.exists(&long).await), format!("exists: {why}"));
        assert_eq!(refusal(cache.ttl(&long).await), format!("ttl: {why}"));
        assert_eq!(refusal(cache.expire(&long, 60).await), format!("expire: {why}"));
        assert_eq!(refusal(cache.persist(&long).await), format!("persist: {why}"));
        assert_eq!(refusal(cache.touch(&long).await), format!("touch: {why}"));
        assert_eq!(refusal(cache.get_many::<i32>(["a", &long]).await), format!("get_many: {why}"));
        assert_eq!(
            refusal(cache.set_many([("a", 1), (&*long, 2)], 60).await),
            format!("set_many: 1 of 2 keys failed, the first because: {why}")
        );
        assert_eq!(cache.get("a").await.unwrap(), Some(1));
        assert_eq!(
            refusal(cache.delete_many(["a", &long]).await),
            format!("delete_many: 1 of 2 keys failed, the first because: {why}")
        );
        assert_eq!(cache.get::<i32>("a").await.unwrap(), None);
    }
}

on_each_backend! {
    async fn a_value_over_the_cap_is_refused_and_the_old_one_stays(world) {
        let cache = world.builder().max_value_bytes(100).build().unwrap();
        cache.set("key", "old", 60).await.unwrap();
        assert_eq!(
            refusal(cache.set("key", &"x".repeat(100), 60).await),
            "set: the value has 101 bytes serialized; the cache's max_value_bytes is 100"
        );
        assert_eq!(cache.get::<String>("key").await.unwrap().as_deref(), Some("old"));
        cache.set("key", &"x".repeat(99), 60).await.unwrap();
    }
}

#[test]
fn a_value_the_format_can_not_hold_is_a_codec_error_that_does_not_quote_it() {
    use std::collections::BTreeMap;
    let cache = Cache::builder(MemoryBackend::new())
        .serializer(larder::Json)
        .build()
        .unwrap();
    let value = BTreeMap::from([(vec!["secret"], 1)]);
    let error = block_on(cache.set("key", &value, 60)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert_eq!(
        error.to_string(),
        "set: json can not encode the value: key must be a string"
    );
    assert!(!format!("{error:?}").contains("secret"));
    assert!(!block_on(cache.exists("key")).unwrap());
}

on_each_backend! {
    async fn clear_is_refused_without_a_prefix(world) {
        let cache = world.builder().build().unwrap();
        cache.set("key", &1, 60).await.unwrap();
        assert_eq!(
            refusal(cache.clear().await),
            "clear: the cache has no prefix, so this would remove every key of the database; clear_database does that"
        );
        assert!(cache.exists("key").await.unwrap());
        assert_eq!(cache.clear_database().await.unwrap(), 1);
    }
}
