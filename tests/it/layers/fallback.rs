//! A fallback while its primary is away.

use std::time::Duration;

use futures::TryStreamExt;
use larder::{
    Breaker, CacheBackend, Condition, ErrorKind, Expiry, Fallback, FallbackState, KeyTtl, Outcome, SetItem, SetOptions,
};
use larder_memory::{MemoryBackend, Operation};

use super::support::{Pair, Stores, forever, put, read};
use crate::backends::block_on;

const AWAY: [ErrorKind; 3] = [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Overloaded];

#[test]
fn outage_the_secondary_answers_what_was_written_meanwhile_and_nothing_else() {
    for kind in AWAY {
        let stores = Stores::new();
        let backend = stores.fallback();
        block_on(async {
            put(&backend, "before", "1").await;
            assert!(stores.secondary.is_empty());
            stores.primary.faults().fail_all(kind);
            assert_eq!(read(&backend, "before").await, None);
            put(&backend, "k", "2").await;
            assert_eq!(read(&backend, "k").await.unwrap(), "2");
            assert_eq!(backend.head("k", 1).await.unwrap().unwrap().len(), 1);
            let many = backend.get_many(&["k", "before", "k"]).await;
            let found: Vec<bool> = many.into_iter().map(|answer| answer.unwrap().is_some()).collect();
            assert_eq!(found, [true, false, true]);
            let listed: Vec<Vec<String>> = backend.scan("*").try_collect().await.unwrap();
            assert_eq!(listed.concat(), ["k"]);
            let condition = Condition::IfStartsWith("3".into());
            assert_eq!(backend.delete("k", condition).await.unwrap(), Outcome::Mismatch);
            assert!(backend.delete("k", Condition::Always).await.unwrap().is_done());
            assert_eq!(read(&backend, "k").await, None);
        });
    }
}

#[test]
fn outage_errors_that_are_not_of_an_outage_are_the_callers() {
    for kind in [ErrorKind::Server, ErrorKind::InvalidInput] {
        let stores = Stores::new();
        let backend = stores.fallback();
        stores.primary.faults().fail_all(kind);
        block_on(async {
            assert_eq!(backend.get("k").await.unwrap_err().kind(), kind);
            let written = backend.set("k", "v".into(), forever()).await;
            assert_eq!(written.unwrap_err().kind(), kind);
            assert_eq!(backend.delete_matching("*").await.unwrap_err().kind(), kind);
            assert_eq!(backend.delete_many(&["k"]).await[0].as_ref().unwrap_err().kind(), kind);
        });
        assert_eq!(backend.journal().keys + backend.journal().patterns, 0);
        assert_eq!(backend.state(), FallbackState::Primary);
    }
}

#[test]
fn outage_lives_in_the_secondary_are_cut() {
    let stores = Stores::new();
    let backend = stores.builder().max_ttl(Duration::from_secs(10)).build().unwrap();
    stores.primary.faults().fail_all(ErrorKind::Connection);
    let longest = KeyTtl::Expires(Duration::from_secs(10));
    let options = |secs| SetOptions::new(Expiry::After(Duration::from_secs(secs)));
    block_on(async {
        let ttl = async |key: &str| backend.head(key, 0).await.unwrap().unwrap().ttl();
        put(&backend, "forever", "v").await;
        assert_eq!(ttl("forever").await, longest);
        backend.set("long", "v".into(), options(3600)).await.unwrap();
        assert_eq!(ttl("long").await, longest);
        backend.set("short", "v".into(), options(1)).await.unwrap();
        assert_eq!(ttl("short").await, KeyTtl::Expires(Duration::from_secs(1)));
        backend
            .set_many(vec![SetItem::new("many", "v", forever())])
            .await
            .remove(0)
            .unwrap();
        assert_eq!(ttl("many").await, longest);
        assert!(backend.persist("short", Condition::Always).await.unwrap().is_done());
        assert_eq!(ttl("short").await, longest);
        let hour = Duration::from_secs(3600);
        assert!(
            backend
                .expire("short", hour, Condition::Always)
                .await
                .unwrap()
                .is_done()
        );
        assert_eq!(ttl("short").await, longest);
        assert!(
            backend
                .expire("short", Duration::ZERO, Condition::Always)
                .await
                .is_err()
        );
    });
}

#[test]
fn outage_the_error_is_the_primarys_where_neither_answers() {
    let stores = Stores::new();
    let backend = stores.fallback();
    stores.primary.faults().fail_all(ErrorKind::Timeout);
    stores.secondary.faults().fail_all(ErrorKind::Connection);
    block_on(async {
        let error = backend.set("k", "v".into(), forever()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(backend.get("k").await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(
            backend.get_many(&["k"]).await[0].as_ref().unwrap_err().kind(),
            ErrorKind::Timeout
        );
    });
}

#[test]
fn outage_two_writes_of_one_key_in_a_batch_keep_their_order() {
    for failed in 0..2 {
        let stores = Stores::new();
        // Each part of the batch of its own fate, as on a cluster.
        let backend = Fallback::builder(OneByOne(stores.primary.clone()), stores.secondary.clone())
            .without_background()
            .build()
            .unwrap();
        stores
            .primary
            .faults()
            .fail_next_of(Operation::Set, failed, ErrorKind::Timeout);
        let items = vec![
            SetItem::new("k", "first", forever()),
            SetItem::new("k", "second", forever()),
        ];
        let results = block_on(backend.set_many(items));
        assert!(results.into_iter().all(|result| result.unwrap().is_done()));
        assert_eq!(block_on(read(&backend.clone(), "k")).is_some(), failed == 0);
        stores.primary.faults().fail_all(ErrorKind::Timeout);
        if failed > 0 {
            assert_eq!(stores.secondary.raw("k"), None, "flushed by the read");
        }
    }
}

/// A backend whose batches are so many calls.
#[derive(Debug)]
struct OneByOne(MemoryBackend);

impl CacheBackend for OneByOne {
    async fn get(&self, key: &str) -> larder::Result<Option<larder::Entry>> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<larder::Result<Option<larder::Entry>>> {
        self.0.get_many(keys).await
    }

    async fn head(&self, key: &str, n: usize) -> larder::Result<Option<larder::Head>> {
        self.0.head(key, n).await
    }

    async fn set(&self, key: &str, value: bytes::Bytes, options: SetOptions) -> larder::Result<Outcome> {
        self.0.set(key, value, options).await
    }

    async fn set_many(&self, items: Vec<SetItem>) -> Vec<larder::Result<Outcome>> {
        let mut results = Vec::new();
        for item in items {
            results.push(self.0.set(&item.key, item.value, item.options).await);
        }
        results
    }

    async fn delete(&self, key: &str, condition: Condition) -> larder::Result<Outcome> {
        self.0.delete(key, condition).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Vec<larder::Result<Outcome>> {
        self.0.delete_many(keys).await
    }

    async fn expire(&self, key: &str, after: Duration, condition: Condition) -> larder::Result<Outcome> {
        self.0.expire(key, after, condition).await
    }

    async fn persist(&self, key: &str, condition: Condition) -> larder::Result<Outcome> {
        self.0.persist(key, condition).await
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl futures::Stream<Item = larder::Result<Vec<String>>> + Send + use<'a> {
        self.0.scan(pattern)
    }
}

#[test]
fn outage_a_breaker_beneath_makes_every_call_of_a_fallback_cost_nothing() {
    let stores = Stores::new();
    let breaker = Breaker::builder(stores.primary.clone())
        .clock(stores.clock.clone())
        .build()
        .unwrap();
    let backend = Fallback::builder(breaker, stores.secondary.clone())
        .clock(stores.clock.clone())
        .without_background()
        .build()
        .unwrap();
    block_on(async {
        put(&backend, "k", "old").await;
        stores.primary.faults().fail_all(ErrorKind::Timeout);
        for _ in 0..5 {
            put(&backend, "k", "new").await;
        }
        stores.primary.reset_calls();
        for _ in 0..100 {
            assert_eq!(read(&backend, "k").await.unwrap(), "new");
            put(&backend, "k", "new").await;
        }
        assert_eq!(stores.primary.calls().total(), 0);

        stores.primary.faults().recover();
        stores.clock.advance(Duration::from_millis(100));
        assert_eq!(read(&backend, "k").await, None, "the probe is the delete");
        put(&backend, "k", "newer").await;
        assert_eq!(stores.primary.raw("k").unwrap(), "newer");
    });
}

#[test]
fn outage_the_change_of_sides_is_told_and_overload_is_none() {
    use FallbackState::{Primary, Replaying, Secondary};

    let stores = Stores::new();
    let told = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&told);
    let backend: Pair = stores
        .builder()
        .on_change(move |state| log.lock().push(state))
        .build()
        .unwrap();
    block_on(async {
        stores.primary.faults().fail_next(1, ErrorKind::Overloaded);
        backend.get("k").await.unwrap();
        assert_eq!(*told.lock(), []);
        stores.primary.faults().fail_all(ErrorKind::Connection);
        put(&backend, "a", "1").await;
        put(&backend, "b", "1").await;
        stores.primary.faults().recover();
        assert_eq!(read(&backend, "other").await, None);
        assert_eq!(backend.state(), Replaying);
        backend.replay().await.unwrap();
        assert_eq!(*told.lock(), [Secondary, Replaying, Primary]);
    });
    assert!(stores.secondary.is_empty());
}
