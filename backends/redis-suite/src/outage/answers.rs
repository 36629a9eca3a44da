//! Servers that answer, and not what was asked for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use larder::{Cache, CacheBackend, Condition, Error, ErrorKind, SetItem};
use testkit::RedisServer;

use crate::{
    Client,
    support::{
        DEADLINE, MARGIN, block_on, brief, bytes, clients, eventually, eventually_async, forever, in_both_protocols,
        within,
    },
};

const VALUE: Bytes = Bytes::from_static(b"value");

pub(crate) fn outage_out_of_memory_is_a_server_error_and_leaves_data_as_it_was<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        backend.set("k", VALUE, forever()).await.unwrap();
        server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);

        let items = vec![SetItem::new("k", "new", forever()), SetItem::new("l", "new", forever())];
        let mut answers = backend.set_many(items).await;
        answers.push(backend.set("k", Bytes::from_static(b"new"), forever()).await);
        let conditional = forever().with_condition(Condition::IfPresent);
        answers.push(backend.set("k", Bytes::from_static(b"new"), conditional).await);
        for answer in answers {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
            assert!(error.message().contains("OOM"), "{error}");
        }
        assert_eq!(bytes(backend.get("k").await).unwrap(), VALUE);
    });
}

pub(crate) fn outage_a_value_larger_than_the_server_takes_is_an_error_and_no_outage<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        server.command::<()>(&["CONFIG", "SET", "proto-max-bulk-len", "1mb"]);
        let began = Instant::now();
        let large = || Bytes::from(vec![7; 3 << 20]);
        let written = backend.set("k", large(), forever()).await;
        assert!(matches!(
            written.unwrap_err().kind(),
            ErrorKind::Server | ErrorKind::Connection
        ));
        eventually_async("calls are answered again", async || {
            backend.set("k", VALUE, forever()).await.is_ok()
        })
        .await;
        let items = vec![
            SetItem::new("l", large(), forever()),
            SetItem::new("m", VALUE, forever()),
        ];
        assert!(backend.set_many(items).await.remove(0).is_err());
        eventually_async("calls are answered again", async || backend.get("k").await.is_ok()).await;
        assert_eq!(bytes(backend.get("k").await).unwrap(), VALUE);
        within(Duration::from_secs(3), began);
    });
}

pub(crate) fn outage_a_read_only_replica_is_a_server_error_at_once<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        backend.set("k", VALUE, forever()).await.unwrap();
        let nobody = RedisServer::reserve_port().to_string();
        server.command::<()>(&["REPLICAOF", "127.0.0.1", &nobody]);

        let conditional = forever().with_condition(Condition::IfPresent);
        for answer in [
            backend.set("k", Bytes::from_static(b"new"), forever()).await,
            backend.set("k", Bytes::from_static(b"new"), conditional).await,
            backend.delete("k", Condition::Always).await,
            backend.persist("k", Condition::Always).await,
        ] {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
            assert!(error.message().contains("READONLY"), "{error}");
        }
        assert_eq!(bytes(backend.get("k").await).unwrap(), VALUE);
    });
}

pub(crate) fn outage_a_flush_is_a_miss_and_no_error<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let cache = Cache::builder(backend.clone()).prefix("app").build().unwrap();
        let load = async || cache.remember("k", "1h", async || Ok::<_, Error>(7)).await.unwrap();
        assert_eq!(load().await, 7);
        backend.set("k", VALUE, forever()).await.unwrap();
        for flush in ["FLUSHALL", "FLUSHDB"] {
            server.command::<()>(&[flush]);
            assert!(backend.get("k").await.unwrap().is_none());
            assert_eq!(cache.get::<i32>("k").await.unwrap(), None);
            assert_eq!(load().await, 7);
            assert_eq!(cache.get::<i32>("k").await.unwrap(), Some(7));
        }
    });
}

pub(crate) fn outage_a_server_that_is_busy_is_a_timeout_and_then_well<C: Client>() {
    // A script that runs longer than `busy-reply-threshold` is answered for by an error that counts as away.
    const BUSY: &str = "local began = redis.call('TIME') repeat local now = redis.call('TIME') \
                        until (now[1] - began[1]) * 1000 + (now[2] - began[2]) / 1000 > 500";
    let debuggable = RedisServer::start_debuggable();
    for (command, away) in [
        (vec!["CLIENT", "PAUSE", "500", "ALL"], ErrorKind::Timeout),
        (vec!["CLIENT", "PAUSE", "500", "WRITE"], ErrorKind::Timeout),
        (vec!["DEBUG", "SLEEP", "0.5"], ErrorKind::Timeout),
        (vec!["EVAL", BUSY, "0"], ErrorKind::Timeout),
    ] {
        block_on(async {
            let client: C = brief(debuggable.url()).await;
            let backend = client.backend();
            backend.set("k", VALUE, forever()).await.unwrap();
            std::thread::scope(|scope| {
                // All but a pause are answered only when they are over.
                scope.spawn(|| debuggable.command::<()>(&command));
                // Until it has begun, calls are answered.
                eventually("the server is busy", || {
                    let began = Instant::now();
                    let answer = smol::block_on(backend.set("k", VALUE, forever()));
                    within(DEADLINE + MARGIN, began);
                    answer.is_err_and(|error| {
                        assert_eq!(error.kind(), away, "{command:?}: {error}");
                        true
                    })
                });
            });
            eventually_async("the server answers again", async || {
                backend.set("k", VALUE, forever()).await.is_ok()
            })
            .await;
            assert_eq!(bytes(backend.get("k").await).unwrap(), VALUE);
        });
    }
}

pub(crate) fn outage_a_password_that_was_changed_is_told_and_taken_when_it_is_changed_back<C: Client>() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let url = format!("redis://:right@127.0.0.1:{}/0", server.port());
    block_on(async {
        let client: C = brief(url).await;
        let backend = client.backend();
        backend.set("k", VALUE, forever()).await.unwrap();
        let admin = server.session();
        admin.command(&["CONFIG", "SET", "requirepass", "hunter2"]);
        // Connections that are in stay in, until they are lost.
        backend.get("k").await.unwrap();
        admin.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let told = eventually_async("the reason is told", async || {
            let began = Instant::now();
            let answer = backend.get("k").await;
            within(DEADLINE + MARGIN, began);
            answer.is_err_and(|error| {
                assert!(error.is_unavailable(), "{error}");
                let text = format!("{error} {error:?}");
                assert!(!text.contains("hunter2") && !text.contains("right@"), "{text}");
                text.contains("WRONGPASS")
            })
        })
        .await;
        admin.command(&["CONFIG", "SET", "requirepass", "right"]);
        let back = eventually_async("the old password is taken", async || backend.get("k").await.is_ok()).await;
        println!("told after {told:?}, back after {back:?}");
        assert!(back < Duration::from_millis(1_500), "{back:?}");
        assert_eq!(bytes(backend.get("k").await).unwrap(), VALUE);
    });
    eventually("there is one connection", || clients(&server) == 0);
}
