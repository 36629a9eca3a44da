use futures::{Stream, StreamExt, stream};

use super::{Cache, Inner, during, remember::Keys};
use crate::{
    backend::{CacheBackend, SweepListener, SweepProgress},
    error::{Error, Result},
    hook::{Failure, OperationKind, OperationOutcome},
};

impl<B: CacheBackend, S, C> Cache<B, S, C> {
    /// Streams the keys that match `pattern`, without the prefix, in no order.
    ///
    /// `pattern` is a Redis glob over the part of the key behind the prefix. Keys are read page by page as the stream
    /// is polled, so memory is bounded whatever the number of keys. A key that is there throughout is listed at least
    /// once; one may be listed twice, and one written or removed meanwhile may be listed or not. Fill markers, and
    /// entries this cache can not decode, are keys too.
    ///
    /// ```
    /// use futures::TryStreamExt;
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::builder(MemoryBackend::new()).prefix("myapp").build()?;
    /// cache.set_many([("user:1", 1), ("user:2", 2), ("post:1", 3)], 60).await?;
    ///
    /// let mut keys = cache.keys("user:*");
    /// while let Some(key) = keys.try_next().await? {
    ///     assert!(key.starts_with("user:"));
    /// }
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The stream ends with the first error of the backend.
    ///
    /// # Cancel safety
    ///
    /// A dropped stream asks for no further page.
    pub fn keys(&self, pattern: &str) -> impl Stream<Item = Result<String>> + Send + Unpin + use<'_, B, S, C> {
        let Inner {
            keys: space,
            fallback,
            hooks,
            ..
        } = &*self.inner;
        let pages = Box::pin(self.backend().scan(&space.pattern(pattern)));
        let scope = self.begin(OperationKind::Keys, Some(pattern), None).into_owned();
        let pages = stream::unfold(Some((pages, scope, pattern.to_owned())), move |state| async move {
            let (mut pages, scope, pattern) = state?;
            let part = scope.child(OperationKind::BackendScan, Some(&pattern), None);
            let page = pages.next().await;
            part.end_number(&page.as_ref().map_or(Ok(0), |page| page.as_ref().map(Vec::len)));
            let Some(page) = page else {
                scope.finish(None);
                return None;
            };
            let has_failed = page.is_err();
            match fallback.or_nothing(hooks, &scope, &pattern, page.map_err(during("keys")), Vec::new()) {
                Ok(page) => {
                    let keys = page.iter().filter_map(|key| space.logical(key));
                    let keys: Vec<_> = keys.map(|key| Ok(key.to_owned())).collect();
                    scope.count_many(OperationOutcome::Done, (keys.len() + usize::from(has_failed)) as u64);
                    Some((keys, Some((pages, scope, pattern))))
                }
                Err(error) => {
                    scope.finish(Some(Failure::Cache(&error)));
                    Some((vec![Err(error)], None))
                }
            }
        });
        Box::pin(pages.flat_map(stream::iter))
    }

    /// Removes every key that matches `pattern` and answers how many it removed.
    ///
    /// `pattern` is a Redis glob over the part of the key behind the prefix. Keys are found page by page and removed
    /// in batches, so neither memory nor the server's time per command grows with their number. A key written while
    /// this runs may be removed or not. Loads of the removed keys that are under way are voided; their markers count
    /// as removed keys.
    ///
    /// # Errors
    ///
    /// What the backend raises; the message says how many keys had been removed by then.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped has removed some of the keys.
    pub async fn delete_pattern(&self, pattern: &str) -> Result<u64> {
        let physical = self.inner.keys.pattern(pattern);
        self.remove_matching(pattern, &physical, OperationKind::DeletePattern, None)
            .await
    }

    /// [`delete_pattern`](Self::delete_pattern) that tells `progress` after every batch of keys how far it has come.
    ///
    /// It is told from within the call, so it should be quick. Neither memory nor the time between two calls of it grows
    /// with the number of keys; where few keys match, a scan may take long to find the next batch.
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::new());
    /// cache.set_many((0..2_000).map(|id| (format!("user:{id}"), id)), 60).await?;
    ///
    /// let (told, removed) = (AtomicU64::new(0), AtomicU64::new(0));
    /// let progress = |progress: larder::SweepProgress| {
    ///     told.fetch_add(1, Ordering::Relaxed);
    ///     removed.store(progress.removed, Ordering::Relaxed);
    /// };
    /// assert_eq!(cache.delete_pattern_with("user:*", progress).await?, 2_000);
    /// assert_eq!(removed.into_inner(), 2_000);
    /// assert!(told.into_inner() >= 4);
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`delete_pattern`](Self::delete_pattern).
    ///
    /// # Cancel safety
    ///
    /// As [`delete_pattern`](Self::delete_pattern).
    pub async fn delete_pattern_with(
        &self,
        pattern: &str,
        progress: impl Fn(SweepProgress) + Send + Sync,
    ) -> Result<u64> {
        let physical = self.inner.keys.pattern(pattern);
        self.remove_matching(pattern, &physical, OperationKind::DeletePattern, Some(&progress))
            .await
    }

    /// Removes every key under this cache's prefix and answers how many it removed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a cache without a prefix, because that would be
    /// the whole database: [`clear_database`](Self::clear_database) says so in its name. Otherwise as
    /// [`delete_pattern`](Self::delete_pattern).
    pub async fn clear(&self) -> Result<u64> {
        let physical = self.inner.keys.pattern("*");
        self.remove_matching("*", &physical, OperationKind::Clear, None).await
    }

    /// [`clear`](Self::clear) that tells `progress` how far it has come, like
    /// [`delete_pattern_with`](Self::delete_pattern_with).
    ///
    /// # Errors
    ///
    /// As [`clear`](Self::clear).
    pub async fn clear_with(&self, progress: impl Fn(SweepProgress) + Send + Sync) -> Result<u64> {
        let physical = self.inner.keys.pattern("*");
        self.remove_matching("*", &physical, OperationKind::Clear, Some(&progress))
            .await
    }

    /// Removes every key of the backend's database, whoever wrote it, whatever this cache's prefix; answers how many.
    ///
    /// # Errors
    ///
    /// As [`delete_pattern`](Self::delete_pattern).
    pub async fn clear_database(&self) -> Result<u64> {
        self.remove_matching("*", "*", OperationKind::ClearDatabase, None).await
    }

    async fn remove_matching(
        &self,
        pattern: &str,
        physical: &str,
        kind: OperationKind,
        progress: Option<&SweepListener<'_>>,
    ) -> Result<u64> {
        let scope = self.begin(kind, Some(pattern), None);
        let removed = if kind == OperationKind::Clear && self.prefix().is_none() {
            Err(Error::invalid(
                "the cache has no prefix, so this would remove every key of the database; clear_database does that",
            )
            .with_operation(scope.name()))
        } else {
            let _voided = self.invalidate(Keys::Matching(physical));
            let removed = self.store(&scope).delete_matching(physical, progress).await;
            self.or_nothing(&scope, pattern, removed.map_err(during(scope.name())), 0)
        };
        scope.end_number(
            &removed
                .as_ref()
                .map(|&keys| usize::try_from(keys).unwrap_or(usize::MAX)),
        );
        removed
    }
}
