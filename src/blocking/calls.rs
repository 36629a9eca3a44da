use std::sync::Arc;

use futures::StreamExt;
use serde::{Serialize, de::DeserializeOwned};

use super::{cache::BlockingCache, park::block_on};
use crate::{
    backend::{CacheBackend, KeyTtl, SweepProgress},
    cache::Lookup,
    compressor::Compressor,
    error::{Error, Result},
    serializer::Serializer,
    ttl::Ttl,
};

impl<B, S, C> BlockingCache<B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// See [`Cache::get`](crate::Cache::get).
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        block_on(self.cache.get(key))
    }

    /// See [`Cache::get_shared`](crate::Cache::get_shared).
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_local::LocalBackend;
    /// use std::sync::Arc;
    ///
    /// let cache = Cache::new(LocalBackend::with_capacity(1_000)).blocking();
    /// cache.set("countries", &vec!["Ghana", "Togo"], "1h")?;
    ///
    /// let first: Option<Arc<Vec<String>>> = cache.get_shared("countries")?;
    /// let second = cache.get_shared("countries")?;
    /// assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn get_shared<T>(&self, key: &str) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        block_on(self.cache.get_shared(key))
    }

    /// See [`Cache::lookup`](crate::Cache::lookup).
    pub fn lookup<T: DeserializeOwned>(&self, key: &str) -> Result<Lookup<T>> {
        block_on(self.cache.lookup(key))
    }

    /// See [`Cache::pull`](crate::Cache::pull).
    pub fn pull<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        block_on(self.cache.pull(key))
    }

    /// See [`Cache::set`](crate::Cache::set).
    pub fn set<T>(&self, key: &str, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<()>
    where
        T: Serialize + ?Sized,
    {
        block_on(self.cache.set(key, value, ttl))
    }

    /// See [`Cache::add`](crate::Cache::add).
    pub fn add<T>(&self, key: &str, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool>
    where
        T: Serialize + ?Sized,
    {
        block_on(self.cache.add(key, value, ttl))
    }

    /// See [`Cache::replace`](crate::Cache::replace).
    pub fn replace<T>(&self, key: &str, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool>
    where
        T: Serialize + ?Sized,
    {
        block_on(self.cache.replace(key, value, ttl))
    }

    /// See [`Cache::exists`](crate::Cache::exists).
    pub fn exists(&self, key: &str) -> Result<bool> {
        block_on(self.cache.exists(key))
    }

    /// See [`Cache::ttl`](crate::Cache::ttl).
    pub fn ttl(&self, key: &str) -> Result<KeyTtl> {
        block_on(self.cache.ttl(key))
    }

    /// See [`Cache::pttl`](crate::Cache::pttl).
    pub fn pttl(&self, key: &str) -> Result<KeyTtl> {
        block_on(self.cache.pttl(key))
    }
}

impl<B: CacheBackend, S, C> BlockingCache<B, S, C> {
    /// See [`Cache::delete`](crate::Cache::delete).
    pub fn delete(&self, key: &str) -> Result<bool> {
        block_on(self.cache.delete(key))
    }

    /// See [`Cache::expire`](crate::Cache::expire).
    pub fn expire(&self, key: &str, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool> {
        block_on(self.cache.expire(key, ttl))
    }

    /// See [`Cache::touch`](crate::Cache::touch).
    pub fn touch(&self, key: &str) -> Result<bool> {
        block_on(self.cache.touch(key))
    }

    /// See [`Cache::persist`](crate::Cache::persist).
    pub fn persist(&self, key: &str) -> Result<bool> {
        block_on(self.cache.persist(key))
    }

    /// See [`Cache::keys`](crate::Cache::keys): the same keys, read page by page as the iterator is asked for them.
    ///
    /// # Errors
    ///
    /// The iterator ends with the first error of the backend.
    pub fn keys(&self, pattern: &str) -> impl Iterator<Item = Result<String>> + Send + use<'_, B, S, C> {
        let mut keys = self.cache.keys(pattern).fuse();
        std::iter::from_fn(move || block_on(keys.next()))
    }

    /// See [`Cache::delete_pattern`](crate::Cache::delete_pattern).
    pub fn delete_pattern(&self, pattern: &str) -> Result<u64> {
        block_on(self.cache.delete_pattern(pattern))
    }

    /// See [`Cache::delete_pattern_with`](crate::Cache::delete_pattern_with).
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let cache = Cache::new(MemoryBackend::new()).blocking();
    /// cache.set_many((0..2_000).map(|id| (format!("user:{id}"), id)), 60)?;
    ///
    /// let removed = AtomicU64::new(0);
    /// let progress = |progress: larder::SweepProgress| removed.store(progress.removed, Ordering::Relaxed);
    /// assert_eq!(cache.delete_pattern_with("user:*", progress)?, 2_000);
    /// assert_eq!(removed.into_inner(), 2_000);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn delete_pattern_with(&self, pattern: &str, progress: impl Fn(SweepProgress) + Send + Sync) -> Result<u64> {
        block_on(self.cache.delete_pattern_with(pattern, progress))
    }

    /// See [`Cache::clear`](crate::Cache::clear).
    pub fn clear(&self) -> Result<u64> {
        block_on(self.cache.clear())
    }

    /// See [`Cache::clear_with`](crate::Cache::clear_with).
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let cache = Cache::builder(MemoryBackend::new()).prefix("myapp").build()?.blocking();
    /// cache.set_many((0..10).map(|id| (format!("user:{id}"), id)), 60)?;
    ///
    /// let removed = AtomicU64::new(0);
    /// let progress = |progress: larder::SweepProgress| removed.store(progress.removed, Ordering::Relaxed);
    /// assert_eq!(cache.clear_with(progress)?, 10);
    /// assert_eq!(removed.into_inner(), 10);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn clear_with(&self, progress: impl Fn(SweepProgress) + Send + Sync) -> Result<u64> {
        block_on(self.cache.clear_with(progress))
    }

    /// See [`Cache::clear_database`](crate::Cache::clear_database).
    pub fn clear_database(&self) -> Result<u64> {
        block_on(self.cache.clear_database())
    }
}
