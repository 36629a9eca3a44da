use std::{collections::HashMap, future::ready, hash::Hash};

use serde::{Serialize, de::DeserializeOwned};

use super::{cache::BlockingCache, park::block_on};
use crate::{
    backend::CacheBackend,
    compressor::Compressor,
    error::{Error, Result},
    remember::{LoadError, LoadOptions, Loaded, Remembered, RememberedMany},
    serializer::Serializer,
    ttl::Ttl,
};

impl<B, S, C> BlockingCache<B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// See [`Cache::remember`](crate::Cache::remember); the loader is a plain closure, and may make blocking calls of
    /// its own.
    ///
    /// ```
    /// use larder::{Cache, LoadError};
    /// use larder_memory::MemoryBackend;
    ///
    /// let cache = Cache::new(MemoryBackend::new()).blocking();
    /// let total = cache.remember("total", "1h", || {
    ///     let one: u32 = cache.remember("one", "1h", || Ok::<_, LoadError<String>>(1))?;
    ///     Ok::<_, LoadError<LoadError<String>>>(one + 1)
    /// });
    /// assert_eq!(total.unwrap(), 2);
    ///
    /// let again = cache.remember("loop", "1h", || cache.remember("loop", "1h", || Ok::<u32, String>(1)));
    /// assert!(matches!(again.unwrap_err().loader(), Some(LoadError::Reentrant)));
    /// ```
    pub fn remember<T, E, F>(
        &self,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        loader: F,
    ) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: FnOnce() -> Result<T, E>,
    {
        block_on(self.cache.remember(key, ttl, || ready(loader())))
    }

    /// See [`Cache::remember_with`](crate::Cache::remember_with).
    pub fn remember_with<T, E, F>(
        &self,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        loader: F,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: FnOnce() -> Result<Loaded<T>, E>,
    {
        block_on(self.cache.remember_with(key, ttl, options, || ready(loader())))
    }

    /// See [`Cache::remember_many`](crate::Cache::remember_many).
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    /// use std::collections::HashMap;
    ///
    /// let cache = Cache::new(MemoryBackend::new()).blocking();
    /// let load = |missing: Vec<u64>| {
    ///     Ok::<_, String>(missing.into_iter().map(|id| (id, id * 10)).collect::<HashMap<_, _>>())
    /// };
    /// let found = cache.remember_many([1, 2], |id| format!("ten:{id}"), "1h", load).unwrap();
    /// assert_eq!(found, HashMap::from([(1, 10), (2, 20)]));
    /// ```
    pub fn remember_many<K, T, E, M, F>(
        &self,
        ids: impl IntoIterator<Item = K>,
        key_of: impl Fn(&K) -> String,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        mut loader: F,
    ) -> Result<HashMap<K, T>, LoadError<E>>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, T)>,
        F: FnMut(Vec<K>) -> Result<M, E>,
    {
        let loader = |missing| ready(loader(missing));
        block_on(self.cache.remember_many(ids, key_of, ttl, loader))
    }

    /// See [`Cache::remember_many_with`](crate::Cache::remember_many_with).
    pub fn remember_many_with<K, T, E, M, F>(
        &self,
        ids: impl IntoIterator<Item = K>,
        key_of: impl Fn(&K) -> String,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        mut loader: F,
    ) -> Result<RememberedMany<K, T, E>, LoadError<E>>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, Loaded<T>)>,
        F: FnMut(Vec<K>) -> Result<M, E>,
    {
        let loader = |missing| ready(loader(missing));
        block_on(self.cache.remember_many_with(ids, key_of, ttl, options, loader))
    }
}
