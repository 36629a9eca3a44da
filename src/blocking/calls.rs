use futures::StreamExt;
use serde::{Serialize, de::DeserializeOwned};

use super::{cache::BlockingCache, park::block_on};
use crate::{
    backend::{CacheBackend, KeyTtl},
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

    /// See [`Cache::clear`](crate::Cache::clear).
    pub fn clear(&self) -> Result<u64> {
        block_on(self.cache.clear())
    }

    /// See [`Cache::clear_database`](crate::Cache::clear_database).
    pub fn clear_database(&self) -> Result<u64> {
        block_on(self.cache.clear_database())
    }
}
