use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{
    Cache, Lookup, during,
    remember::Keys,
    write::{ATTEMPTS, contended},
};
use crate::{
    backend::{CacheBackend, Condition, Outcome},
    compressor::Compressor,
    envelope::{KIND_VALUE, Opened, SHORT_LEN},
    error::Result,
    serializer::Serializer,
};

impl<B: CacheBackend, S, C> Cache<B, S, C> {
    /// Removes what stands under `key`; answers whether it was a value, a cached `None` included.
    ///
    /// Any load of this key that is under way is voided: what it fills is not stored.
    ///
    /// # Errors
    ///
    /// An over-long key; what the backend raises. A key of another Redis type is such an error, and stays.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        let physical = self.inner.keys.physical(key).map_err(during("delete"))?;
        let _voided = self.invalidate(Keys::One(&physical));
        let value = Condition::IfStartsWith(Bytes::from_static(&KIND_VALUE));
        match self.backend().delete(&physical, value).await {
            Ok(Outcome::Done) => Ok(true),
            Ok(Outcome::Missing) => Ok(false),
            // A marker, or bytes that were no value to this cache.
            Ok(Outcome::Mismatch) => self
                .backend()
                .delete(&physical, Condition::Always)
                .await
                .map(|_| false)
                .map_err(during("delete")),
            Err(error) => Err(error.with_operation("delete")),
        }
    }
}

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Removes the value under `key` and answers it; of any number of callers, one gets it.
    ///
    /// Takes two round trips where there is a value. An entry that this cache can not decode is a miss and stays
    /// where it is, since another version of the service may still want it.
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::new());
    /// cache.set("token", "abc", 60).await?;
    /// assert_eq!(cache.pull::<String>("token").await?.as_deref(), Some("abc"));
    /// assert_eq!(cache.pull::<String>("token").await?, None);
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`delete`](Self::delete).
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped may have removed the value without answering it.
    pub async fn pull<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.take(key, self.settings().sealing.schema, "pull").await
    }

    pub(super) async fn take<T: DeserializeOwned>(
        &self,
        key: &str,
        schema: u32,
        operation: &'static str,
    ) -> Result<Option<T>> {
        let physical = self.inner.keys.physical(key).map_err(during(operation))?;
        let _voided = self.invalidate(Keys::One(&physical));
        for _ in 0..ATTEMPTS {
            let entry = self.backend().get(&physical).await.map_err(during(operation))?;
            let Some(entry) = entry else {
                return Ok(None);
            };
            let bytes = entry.bytes();
            let found = match self.open(&physical, bytes, schema) {
                Ok(Opened::Marker) => Lookup::Miss,
                Ok(Opened::Value(value, header)) => self.answer(value, &header),
                Err(reason) => return self.undecodable(reason).map(|()| None).map_err(during(operation)),
            };
            // The fence is fresh in every write, so this removes the very entry that was read.
            let this = Condition::IfStartsWith(bytes.slice(..SHORT_LEN));
            match self
                .backend()
                .delete(&physical, this)
                .await
                .map_err(during(operation))?
            {
                Outcome::Done => return Ok(found.into_option()),
                Outcome::Missing => return Ok(None),
                Outcome::Mismatch => {}
            }
        }
        Err(contended(operation))
    }
}
