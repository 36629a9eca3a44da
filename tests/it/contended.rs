//! A key that is another each time a call has looked at it.

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use larder::{
    Cache, CacheBackend, Condition, Entry, Error, ErrorKind, FallbackPolicy, Head, Outcome, Result, SetItem, SetOptions,
};
use larder_memory::MemoryBackend;

use crate::backends::block_on;

/// A store in which somebody else has written a key whenever it is to be changed as it was seen.
#[derive(Debug)]
struct Restless(MemoryBackend);

fn is_as_seen(condition: &Condition) -> bool {
    matches!(condition, Condition::IfStartsWith(_))
}

impl CacheBackend for Restless {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        self.0.get_many(keys).await
    }

    async fn head(&self, key: &str, n: usize) -> Result<Option<Head>> {
        self.0.head(key, n).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome> {
        if is_as_seen(&options.condition) {
            return Ok(Outcome::Mismatch);
        }
        self.0.set(key, value, options).await
    }

    async fn set_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        self.0.set_many(items).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<Outcome> {
        if is_as_seen(&condition) {
            return Ok(Outcome::Mismatch);
        }
        self.0.delete(key, condition).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        self.0.delete_many(keys).await
    }

    async fn expire(&self, key: &str, after: Duration, condition: Condition) -> Result<Outcome> {
        if is_as_seen(&condition) {
            return Ok(Outcome::Mismatch);
        }
        self.0.expire(key, after, condition).await
    }

    async fn persist(&self, key: &str, condition: Condition) -> Result<Outcome> {
        if is_as_seen(&condition) {
            return Ok(Outcome::Mismatch);
        }
        self.0.persist(key, condition).await
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a> {
        self.0.scan(pattern)
    }
}

/// Nothing is away, so nothing that is for outages may take the error for one.
#[test]
fn a_key_that_never_stands_still_is_an_error_that_no_policy_acts_on() {
    let quiet = Cache::builder(Restless(MemoryBackend::new()))
        .default_ttl("1h")
        .fallback(FallbackPolicy::ReturnNone);
    let cache = quiet.build().unwrap();
    let errors: Vec<Error> = block_on(async {
        cache.set("k", &1_u8, 60).await.unwrap();
        vec![
            cache.delete("k").await.unwrap_err(),
            cache.pull::<u8>("k").await.unwrap_err(),
            cache.replace("k", &2_u8, 60).await.unwrap_err(),
            cache.expire("k", 60).await.unwrap_err(),
            cache.persist("k").await.unwrap_err(),
            cache.touch("k").await.unwrap_err(),
        ]
    });
    for (error, operation) in errors
        .iter()
        .zip(["delete", "pull", "replace", "expire", "persist", "touch"])
    {
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        assert_eq!(
            error.to_string(),
            format!("{operation}: the key changed 32 times while the call looked at it; nothing was done")
        );
    }
}
