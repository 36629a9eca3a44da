use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{cache::BlockingCache, park::block_on};
use crate::{
    backend::{CacheBackend, KeyTtl},
    cache::{Bound, Lookup},
    compressor::Compressor,
    error::{Error, Result},
    serializer::Serializer,
    ttl::Ttl,
};

/// One key of a cache and the type that stands under it, for code that is not async, from [`BlockingCache::bind`].
///
/// # Examples
///
/// ```
/// use larder::Cache;
/// use larder_memory::MemoryBackend;
///
/// let cache = Cache::new(MemoryBackend::new()).blocking();
/// let visits = cache.bind::<u64>("visits");
///
/// visits.set(&1, "1h")?;
/// assert_eq!(visits.get()?, Some(1));
/// assert!(visits.delete()?);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct BlockingBound<T, B, S, C> {
    bound: Bound<T, B, S, C>,
}

impl<B, S, C> BlockingCache<B, S, C> {
    /// Binds `key` to the type `T`.
    pub fn bind<T>(&self, key: impl Into<String>) -> BlockingBound<T, B, S, C> {
        BlockingBound {
            bound: self.cache.bind(key),
        }
    }
}

impl<T, B, S, C> BlockingBound<T, B, S, C> {
    /// See [`Bound::schema_version`].
    #[must_use]
    pub fn schema_version(self, version: u32) -> Self {
        Self {
            bound: self.bound.schema_version(version),
        }
    }

    /// The key, without the cache's prefix.
    #[must_use]
    pub fn key(&self) -> &str {
        self.bound.key()
    }
}

impl<T, B, S, C> BlockingBound<T, B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// See [`Cache::get`](crate::Cache::get).
    pub fn get(&self) -> Result<Option<T>>
    where
        T: DeserializeOwned,
    {
        block_on(self.bound.get())
    }

    /// See [`Cache::get_shared`](crate::Cache::get_shared).
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_local::LocalBackend;
    /// use std::sync::Arc;
    ///
    /// let countries = Cache::new(LocalBackend::with_capacity(1_000)).blocking().bind::<Vec<String>>("countries");
    /// countries.set(&vec!["Ghana".to_owned(), "Togo".to_owned()], "1h")?;
    ///
    /// let first = countries.get_shared()?.unwrap();
    /// assert!(Arc::ptr_eq(&first, &countries.get_shared()?.unwrap()));
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn get_shared(&self) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        block_on(self.bound.get_shared())
    }

    /// See [`Cache::lookup`](crate::Cache::lookup).
    pub fn lookup(&self) -> Result<Lookup<T>>
    where
        T: DeserializeOwned,
    {
        block_on(self.bound.lookup())
    }

    /// See [`Cache::pull`](crate::Cache::pull).
    pub fn pull(&self) -> Result<Option<T>>
    where
        T: DeserializeOwned,
    {
        block_on(self.bound.pull())
    }

    /// See [`Cache::set`](crate::Cache::set).
    pub fn set(&self, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<()>
    where
        T: Serialize,
    {
        block_on(self.bound.set(value, ttl))
    }

    /// See [`Cache::add`](crate::Cache::add).
    pub fn add(&self, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool>
    where
        T: Serialize,
    {
        block_on(self.bound.add(value, ttl))
    }

    /// See [`Cache::replace`](crate::Cache::replace).
    pub fn replace(&self, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool>
    where
        T: Serialize,
    {
        block_on(self.bound.replace(value, ttl))
    }

    /// See [`Cache::exists`](crate::Cache::exists).
    pub fn exists(&self) -> Result<bool> {
        block_on(self.bound.exists())
    }

    /// See [`Cache::ttl`](crate::Cache::ttl).
    pub fn ttl(&self) -> Result<KeyTtl> {
        block_on(self.bound.ttl())
    }

    /// See [`Cache::pttl`](crate::Cache::pttl).
    pub fn pttl(&self) -> Result<KeyTtl> {
        block_on(self.bound.pttl())
    }

    /// See [`Cache::delete`](crate::Cache::delete).
    pub fn delete(&self) -> Result<bool> {
        block_on(self.bound.delete())
    }

    /// See [`Cache::expire`](crate::Cache::expire).
    pub fn expire(&self, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool> {
        block_on(self.bound.expire(ttl))
    }

    /// See [`Cache::persist`](crate::Cache::persist).
    pub fn persist(&self) -> Result<bool> {
        block_on(self.bound.persist())
    }

    /// See [`Cache::touch`](crate::Cache::touch).
    pub fn touch(&self) -> Result<bool> {
        block_on(self.bound.touch())
    }
}

impl<T, B, S, C> Clone for BlockingBound<T, B, S, C> {
    fn clone(&self) -> Self {
        Self {
            bound: self.bound.clone(),
        }
    }
}

impl<T, B: fmt::Debug, S, C> fmt::Debug for BlockingBound<T, B, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlockingBound").field(&self.bound).finish()
    }
}
