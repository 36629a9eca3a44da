use std::{future::Future, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use super::{Breaker, circuit::Verdict};
use crate::{
    backend::{
        AtOnce, CacheBackend, Capabilities, Condition, Entry, Head, Outcome, SetItem, SetOptions, SweepListener,
    },
    error::Result,
};

impl<B: CacheBackend> Breaker<B> {
    async fn call<T>(
        &self,
        operation: impl Into<Option<&'static str>> + Send,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let permit = self.circuit.admit().map_err(|error| match operation.into() {
            Some(operation) => error.with_operation(operation),
            None => error,
        })?;
        let result = call.await;
        permit.settle(Verdict::of(&result), || result.as_ref().err().cloned());
        result
    }

    async fn call_many<T>(
        &self,
        operation: &'static str,
        len: usize,
        call: impl Future<Output = Vec<Result<T>>> + Send,
    ) -> Vec<Result<T>> {
        if len == 0 {
            return Vec::new();
        }
        match self.circuit.admit() {
            Ok(permit) => {
                let results = call.await;
                permit.settle(Verdict::of_many(&results), || {
                    results.iter().find_map(|result| result.as_ref().err().cloned())
                });
                results
            }
            Err(error) => {
                let error = error.with_operation(operation);
                (0..len).map(|_| Err(error.clone())).collect()
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<B: CacheBackend> CacheBackend for Breaker<B> {
    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        self.call("get", self.backend.get(key))
    }

    fn get_joined(&self, prefix: &str, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        self.call("get", self.backend.get_joined(prefix, key))
    }

    fn get_at_once(&self, _: &str, _: &str) -> AtOnce {
        // A read is let through and counted.
        AtOnce::Unknown
    }

    fn get_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Option<Entry>>>> + Send {
        self.call_many("get_many", keys.len(), self.backend.get_many(keys))
    }

    fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send {
        self.call("head", self.backend.head(key, n))
    }

    fn set(&self, key: &str, value: Bytes, options: SetOptions) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("set", self.backend.set(key, value, options))
    }

    fn set_many(&self, items: Vec<SetItem>) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.call_many("set_many", items.len(), self.backend.set_many(items))
    }

    fn delete(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("delete", self.backend.delete(key, condition))
    }

    fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.call_many("delete_many", keys.len(), self.backend.delete_many(keys))
    }

    fn expire(&self, key: &str, after: Duration, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("expire", self.backend.expire(key, after, condition))
    }

    fn persist(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("persist", self.backend.persist(key, condition))
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a, B> {
        let pages = Box::pin(self.backend.scan(pattern));
        stream::unfold(Some(pages), async move |pages| {
            let mut pages = pages?;
            let permit = match self.circuit.admit() {
                Ok(permit) => permit,
                Err(error) => return Some((Err(error.with_operation("scan")), None)),
            };
            let Some(page) = pages.next().await else {
                // The end is no answer of the store's: the last page was.
                permit.settle(Verdict::Silent, || None);
                return None;
            };
            permit.settle(Verdict::of(&page), || page.as_ref().err().cloned());
            let rest = page.is_ok().then_some(pages);
            Some((page, rest))
        })
    }

    fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
        // Left to the caller to name, as the errors of the provided one are: `delete_pattern`, `clear`, `replay`.
        self.call(None, self.backend.delete_matching(pattern))
    }

    fn delete_matching_with(
        &self,
        pattern: &str,
        progress: &SweepListener<'_>,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.call(None, self.backend.delete_matching_with(pattern, progress))
    }
}
