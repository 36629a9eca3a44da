use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use larder::{
    AtOnce, CacheBackend, Capabilities, Condition, Entry, Head, Outcome, Result, SetItem, SetOptions, SweepListener,
    delete_by_scan, delete_by_scan_with, glob,
};

use crate::{LocalBackend, key::Parts};

/// How many entries a page of a scan looks at, and so the most it can hold.
const PAGE: usize = 512;

#[deny(clippy::missing_trait_methods)]
impl CacheBackend for LocalBackend {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_evicts(true)
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.map().read(&Parts::whole(key)).map(Entry::from))
    }

    fn get_joined(&self, prefix: &str, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        // Put together here, where the future keeps it: an `async fn` would keep its arguments and then move them.
        let key = Parts::new(prefix, key);
        async move { Ok(self.map().read(&key).map(Entry::from)) }
    }

    #[inline]
    fn get_at_once(&self, prefix: &str, key: &str) -> AtOnce {
        (self.map().read(&Parts::new(prefix, key))).map_or(AtOnce::Missing, AtOnce::Found)
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        keys.iter()
            .map(|key| Ok(self.map().read(&Parts::whole(key)).map(Entry::from)))
            .collect()
    }

    async fn head(&self, key: &str, n: usize) -> Result<Option<Head>> {
        Ok(self.map().read_with_life(&Parts::whole(key)).map(|(value, ttl)| {
            let value = value.bytes();
            Head::new(value.slice(..n.min(value.len())), value.len() as u64, ttl)
        }))
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome> {
        named("set", self.map().set(key, &value, &options))
    }

    async fn set_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        let set = |item: SetItem| self.map().set(&item.key, &item.value, &item.options);
        items
            .into_iter()
            .map(set)
            .map(|outcome| named("set_many", outcome))
            .collect()
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<Outcome> {
        named("delete", self.map().delete(key, &condition))
    }

    async fn delete_many(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        let delete = |key: &&str| self.map().delete(key, &Condition::Always);
        keys.iter().map(delete).collect()
    }

    async fn expire(&self, key: &str, after: Duration, condition: Condition) -> Result<Outcome> {
        named("expire", self.map().expire(key, after, &condition))
    }

    async fn persist(&self, key: &str, condition: Condition) -> Result<Outcome> {
        named("persist", self.map().persist(key, &condition))
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a> {
        let pattern = pattern.to_owned();
        // The iterator locks one shard for one entry at a time and remembers its place, nothing more.
        let mut entries = self.map().entries().iter();
        let mut has_more = true;
        let pages = std::iter::from_fn(move || {
            if !has_more {
                return None;
            }
            let mut keys = Vec::new();
            for _ in 0..PAGE {
                let Some((key, slot)) = entries.next() else {
                    has_more = false;
                    break;
                };
                if self.map().is_dead(&slot) {
                    self.map().remove_dead(&Parts::whole(key.as_str()));
                } else if glob::matches(&pattern, key.as_str()) {
                    keys.push(key.into_string());
                }
            }
            Some(Ok(keys))
        });
        stream::iter(pages)
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

fn named<T>(operation: &'static str, result: Result<T>) -> Result<T> {
    result.map_err(|error| error.with_operation(operation))
}
