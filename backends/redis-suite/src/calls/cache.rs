//! A typed cache over the backend, where a real server makes the difference.

use std::{collections::HashMap, time::Duration};

use larder::{Cache, CacheBackend, ErrorKind, KeyTtl, Lookup};
use serde::{Deserialize, Serialize};

use crate::{
    Client,
    support::{in_both_protocols, runs},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    bio: String,
}

fn user() -> User {
    User {
        id: 1,
        name: "Ada".into(),
        bio: "Notes on the engine. ".repeat(200),
    }
}

fn cache<B: CacheBackend + Clone>(backend: &B) -> Cache<B> {
    Cache::builder(backend.clone()).prefix("app[1]*").build().unwrap()
}

pub(crate) fn values_lives_batches_and_patterns_work_end_to_end<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let cache = cache(backend);
        cache.set("user:1", &user(), "250ms").await.unwrap();
        let ttl: i64 = server.command(&["PTTL", "app[1]*:user:1"]);
        assert!((0..=250).contains(&ttl) || ttl == -2, "{ttl}");
        cache.set("user:1", &user(), "2h30m").await.unwrap();
        assert_eq!(cache.get("user:1").await.unwrap(), Some(user()));
        assert!(matches!(
            cache.ttl("user:1").await.unwrap(),
            KeyTtl::Expires(left) if left > Duration::from_secs(8_000)
        ));
        cache.set("user:2", &None::<User>, 60).await.unwrap();
        assert_eq!(cache.lookup::<User>("user:2").await.unwrap(), Lookup::Absent);
        assert_eq!(cache.delete_pattern("user:?").await.unwrap(), 2);

        server.command::<()>(&["SET", "app1:kept", "by another program"]);
        cache
            .set_many((0..1000).map(|i| (format!("n:{i}"), i)), 60)
            .await
            .unwrap();
        let found: HashMap<String, i32> = cache.get_many((0..1001).map(|i| format!("n:{i}"))).await.unwrap();
        assert_eq!(found.len(), 1000);
        assert_eq!(cache.clear().await.unwrap(), 1000);
        assert_eq!(server.command::<u64>(&["DBSIZE"]), 1);
    });
}

pub(crate) fn a_list_is_a_miss_to_reads_an_error_to_conditional_writes_and_replaced_by_a_plain_set<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let cache = cache(backend);
        server.command::<()>(&["RPUSH", "app[1]*:key", "element"]);
        assert_eq!(cache.get::<User>("key").await.unwrap(), None);
        assert!(cache.get_many::<User>(["key"]).await.unwrap().is_empty());
        assert_eq!(cache.pull::<User>("key").await.unwrap(), None);
        assert!(!cache.exists("key").await.unwrap());
        assert_eq!(cache.ttl("key").await.unwrap(), KeyTtl::Missing);
        assert!(C::wrong_type_reads(backend) >= 3);

        for error in [
            cache.add("key", &1, 60).await.unwrap_err(),
            cache.replace("key", &1, 60).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
            assert!(error.to_string().contains("WRONGTYPE"), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        assert!(!cache.expire("key", 60).await.unwrap());
        assert!(!cache.persist("key").await.unwrap());
        let list: Vec<String> = server.command(&["LRANGE", "app[1]*:key", "0", "-1"]);
        assert_eq!(list, ["element"]);
        assert_eq!(server.command::<i64>(&["PTTL", "app[1]*:key"]), -1);

        cache.set("key", &user(), 60).await.unwrap();
        assert_eq!(cache.get("key").await.unwrap(), Some(user()));
    });
}

pub(crate) fn every_call_that_removes_removes_a_list_and_says_that_it_was_no_value<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let cache = cache(backend);
        let list = || server.command::<()>(&["RPUSH", "app[1]*:key", "element"]);
        list();
        assert!(!cache.delete("key").await.unwrap());
        assert_eq!(server.command::<u64>(&["DBSIZE"]), 0);
        list();
        assert_eq!(cache.delete_many(["key"]).await.unwrap(), 1);
        list();
        assert_eq!(cache.delete_pattern("k*").await.unwrap(), 1);
        list();
        assert_eq!(cache.clear().await.unwrap(), 1);
        assert_eq!(server.command::<u64>(&["DBSIZE"]), 0);
    });
}

pub(crate) fn what_another_program_stored_is_a_counted_miss_and_stays<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let cache = cache(backend);
        server.command::<()>(&["SET", "app[1]*:key", "plain text"]);
        assert_eq!(cache.get::<String>("key").await.unwrap(), None);
        assert_eq!(cache.stats().undecodable, 1);
        assert!(!cache.add("key", "mine", 60).await.unwrap());
        assert!(!cache.replace("key", "mine", 60).await.unwrap());
        assert_eq!(server.command::<String>(&["GET", "app[1]*:key"]), "plain text");
    });
}

pub(crate) fn a_renamed_entry_is_a_miss<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let cache = cache(backend);
        cache.set("old", &user(), 60).await.unwrap();
        server.command::<()>(&["RENAME", "app[1]*:old", "app[1]*:new"]);
        assert_eq!(cache.get::<User>("new").await.unwrap(), None);
        assert_eq!(cache.stats().undecodable, 1);
    });
}

pub(crate) fn each_call_is_the_commands_it_should_be<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let cache = cache(backend);
        // The scripts are loaded by their first use.
        cache.set("warm", &1, 60).await.unwrap();
        cache.delete("warm").await.unwrap();
        cache.exists("warm").await.unwrap();
        server.command::<()>(&["CONFIG", "RESETSTAT"]);

        cache.set("key", &1, 60).await.unwrap();
        cache.get::<i32>("key").await.unwrap();
        cache.exists("key").await.unwrap();
        cache.get_many::<i32>((0..100).map(|i| i.to_string())).await.unwrap();
        cache.set_many((0..100).map(|i| (i.to_string(), i)), 60).await.unwrap();
        cache.delete_many((0..100).map(|i| i.to_string())).await.unwrap();
        cache.delete("key").await.unwrap();

        let calls = |command| runs(server, command);
        assert_eq!(
            (calls("get"), calls("mget"), calls("eval"), calls("evalsha")),
            (1, 1, 0, 2)
        );
        assert_eq!((calls("set"), calls("unlink")), (101, 101));
    });
}
