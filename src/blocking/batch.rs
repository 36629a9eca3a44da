use std::collections::HashMap;

use serde::{Serialize, de::DeserializeOwned};

use super::{cache::BlockingCache, park::block_on};
use crate::{
    backend::CacheBackend,
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
    /// See [`Cache::get_many`](crate::Cache::get_many).
    pub fn get_many<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<HashMap<String, T>> {
        block_on(self.cache.get_many(keys))
    }

    /// See [`Cache::get_many_results`](crate::Cache::get_many_results).
    pub fn get_many_results<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Vec<(String, Result<Lookup<T>>)> {
        block_on(self.cache.get_many_results(keys))
    }

    /// See [`Cache::set_many`](crate::Cache::set_many).
    pub fn set_many<K, T>(
        &self,
        items: impl IntoIterator<Item = (K, T)>,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
    ) -> Result<()>
    where
        K: AsRef<str>,
        T: Serialize,
    {
        block_on(self.cache.set_many(items, ttl))
    }

    /// See [`Cache::set_many_results`](crate::Cache::set_many_results).
    pub fn set_many_results<K, T>(
        &self,
        items: impl IntoIterator<Item = (K, T)>,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
    ) -> Result<Vec<(String, Result<()>)>>
    where
        K: AsRef<str>,
        T: Serialize,
    {
        block_on(self.cache.set_many_results(items, ttl))
    }
}

impl<B: CacheBackend, S, C> BlockingCache<B, S, C> {
    /// See [`Cache::delete_many`](crate::Cache::delete_many).
    pub fn delete_many(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Result<u64> {
        block_on(self.cache.delete_many(keys))
    }

    /// See [`Cache::delete_many_results`](crate::Cache::delete_many_results).
    pub fn delete_many_results(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<(String, Result<bool>)> {
        block_on(self.cache.delete_many_results(keys))
    }
}
