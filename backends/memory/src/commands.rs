use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use larder::{
    AtOnce, CacheBackend, Capabilities, Condition, Entry, Error, Head, Outcome, Result, SetItem, SetOptions,
    SweepListener, delete_by_scan, delete_by_scan_with, get_by_joining,
};

use crate::{MemoryBackend, Operation};

#[deny(clippy::missing_trait_methods)]
impl CacheBackend for MemoryBackend {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.call(
            Operation::Get,
            1,
            |store, now| Ok(store.value(key, now).map(entry)),
            Err,
        )
        .await
    }

    fn get_joined(&self, prefix: &str, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        get_by_joining(self, prefix, key)
    }

    fn get_at_once(&self, _: &str, _: &str) -> AtOnce {
        // Like a store elsewhere, which it stands for: its reads can be held up and made to fail.
        AtOnce::Unknown
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        if keys.is_empty() {
            return Vec::new();
        }
        self.call(
            Operation::GetMany,
            keys.len(),
            |store, now| keys.iter().map(|key| Ok(store.value(key, now).map(entry))).collect(),
            each(keys.len()),
        )
        .await
    }

    async fn head(&self, key: &str, n: usize) -> Result<Option<Head>> {
        self.call(
            Operation::Head,
            1,
            |store, now| {
                Ok(store.value(key, now).map(|(value, ttl)| {
                    let len = value.len() as u64;
                    Head::new(value.slice(..n.min(value.len())), len, ttl)
                }))
            },
            Err,
        )
        .await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome> {
        self.write(Operation::Set, |store, now| store.set(key, &value, &options, now))
            .await
    }

    async fn set_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        if items.is_empty() {
            return Vec::new();
        }
        self.call(
            Operation::SetMany,
            items.len(),
            |store, now| {
                let set = |item: &SetItem| store.set(&item.key, &item.value, &item.options, now);
                items
                    .iter()
                    .map(set)
                    .map(|outcome| named(Operation::SetMany, outcome))
                    .collect()
            },
            each(items.len()),
        )
        .await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<Outcome> {
        self.write(Operation::Delete, |store, now| store.delete(key, &condition, now))
            .await
    }

    async fn delete_many(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        if keys.is_empty() {
            return Vec::new();
        }
        self.call(
            Operation::DeleteMany,
            keys.len(),
            |store, now| {
                let delete = |key: &&str| store.delete(key, &Condition::Always, now);
                keys.iter().map(delete).collect()
            },
            each(keys.len()),
        )
        .await
    }

    async fn expire(&self, key: &str, after: Duration, condition: Condition) -> Result<Outcome> {
        self.write(Operation::Expire, |store, now| {
            store.expire(key, after, &condition, now)
        })
        .await
    }

    async fn persist(&self, key: &str, condition: Condition) -> Result<Outcome> {
        self.write(Operation::Persist, |store, now| store.persist(key, &condition, now))
            .await
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a> {
        let from_the_start = Some((pattern.to_owned(), None::<String>));
        stream::unfold(from_the_start, async move |at| {
            let (pattern, cursor) = at?;
            let page = self
                .call(
                    Operation::Scan,
                    0,
                    |store, now| Ok(store.page(&pattern, cursor.as_deref(), now)),
                    Err,
                )
                .await;
            Some(match page {
                Ok(page) => (Ok(page.keys), page.resume.map(|cursor| (pattern, Some(cursor)))),
                Err(error) => (Err(error), None),
            })
        })
    }

    fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
        delete_by_scan(self, pattern)
    }

    fn delete_matching_with(
        &self,
        pattern: &str,
        progress: &SweepListener<'_>,
    ) -> impl Future<Output = Result<u64>> + Send {
        delete_by_scan_with(self, pattern, progress)
    }
}

impl MemoryBackend {
    async fn write(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut crate::store::Store, Duration) -> Result<Outcome>,
    ) -> Result<Outcome> {
        named(operation, self.call(operation, 1, act, Err).await)
    }
}

fn entry((value, ttl): (Bytes, larder::KeyTtl)) -> Entry {
    Entry::new(value).with_ttl(ttl)
}

fn named<T>(operation: Operation, result: Result<T>) -> Result<T> {
    result.map_err(|error| error.with_operation(operation.as_str()))
}

/// Answers a batch of `len` with the same error in every place.
fn each<T>(len: usize) -> impl FnOnce(Error) -> Vec<Result<T>> {
    move |error| (0..len).map(|_| Err(error.clone())).collect()
}
