//! Writes that are made at the same time, and how long each may take.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use larder::{CacheBackend, Condition, ErrorKind, Expiry, Outcome, Result, SetItem, SetOptions};
use testkit::{RedisCluster, RedisServer};

use crate::{
    Client, Settings,
    support::{
        MARGIN, backend, block_on, bytes, forever, on_every_runtime, patient, runs, runtime, starts_with, within,
    },
};

/// More than go alone.
const TASKS: usize = 100;

pub(crate) fn writes_at_the_same_time_are_each_answered_and_seen_by_every_read_that_begins_later<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let backend = backend::<C>(&server, true).await;
        join_all((0..TASKS).map(async |task| {
            let (own, common) = (format!("k{task}"), "common");
            for round in 0..20 {
                let value = Bytes::from(format!("{task}:{round}"));
                let written = backend.set(&own, value.clone(), forever()).await;
                assert_eq!(written.unwrap(), Outcome::Done);
                assert_eq!(bytes(backend.get(&own).await), Some(value.clone()));
                assert!(backend.set(common, value, forever()).await.unwrap().is_done());
                assert!(bytes(backend.get(common).await).is_some());
            }
        }))
        .await;
        assert_eq!(server.command::<usize>(&["DBSIZE"]), TASKS + 1);
    });
}

pub(crate) fn conditions_hold_amid_writes_of_the_same_key_that_go_together<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let backend = backend::<C>(&server, true).await;
        backend.set("k", Bytes::from_static(b"v0"), forever()).await.unwrap();
        let conditions = [
            (Condition::Always, Outcome::Done),
            (Condition::Always, Outcome::Done),
            (Condition::IfAbsent, Outcome::Mismatch),
            (Condition::IfPresent, Outcome::Done),
            (starts_with("v"), Outcome::Done),
            (starts_with("w"), Outcome::Mismatch),
        ];
        join_all((0..TASKS).map(async |task| {
            let (condition, expected) = conditions[task % conditions.len()].clone();
            let value = if expected.is_done() {
                format!("v{task}")
            } else {
                "w".to_owned()
            };
            let options = forever().with_condition(condition.clone());
            let written = backend.set("k", value.into(), options).await;
            assert_eq!(written.unwrap(), expected, "{condition:?}");
        }))
        .await;
        assert!(bytes(backend.get("k").await).unwrap().starts_with(b"v"));
    });
}

/// A write, single or in a batch, under a condition.
fn write<'a, B: CacheBackend>(
    backend: &'a B,
    key: &str,
    options: SetOptions,
    in_batch: bool,
) -> BoxFuture<'a, Result<Outcome>> {
    let key = key.to_owned();
    Box::pin(async move {
        if in_batch {
            let items = vec![SetItem::new(key, "late", options)];
            backend.set_many(items).await.remove(0)
        } else {
            backend.set(&key, Bytes::from_static(b"late"), options).await
        }
    })
}

const OWN: Duration = Duration::from_millis(60);

async fn ends_at_its_own_deadline<B: CacheBackend>(backend: &B, key: &str) {
    for condition in [Condition::Always, Condition::IfAbsent, Condition::IfPresent] {
        for in_batch in [false, true] {
            let options = forever().with_condition(condition.clone()).with_deadline(OWN);
            let began = Instant::now();
            let error = write(backend, key, options, in_batch).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{condition:?}: {error}");
            // Of an item it is what was left when it was sent.
            assert!(
                in_batch || error.message().contains("within 60ms"),
                "{condition:?}: {error}"
            );
            assert!(began.elapsed() >= OWN, "{:?}", began.elapsed());
            within(OWN + MARGIN, began);
        }
    }
}

pub(crate) fn a_write_with_a_deadline_of_its_own_ends_by_then<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let settings = Settings::new(server.url()).with_deadline(Duration::from_secs(30));
        let backend = C::connect_strict(settings).await.unwrap().backend();
        server.command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
        ends_at_its_own_deadline(&backend, "k").await;
    });
}

pub(crate) fn a_write_of_a_cluster_with_a_deadline_of_its_own_ends_by_then<C: Client>() {
    let cluster = RedisCluster::start();
    block_on(async {
        let config = patient(&cluster.url()).with_deadline(Duration::from_secs(30));
        let backend = C::from_config_strict(config).await.unwrap().backend();
        let key = cluster.key_at(1);
        backend.set(&key, Bytes::from_static(b"v"), forever()).await.unwrap();
        cluster.nodes()[1].command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
        ends_at_its_own_deadline(&backend, &key).await;
    });
}

pub(crate) fn the_deadline_of_the_connection_counts_where_it_is_shorter<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let settings = Settings::new(server.url()).with_deadline(OWN);
        let backend = C::connect_strict(settings).await.unwrap().backend();
        let hour = forever().with_deadline(Duration::from_hours(1));
        assert!(write(&backend, "k", hour.clone(), false).await.unwrap().is_done());
        server.command::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
        for in_batch in [false, true] {
            let began = Instant::now();
            let error = write(&backend, "k", hour.clone(), in_batch).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            within(OWN + MARGIN, began);
        }
    });
}

pub(crate) fn a_write_of_a_batch_with_little_time_takes_none_from_the_others<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let backend = backend::<C>(&server, true).await;
        server.command::<()>(&["CLIENT", "PAUSE", "300", "ALL"]);
        let never = SetOptions::new(Expiry::Never);
        let items = vec![
            SetItem::new("hurried", "v", never.clone().with_deadline(Duration::from_millis(20))),
            SetItem::new("plain", "v", never.clone()),
            SetItem::new("timed", "v", never.clone().with_deadline(Duration::from_secs(4))),
            SetItem::new("refused", "v", never.with_deadline(Duration::ZERO)),
        ];
        let [hurried, plain, timed, refused] = <[_; 4]>::try_from(backend.set_many(items).await).unwrap();
        assert_eq!(hurried.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(plain.unwrap().is_done() && timed.unwrap().is_done());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

pub(crate) fn of_many_writes_those_that_are_given_up_before_their_batch_goes_are_not_sent<C: Client>() {
    let together = if C::PUTS_SETS_TOGETHER { 17 } else { 19 };
    for (is_batched, sent) in [(true, together), (false, 19)] {
        let server = RedisServer::start();
        runtime(2).block_on(async {
            let all = backend::<C>(&server, true).await;
            let backend = if is_batched { all } else { C::unbatched(&all) };
            server.command::<()>(&["CLIENT", "PAUSE", "500", "ALL"]);
            // All go alone but one, which is a batch of its own. Those after it wait until it has ended.
            let mut writes: Vec<_> = (0..19)
                .map(|_| Box::pin(backend.set("k", Bytes::from_static(b"v"), forever())))
                .collect();
            for write in &mut writes {
                assert!(futures::poll!(write).is_pending());
            }
            writes.truncate(17);
            for written in join_all(writes).await {
                assert!(written.unwrap().is_done());
            }
            assert!(bytes(backend.get("k").await).is_some());
            assert_eq!(runs(&server, "set"), sent, "batched: {is_batched}");
        });
    }
}

pub(crate) fn writes_whose_own_deadline_is_over_say_nothing_of_the_server<C: Client>() {
    let short = forever().with_deadline(Duration::from_nanos(1));
    let items = || {
        // More than go out as one, and for one key.
        let late = (0..1_024).map(|i| SetItem::new(format!("{{k}}{}", i % 2), "late", short.clone()));
        late.chain((0..10).map(|i| SetItem::new(format!("{{k}}{}", i % 2), "v", forever())))
    };
    on_every_runtime(async || {
        let server = RedisServer::start();
        let backend = backend::<C>(&server, true).await;
        let written = backend.set_many(items().collect()).await;
        for late in &written[..1_024] {
            assert_eq!(late.as_ref().unwrap_err().kind(), ErrorKind::Timeout);
        }
        for written in &written[1_024..] {
            assert_eq!(written.as_ref().ok(), Some(&Outcome::Done));
        }
    });
}
