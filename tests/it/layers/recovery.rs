//! What a fallback makes good once its primary is back.

use std::time::{Duration, Instant};

use larder::{Cache, CacheBackend, Condition, ErrorKind, FallbackState, JournalStats, Outcome};
use larder_memory::Operation;

use super::support::{Stores, forever, put, read};
use crate::{backends::block_on, remember::support::Tasks};

fn journal(keys: usize, patterns: usize) -> impl Fn(JournalStats) -> bool {
    move |stats| (stats.keys, stats.patterns) == (keys, patterns)
}

#[test]
fn outage_every_kind_of_write_made_meanwhile_is_a_delete_afterwards() {
    for is_applied in [false, true] {
        let stores = Stores::new();
        let backend = stores.fallback();
        let keys = [
            "set", "many", "delete", "deleted", "expire", "persist", "added", "other",
        ];
        block_on(async {
            for key in keys {
                put(&backend, key, "old").await;
            }
            if is_applied {
                stores.primary.faults().fail_next_applied(100, ErrorKind::Timeout);
            } else {
                stores.primary.faults().fail_all(ErrorKind::Timeout);
            }
            put(&backend, "set", "new").await;
            backend
                .set_many(vec![larder::SetItem::new("many", "new", forever())])
                .await;
            backend
                .delete("delete", Condition::IfStartsWith("o".into()))
                .await
                .unwrap();
            backend.delete_many(&["deleted"]).await;
            backend
                .expire("expire", Duration::from_secs(1), Condition::Always)
                .await
                .unwrap();
            backend.persist("persist", Condition::Always).await.unwrap();
            let absent = forever().with_condition(Condition::IfAbsent);
            assert_eq!(backend.set("added", "new".into(), absent).await.unwrap(), Outcome::Done);
            assert!(journal(7, 0)(backend.journal()), "{:?}", backend.journal());

            stores.primary.faults().recover();
            assert_eq!(read(&backend, "other").await.unwrap(), "old", "served at once");
            for key in &keys[..7] {
                let value = read(&backend, key).await;
                assert_eq!(value, None, "{key}");
                assert_eq!(stores.primary.raw(key), None, "{key}");
            }
            assert!(journal(0, 0)(backend.journal()));
            assert!(stores.secondary.is_empty());
            put(&backend, "set", "newer").await;
            assert_eq!(read(&backend, "set").await.unwrap(), "newer");
        });
    }
}

#[test]
fn outage_a_pattern_deleted_meanwhile_takes_keys_that_the_secondary_never_saw() {
    for pattern in ["user:*", "*", "user:?"] {
        let stores = Stores::new();
        let backend = stores.fallback();
        let cache = Cache::builder(backend.clone()).prefix("app").build().unwrap();
        block_on(async {
            for key in ["user:1", "user:2", "post:1"] {
                cache.set(key, &1_u8, 60).await.unwrap();
            }
            put(&backend, "stranger", "v").await;
            stores.primary.faults().fail_all(ErrorKind::Connection);
            cache.set("user:3", &1_u8, 60).await.unwrap();
            assert_eq!(cache.delete_pattern(pattern).await.unwrap(), 1);
            assert_eq!(cache.get::<u8>("user:3").await.unwrap(), None);

            stores.primary.faults().recover();
            assert_eq!(
                cache.get::<u8>("user:1").await.unwrap(),
                None,
                "not even before the scan"
            );
            let is_kept = pattern != "*";
            assert_eq!(cache.get::<u8>("post:1").await.unwrap().is_some(), is_kept);
            backend.replay().await.unwrap();
            assert_eq!(stores.primary.raw("app:user:2"), None);
            assert_eq!(stores.primary.raw("app:post:1").is_some(), is_kept);
            assert!(stores.primary.raw("stranger").is_some());
            assert_eq!(backend.state(), FallbackState::Primary);
            cache.set("user:1", &2_u8, 60).await.unwrap();
            assert_eq!(cache.get::<u8>("user:1").await.unwrap(), Some(2));
        });
    }
}

#[test]
fn outage_keys_beyond_the_journals_capacity_are_deleted_with_what_begins_like_them() {
    let stores = Stores::new();
    let backend = stores.builder().journal_capacity(2).build().unwrap();
    let cache = Cache::builder(backend.clone()).prefix("app").build().unwrap();
    block_on(async {
        for key in 0..10 {
            cache.set(&format!("user:{key}"), &1_u8, 60).await.unwrap();
        }
        cache.set("post:1", &1_u8, 60).await.unwrap();
        put(&backend, "stranger", "v").await;
        stores.primary.faults().fail_all(ErrorKind::Connection);
        for key in 0..8 {
            cache.delete(&format!("user:{key}")).await.unwrap();
        }
        assert!(journal(2, 1)(backend.journal()), "{:?}", backend.journal());
        assert_eq!(backend.journal().overflowed, 6);
        // There is no place for it, and nothing stale in it.
        cache.set("user:7", &2_u8, 60).await.unwrap();
        assert_eq!(cache.get::<u8>("user:7").await.unwrap(), None);
        assert!(cache.add("user:7", &2_u8, 60).await.unwrap());
        assert!(!cache.replace("user:7", &2_u8, 60).await.unwrap());

        stores.primary.faults().recover();
        for key in 0..8 {
            assert_eq!(cache.get::<u8>(&format!("user:{key}")).await.unwrap(), None);
        }
        assert_eq!(cache.get::<u8>("post:1").await.unwrap(), Some(1));
        backend.replay().await.unwrap();
        assert!(journal(0, 0)(backend.journal()));
        assert!((0..8).all(|key| stores.primary.raw(&format!("app:user:{key}")).is_none()));
        assert!(stores.primary.raw("stranger").is_some());
    });
}

#[test]
fn outage_a_condition_is_never_tested_against_what_is_to_be_deleted() {
    let stores = Stores::new();
    let backend = stores.fallback();
    block_on(async {
        for key in ["a", "b", "c"] {
            put(&backend, key, "old").await;
        }
        stores.primary.faults().fail_all(ErrorKind::Connection);
        backend.delete_many(&["a", "b", "c"]).await;
        stores.primary.faults().recover();
        let old = || Condition::IfStartsWith("old".into());
        let options = |condition| forever().with_condition(condition);
        assert_eq!(
            backend.set("a", "new".into(), options(old())).await.unwrap(),
            Outcome::Missing
        );
        assert_eq!(
            backend
                .set("b", "new".into(), options(Condition::IfAbsent))
                .await
                .unwrap(),
            Outcome::Done
        );
        let items = vec![larder::SetItem::new("c", "new", options(Condition::IfPresent))];
        assert_eq!(backend.set_many(items).await.remove(0).unwrap(), Outcome::Missing);
        assert_eq!(read(&backend, "b").await.unwrap(), "new");
    });
}

#[test]
fn outage_what_the_primary_refuses_to_delete_stays_a_miss() {
    let stores = Stores::new();
    let backend = stores.fallback();
    block_on(async {
        put(&backend, "k", "old").await;
        stores.primary.faults().fail_all(ErrorKind::Connection);
        backend.delete("k", Condition::Always).await.unwrap();
        stores.primary.faults().recover();
        stores
            .primary
            .faults()
            .fail_next_of(Operation::Delete, 2, ErrorKind::Server);
        assert_eq!(read(&backend, "k").await, None);
        assert_eq!(backend.replay().await.unwrap_err().kind(), ErrorKind::Server);
        assert!(journal(1, 0)(backend.journal()));
        stores
            .primary
            .faults()
            .fail_next_of(Operation::Set, 1, ErrorKind::Server);
        assert!(backend.set("k", "new".into(), forever()).await.is_err());
        assert_eq!(read(&backend, "k").await, None, "the old value stood there still");
        backend.replay().await.unwrap();
        assert!(stores.primary.is_empty());
    });
}

#[test]
fn outage_a_caller_that_goes_away_loses_no_invalidation() {
    let stores = Stores::new();
    let backend = stores.fallback();
    block_on(async {
        for key in ["a", "b", "c"] {
            put(&backend, key, "old").await;
        }
    });
    // Dropped while the primary does not answer.
    let gate = stores.primary.faults().hold();
    let mut tasks = Tasks::new();
    let one = tasks.add(async { drop(backend.delete("a", Condition::IfStartsWith("o".into())).await) });
    let many = tasks.add(async { drop(backend.delete_many(&["b"]).await) });
    let pattern = tasks.add(async { drop(backend.delete_matching("c*").await) });
    for task in [one, many, pattern] {
        assert!(tasks.poll(task).is_none());
        tasks.drop_task(task);
    }
    assert!(journal(2, 1)(backend.journal()), "{:?}", backend.journal());
    // And while it replays.
    let replay = tasks.add(async { drop(backend.replay().await) });
    let read_one = tasks.add(async { drop(backend.get("a").await) });
    assert!(tasks.poll(replay).is_none() && tasks.poll(read_one).is_none());
    tasks.drop_task(replay);
    tasks.drop_task(read_one);
    assert!(journal(2, 1)(backend.journal()));
    gate.release();
    block_on(backend.replay()).unwrap();
    assert!(stores.primary.is_empty());
    // A read, or a write under a condition, says nothing that has to be made good.
    let gate = stores.primary.faults().hold();
    let read_one = tasks.add(async { drop(backend.get("a").await) });
    let absent = forever().with_condition(Condition::IfAbsent);
    let add = tasks.add(async { drop(backend.set("a", "v".into(), absent).await) });
    assert!(tasks.poll(read_one).is_none() && tasks.poll(add).is_none());
    drop(tasks);
    gate.release();
    assert!(journal(0, 0)(backend.journal()));
}

#[test]
fn outage_the_background_replays_for_a_service_that_makes_no_calls() {
    let stores = Stores::new();
    let backend = larder::Fallback::builder(stores.primary.clone(), stores.secondary.clone())
        .retry_every(Duration::from_millis(1))
        .build()
        .unwrap();
    block_on(async {
        for key in ["user:1", "user:2", "k"] {
            put(&backend, key, "old").await;
        }
        stores.primary.faults().fail_all(ErrorKind::Connection);
        backend.delete("k", Condition::Always).await.unwrap();
        backend.delete_matching("user:*").await.unwrap();
    });
    assert_eq!(stores.primary.len(), 3);
    stores.primary.faults().recover();
    let began = Instant::now();
    while backend.state() != FallbackState::Primary {
        assert!(began.elapsed().as_secs() < 10, "{:?}", backend.journal());
        std::thread::yield_now();
    }
    assert!(stores.primary.is_empty());
}

#[test]
fn outage_a_call_that_finds_the_primary_back_wakes_the_background() {
    let stores = Stores::new();
    // On a clock that stands still, nothing else would.
    let backend = larder::Fallback::builder(stores.primary.clone(), stores.secondary.clone())
        .clock(stores.clock.clone())
        .build()
        .unwrap();
    for _ in 0..3 {
        block_on(async {
            put(&backend, "k", "old").await;
            stores.primary.faults().fail_all(ErrorKind::Connection);
            backend.delete("k", Condition::Always).await.unwrap();
            stores.primary.faults().recover();
            assert_eq!(read(&backend, "other").await, None);
        });
        let began = Instant::now();
        while stores.primary.raw("k").is_some() || backend.state() != FallbackState::Primary {
            assert!(began.elapsed().as_secs() < 10, "{:?}", backend.journal());
            std::thread::yield_now();
        }
    }
}

#[test]
fn outage_the_background_does_not_keep_a_layer_alive() {
    let stores = Stores::new();
    let backend = larder::Fallback::builder(stores.primary.clone(), std::sync::Arc::new(stores.secondary.clone()))
        .clock(stores.clock.clone())
        .build()
        .unwrap();
    let alive = std::sync::Arc::downgrade(backend.secondary());
    stores.primary.faults().fail_all(ErrorKind::Connection);
    block_on(put(&backend, "k", "v"));
    drop(backend);
    let began = Instant::now();
    while alive.upgrade().is_some() {
        assert!(began.elapsed().as_secs() < 10, "it lives on");
        std::thread::yield_now();
    }
}
