use std::{future::Future, time::Duration};

use bytes::Bytes;
use futures::Stream;

use super::{
    Fallback, Inner,
    one::{Attempt, Effect, Target, change_on_nothing, of_both, set_on_nothing},
};
use crate::{
    backend::{
        AtOnce, CacheBackend, Capabilities, Condition, Entry, Expiry, Head, Outcome, SetItem, SetOptions,
        SweepListener, get_by_joining,
    },
    error::Result,
};

impl<P, S> Inner<P, S> {
    /// The options of a write to the secondary, whose life is no longer than it may be there.
    pub(super) fn shortened(&self, mut options: SetOptions) -> SetOptions {
        options.expiry = match options.expiry {
            Expiry::After(span) => Expiry::After(span.min(self.max_ttl)),
            Expiry::Never => Expiry::After(self.max_ttl),
            Expiry::Keep => Expiry::Keep,
        };
        options
    }
}

#[deny(clippy::missing_trait_methods)]
impl<P, S> CacheBackend for Fallback<P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    fn capabilities(&self) -> Capabilities {
        let (primary, secondary) = (self.inner.primary.capabilities(), self.inner.secondary.capabilities());
        primary.with_evicts(primary.evicts || secondary.evicts)
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let inner = &*self.inner;
        inner
            .read(key, || inner.primary.get(key), || inner.secondary.get(key))
            .await
    }

    fn get_joined(&self, prefix: &str, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        // The journal goes by whole keys.
        get_by_joining(self, prefix, key)
    }

    fn get_at_once(&self, _: &str, _: &str) -> AtOnce {
        // The journal may know better.
        AtOnce::Unknown
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        self.inner.read_many(keys).await
    }

    async fn head(&self, key: &str, n: usize) -> Result<Option<Head>> {
        let inner = &*self.inner;
        inner
            .read(key, || inner.primary.head(key, n), || inner.secondary.head(key, n))
            .await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome> {
        let inner = &*self.inner;
        let shortened = inner.shortened(options.clone());
        inner
            .write(
                key,
                Effect::of_set(&options),
                || inner.primary.set(key, value.clone(), options.clone()),
                || inner.secondary.set(key, value.clone(), shortened),
                || set_on_nothing(&options),
            )
            .await
    }

    async fn set_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        if items.is_empty() {
            return Vec::new();
        }
        self.inner.write_many(items).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<Outcome> {
        let inner = &*self.inner;
        inner
            .write(
                key,
                Effect::of_delete(&condition),
                || inner.primary.delete(key, condition.clone()),
                || inner.secondary.delete(key, condition.clone()),
                || change_on_nothing(&condition),
            )
            .await
    }

    async fn delete_many(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        if keys.is_empty() {
            return Vec::new();
        }
        self.inner.remove_many(keys).await
    }

    async fn expire(&self, key: &str, after: Duration, condition: Condition) -> Result<Outcome> {
        let inner = &*self.inner;
        let shortened = after.min(inner.max_ttl);
        inner
            .write(
                key,
                Effect::Changes,
                || inner.primary.expire(key, after, condition.clone()),
                || inner.secondary.expire(key, shortened, condition.clone()),
                || Expiry::whole_millis(after).and_then(|_| change_on_nothing(&condition)),
            )
            .await
    }

    async fn persist(&self, key: &str, condition: Condition) -> Result<Outcome> {
        let inner = &*self.inner;
        inner
            .write(
                key,
                Effect::Changes,
                || inner.primary.persist(key, condition.clone()),
                // Nothing lives for ever there.
                || inner.secondary.expire(key, inner.max_ttl, condition.clone()),
                || change_on_nothing(&condition),
            )
            .await
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a, P, S> {
        self.pages(pattern)
    }

    fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
        self.inner.remove_matching(pattern, &|_| ())
    }

    fn delete_matching_with(
        &self,
        pattern: &str,
        progress: &SweepListener<'_>,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.inner.remove_matching(pattern, progress)
    }
}

impl<P, S> Inner<P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    async fn remove_matching(&self, pattern: &str, progress: &SweepListener<'_>) -> Result<u64> {
        let attempt = Attempt::new(self, Some(Target::Pattern(pattern)));
        let result = self.primary.delete_matching_with(pattern, progress).await;
        self.heard(&result);
        match result {
            Err(error) if error.is_unavailable() => {
                self.journal.add_pattern(pattern);
                attempt.settle();
                self.watch();
                let removed = self.secondary.delete_matching_with(pattern, progress).await;
                removed.map_err(|own| of_both(own, error))
            }
            result => {
                attempt.settle();
                if !self.journal.is_empty() {
                    self.secondary.delete_matching(pattern).await?;
                }
                result
            }
        }
    }
}
