//! The rights a user needs, exactly.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use larder::{CacheBackend, Condition, ErrorKind, Expiry, Result, SetItem, SetOptions};
use larder_redis_common::RedisConfig;
use testkit::{RedisCluster, RedisSentinel, RedisServer};

use crate::{
    Client,
    support::{block_on, forever, listed, patient, starts_with},
};

/// What the documentation of the crate lists.
const RIGHTS: [&str; 14] = [
    "+get",
    "+mget",
    "+set",
    "+unlink",
    "+pexpire",
    "+eval",
    "+evalsha",
    "+scan",
    "+strlen",
    "+getrange",
    "+exists",
    "+persist",
    "+pttl",
    "+select",
];

fn grant(server: &RedisServer, rights: &[&str]) {
    let user = ["ACL", "SETUSER", "app", "reset", "on", ">secret", "~myapp:*"];
    server.command::<()>(&[&user[..], rights].concat());
}

fn config(server: &RedisServer, resp3: bool) -> RedisConfig {
    let url = format!("redis://app:secret@127.0.0.1:{}/1", server.port());
    patient(&url).with_resp3(resp3)
}

/// Makes every call there is, each under every condition.
async fn everything<C: Client>(config: RedisConfig) -> Result<()> {
    let backend = C::from_config_strict(config).await?.backend();
    let value = || Bytes::from_static(b"value");
    let hour = Duration::from_hours(1);
    for condition in [Condition::Always, Condition::IfPresent, starts_with("val")] {
        let of = || condition.clone();
        backend.set("myapp:k", value(), forever()).await?;
        for expiry in [Expiry::After(hour), Expiry::Never, Expiry::Keep] {
            let options = SetOptions::new(expiry).with_condition(of());
            backend.set("myapp:k", value(), options).await?;
        }
        backend.expire("myapp:k", hour, of()).await?;
        backend.persist("myapp:k", of()).await?;
        // An empty value is looked at more closely.
        backend.set("myapp:empty", Bytes::new(), forever()).await?;
        backend.persist("myapp:empty", of()).await?;
        backend.head("myapp:k", 2).await?;
        backend.delete("myapp:k", of()).await?;
    }
    let absent = forever().with_condition(Condition::IfAbsent);
    backend.set("myapp:k", value(), absent).await?;
    for written in backend.set_many(vec![SetItem::new("myapp:l", "v", forever())]).await {
        written?;
    }
    backend.get("myapp:k").await?;
    for found in backend.get_many(&["myapp:l"]).await {
        found?;
    }
    let pages: Vec<Vec<String>> = futures::TryStreamExt::try_collect(backend.scan("myapp:*")).await?;
    assert!(pages.concat().contains(&"myapp:l".to_owned()));
    for removed in backend.delete_many(&["myapp:k", "myapp:l", "myapp:empty"]).await {
        removed?;
    }
    Ok(())
}

pub(crate) fn the_documented_rights_suffice_for_every_call<C: Client>() {
    let server = RedisServer::start();
    grant(&server, &RIGHTS);
    block_on(everything::<C>(config(&server, true))).unwrap();

    // RESP2 has a greeting of its own only where there is a password.
    server.command::<()>(&["SCRIPT", "FLUSH"]);
    block_on(everything::<C>(config(&server, false))).unwrap();
}

pub(crate) fn each_documented_right_is_needed<C: Client>() {
    let server = RedisServer::start();
    for right in RIGHTS {
        server.command::<()>(&["SCRIPT", "FLUSH"]);
        let others: Vec<&str> = RIGHTS.into_iter().filter(|&other| other != right).collect();
        grant(&server, &others);
        match block_on(everything::<C>(config(&server, true))) {
            Ok(()) => panic!("{right} is documented and not needed"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Server, "{right}: {error}"),
        }
    }
}

pub(crate) fn a_user_without_a_password_or_with_an_odd_one_is_that_user<C: Client>() {
    let server = RedisServer::start();
    server.command::<()>(&["ACL", "SETUSER", "app", "on", "nopass", "~*", "+@all"]);
    server.command::<()>(&["ACL", "SETUSER", "other", "on", ">secret", "~*", "+@all"]);
    server.command::<()>(&["ACL", "SETUSER", "odd", "on", r#">two "w'rds\"#, "~*", "+@all"]);
    for resp3 in [true, false] {
        let of = |user: &str| {
            let url = format!("redis://{user}@127.0.0.1:{}/1", server.port());
            patient(&url).with_resp3(resp3)
        };
        block_on(async {
            let client = C::from_config_strict(of("app")).await.unwrap();
            client.backend().set("k", "v".into(), forever()).await.unwrap();
            assert!(server.command::<String>(&["CLIENT", "LIST"]).contains("user=app"));
            let error = C::from_config(of("other")).await.unwrap_err();
            assert!(C::from_config_strict(of("odd:two%20%22w'rds%5C")).await.is_ok());
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        });
    }
}

pub(crate) fn a_key_outside_the_users_pattern_is_a_server_error<C: Client>() {
    let server = RedisServer::start();
    grant(&server, &RIGHTS);
    block_on(async {
        let manager = C::from_config_strict(config(&server, true)).await.unwrap();
        let backend = manager.backend();
        let error = backend.get("other:k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.message().starts_with("NOPERM"), "{error}");

        // It takes no key along that is asked for with it.
        backend.set("myapp:k", "v".into(), forever()).await.unwrap();
        let keys = ["myapp:k", "other:k", "myapp:none"];
        let [own, foreign, none] = <[_; 3]>::try_from(backend.get_many(&keys).await).unwrap();
        assert_eq!(own.unwrap().unwrap().bytes(), "v");
        assert_eq!(foreign.unwrap_err().kind(), ErrorKind::Server);
        assert!(none.unwrap().is_none());
        let found = join_all((0..40).map(|i| backend.get(keys[i % 3]))).await;
        for (i, found) in found.into_iter().enumerate() {
            assert_eq!(found.is_err(), i % 3 == 1, "{found:?}");
        }
        let written = join_all((0..100).map(|i| backend.set(keys[i % 3], "v".into(), forever()))).await;
        for (i, written) in written.into_iter().enumerate() {
            assert_eq!(written.is_err(), i % 3 == 1, "{written:?}");
        }
    });
}

pub(crate) fn a_pattern_takes_the_keys_that_the_user_may_remove_and_says_that_others_are_left<C: Client>() {
    let server = RedisServer::start();
    grant(&server, &RIGHTS);
    block_on(async {
        let manager = C::from_config_strict(config(&server, true)).await.unwrap();
        let backend = manager.backend();
        let items = (0..10).map(|i| SetItem::new(format!("myapp:{i}"), "v", forever()));
        backend.set_many(items.collect()).await;
        let session = server.session();
        session.command(&["SELECT", "1"]);
        session.command(&["SET", "other:k", "v"]);

        let error = backend.delete_matching("*").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.message().starts_with("NOPERM"), "{error}");
        assert!(error.message().ends_with("(after 10 keys were removed)"), "{error}");
        assert_eq!(listed(&backend, "*").await, ["other:k"]);
    });
}

pub(crate) fn a_user_of_a_cluster_needs_to_ask_about_it_besides<C: Client>() {
    let cluster = RedisCluster::start();
    for node in cluster.nodes() {
        let user = ["ACL", "SETUSER", "app", "on", ">secret", "~*"];
        node.command::<()>(&[&user[..], &RIGHTS, &["+cluster|slots", "+cluster|info"]].concat());
    }
    block_on(async {
        let url = format!("redis-cluster://app:secret@127.0.0.1:{}", cluster.nodes()[0].port());
        let config = patient(&url);
        let backend = C::from_config_strict(config).await.unwrap().backend();
        for key in ["a", "b", "c", "d"] {
            backend.set(key, Bytes::from_static(b"v"), forever()).await.unwrap();
            assert!(backend.delete(key, starts_with("v")).await.unwrap().is_done());
        }
        assert!(listed(&backend, "*").await.is_empty());
    });
}

pub(crate) fn a_user_needs_one_more_right_where_a_slot_moves<C: Client>() {
    let cluster = RedisCluster::start();
    let (from, slot) = (cluster.home_of("k"), cluster.slot_of("k"));
    let to = (from + 1) % 3;
    cluster.begin_move(slot, from, to);
    for asking in [true, false] {
        for node in cluster.nodes() {
            let user = ["ACL", "SETUSER", "app", "reset", "on", ">secret", "~*"];
            let more = [
                "+cluster|slots",
                "+cluster|info",
                if asking { "+asking" } else { "-asking" },
            ];
            node.command::<()>(&[&user[..], &RIGHTS, &more].concat());
        }
        block_on(async {
            let url = format!("redis-cluster://app:secret@127.0.0.1:{}", cluster.nodes()[0].port());
            let config = patient(&url);
            let backend = C::from_config_strict(config).await.unwrap().backend();
            // Without the right the other node sends the call back.
            assert_eq!(backend.get("k").await.is_ok(), asking);
        });
    }
}

pub(crate) fn a_user_needs_one_more_right_where_sentinels_name_the_server<C: Client>() {
    let watched = RedisSentinel::start();
    for role in [true, false] {
        let user = ["ACL", "SETUSER", "app", "reset", "on", ">secret", "~*"];
        let more = [if role { "+role" } else { "-role" }];
        watched.primary().command::<()>(&[&user[..], &RIGHTS, &more].concat());
        let url = watched.url().replacen("://", "://app:secret@", 1);
        let config = patient(&url);
        let connected = block_on(C::from_config_strict(config));
        assert_eq!(connected.is_ok(), role, "{connected:?}");
    }
}
