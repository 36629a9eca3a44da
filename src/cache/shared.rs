use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{Cache, Lookup, during};
use crate::{
    backend::{CacheBackend, Entry, Kept, Memo},
    compressor::Compressor,
    envelope::Opened,
    error::Result,
    serializer::{Decoded, Serializer},
};

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Reads the value under `key` like [`get`](Self::get), shared with everyone else that reads it.
    ///
    /// On a backend that keeps its entries in this process (`larder-local`) the value is decoded once for all calls that
    /// ask for the same `T`, and stays decoded as long as the entry does: memory that the bound of the backend does not
    /// count. A write makes a new entry. Of two types that are asked for in turn the first is kept. On all other backends
    /// each call decodes.
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_local::LocalBackend;
    /// use std::sync::Arc;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(LocalBackend::with_capacity(1_000));
    /// cache.set("countries", &vec!["Ghana", "Togo"], "1h").await?;
    ///
    /// let first: Option<Arc<Vec<String>>> = cache.get_shared("countries").await?;
    /// let second = cache.get_shared("countries").await?;
    /// assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_shared<T>(&self, key: &str) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let operation = "get_shared";
        let physical = self.inner.keys.physical(key).map_err(during(operation))?;
        let found = match self.backend().get(&physical).await {
            Ok(Some(entry)) => self.share(&physical, &entry),
            Ok(None) => return Ok(None),
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => Ok(found),
            Err(error) => {
                let failed: Result<Lookup<T>> = Err(error.with_operation(operation));
                let found = self.or_substitute(operation, key, failed)?;
                Ok(found.into_option().map(Arc::new))
            }
        }
    }

    fn share<T>(&self, physical: &str, entry: &Entry) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let schema = self.settings().sealing.schema;
        if let Some(memo) = entry.kept().and_then(Kept::memo)
            && memo.header.check(S::ID, C::ID, schema).is_ok()
            && let Ok(value) = Arc::clone(&memo.value).downcast::<T>()
        {
            return Ok((!self.is_over(&memo.header)).then_some(value));
        }
        match self.open_entry::<T>(physical, entry, schema) {
            Ok(Opened::Value(Decoded::Value(value), header)) => {
                let value = Arc::new(value);
                let is_over = self.is_over(&header);
                if let Some(kept) = entry.kept() {
                    let value = Arc::clone(&value) as _;
                    kept.memoise(Memo { header, value });
                }
                Ok((!is_over).then_some(value))
            }
            Ok(Opened::Value(Decoded::Absent, _) | Opened::Marker) => Ok(None),
            Err(reason) => self.undecodable(reason).map(|()| None),
        }
    }
}
