use std::{fmt, marker::PhantomData, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{Cache, Lookup};
use crate::{
    backend::{CacheBackend, KeyTtl},
    compressor::Compressor,
    error::{Error, Result},
    hook::OperationKind,
    serializer::Serializer,
    ttl::Ttl,
};

/// One key of a cache and the type that stands under it, from [`Cache::bind`].
///
/// Owns a handle on the cache, so it can be kept, cloned and sent to tasks. Every method is the cache's method of the
/// same name for this key.
///
/// # Examples
///
/// ```
/// use larder::Cache;
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let cache = Cache::new(MemoryBackend::new());
/// let visits = cache.bind::<u64>("visits");
///
/// visits.set(&1, "1h").await?;
/// assert_eq!(visits.get().await?, Some(1));
/// assert!(visits.delete().await?);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub struct Bound<T, B, S, C> {
    cache: Cache<B, S, C>,
    key: Box<str>,
    schema: u32,
    // A key makes and takes values of `T` and holds none, so it is `Send` and `Sync` whatever `T` is.
    value: PhantomData<fn(T) -> T>,
}

impl<B, S, C> Cache<B, S, C> {
    /// Binds `key` to the type `T`.
    pub fn bind<T>(&self, key: impl Into<String>) -> Bound<T, B, S, C> {
        Bound {
            cache: self.clone(),
            key: key.into().into_boxed_str(),
            schema: self.settings().sealing.schema,
            value: PhantomData,
        }
    }
}

impl<T, B, S, C> Bound<T, B, S, C> {
    /// Gives this key a schema version of its own, in the place of the cache's.
    #[must_use]
    pub fn schema_version(mut self, version: u32) -> Self {
        self.schema = version;
        self
    }

    /// The key, without the cache's prefix.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl<T, B, S, C> Bound<T, B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// See [`Cache::get`].
    pub async fn get(&self) -> Result<Option<T>>
    where
        T: DeserializeOwned,
    {
        Ok((self.cache.read(&self.key, self.schema, OperationKind::Get).await?).into_option())
    }

    /// See [`Cache::get_shared`].
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_local::LocalBackend;
    /// use std::sync::Arc;
    ///
    /// # futures::executor::block_on(async {
    /// let countries = Cache::new(LocalBackend::with_capacity(1_000)).bind::<Vec<String>>("countries");
    /// countries.set(&vec!["Ghana".to_owned(), "Togo".to_owned()], "1h").await?;
    ///
    /// let first = countries.get_shared().await?.unwrap();
    /// assert!(Arc::ptr_eq(&first, &countries.get_shared().await?.unwrap()));
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn get_shared(&self) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.cache.read_shared(&self.key, self.schema).await
    }

    /// See [`Cache::lookup`].
    pub async fn lookup(&self) -> Result<Lookup<T>>
    where
        T: DeserializeOwned,
    {
        self.cache.read(&self.key, self.schema, OperationKind::Lookup).await
    }

    /// See [`Cache::pull`].
    pub async fn pull(&self) -> Result<Option<T>>
    where
        T: DeserializeOwned,
    {
        self.cache.take(&self.key, self.schema).await
    }

    /// See [`Cache::set`].
    pub async fn set(&self, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<()>
    where
        T: Serialize,
    {
        self.cache.put(&self.key, value, ttl, self.schema).await
    }

    /// See [`Cache::add`].
    pub async fn add(&self, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool>
    where
        T: Serialize,
    {
        self.cache.put_if_absent(&self.key, value, ttl, self.schema).await
    }

    /// See [`Cache::replace`].
    pub async fn replace(&self, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool>
    where
        T: Serialize,
    {
        self.cache.put_if_present(&self.key, value, ttl, self.schema).await
    }

    /// See [`Cache::exists`].
    pub async fn exists(&self) -> Result<bool> {
        let life = self.cache.peek(&self.key, self.schema, OperationKind::Exists).await?;
        Ok(life != KeyTtl::Missing)
    }

    /// See [`Cache::ttl`].
    pub async fn ttl(&self) -> Result<KeyTtl> {
        self.cache.peek(&self.key, self.schema, OperationKind::Ttl).await
    }

    /// See [`Cache::pttl`].
    pub async fn pttl(&self) -> Result<KeyTtl> {
        self.ttl().await
    }

    /// See [`Cache::delete`].
    pub async fn delete(&self) -> Result<bool> {
        self.cache.delete(&self.key).await
    }

    /// See [`Cache::expire`].
    pub async fn expire(&self, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool> {
        self.cache.expire(&self.key, ttl).await
    }

    /// See [`Cache::persist`].
    pub async fn persist(&self) -> Result<bool> {
        self.cache.persist(&self.key).await
    }

    /// See [`Cache::touch`].
    pub async fn touch(&self) -> Result<bool> {
        self.cache.touch(&self.key).await
    }
}

impl<T, B, S, C> Clone for Bound<T, B, S, C> {
    fn clone(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            key: self.key.clone(),
            schema: self.schema,
            value: PhantomData,
        }
    }
}

impl<T, B: fmt::Debug, S, C> fmt::Debug for Bound<T, B, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("cache", &self.cache)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}
