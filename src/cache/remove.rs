use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{
    Cache, Lookup, during,
    remember::Keys,
    write::{ATTEMPTS, contended, done_if},
};
use crate::{
    backend::{CacheBackend, Condition, Outcome},
    compressor::Compressor,
    envelope::{KIND_VALUE, Opened, SHORT_LEN},
    error::{ErrorKind, Result},
    hook::{OperationKind, Scope},
    serializer::Serializer,
};

impl<B: CacheBackend, S, C> Cache<B, S, C> {
    /// Removes what stands under `key`, whatever it is; answers whether it was a value, a cached `None` included.
    ///
    /// Any load of this key that is under way is voided: what it fills is not stored. A value or a missing key takes
    /// one round trip, anything else a few.
    ///
    /// # Errors
    ///
    /// An over-long key; what the backend raises.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        let scope = self.begin(OperationKind::Delete, Some(key), None);
        let removed = self.try_delete(&scope, key).await;
        scope.end(&removed, done_if);
        removed
    }

    async fn try_delete(&self, scope: &Scope<'_>, key: &str) -> Result<bool> {
        let physical = self.inner.keys.physical(key).map_err(during("delete"))?;
        let _voided = self.invalidate(Keys::One(&physical));
        let removed = self.remove(scope, &physical).await.map_err(during("delete"));
        self.or_nothing(scope, key, removed, false)
    }

    async fn remove(&self, scope: &Scope<'_>, physical: &str) -> Result<bool> {
        let backend = self.store(scope);
        let value = Condition::IfStartsWith(Bytes::from_static(&KIND_VALUE));
        for attempt in 1..=ATTEMPTS {
            scope.attempt(attempt);
            let error = match backend.delete(physical, value.clone()).await {
                Ok(Outcome::Done) => return Ok(true),
                Ok(Outcome::Missing) => return Ok(false),
                Ok(Outcome::Mismatch) => None,
                // A key of another Redis type is such an error; what else it may be, the head tells.
                Err(error) if error.kind() == ErrorKind::Server => Some(error),
                Err(error) => return Err(error),
            };
            // A marker, or nothing of larder's. It is removed as what it is, so that a value that takes its place
            // meanwhile is not removed unseen.
            let this = match (backend.head(physical, SHORT_LEN).await?, error) {
                (Some(_), Some(error)) => return Err(error),
                (Some(head), None) if !head.is_empty() => Condition::IfStartsWith(head.bytes().clone()),
                // An empty value has no beginning, and a key of another type no bytes.
                _ => Condition::Always,
            };
            if backend.delete(physical, this).await? != Outcome::Mismatch {
                return Ok(false);
            }
        }
        Err(contended("delete"))
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
        self.take(key, self.settings().sealing.schema).await
    }

    pub(super) async fn take<T: DeserializeOwned>(&self, key: &str, schema: u32) -> Result<Option<T>> {
        let scope = self.begin(OperationKind::Pull, Some(key), None);
        let found = self.try_take(&scope, key, schema).await;
        scope.end(&found, Lookup::outcome);
        Ok(found?.into_option())
    }

    async fn try_take<T: DeserializeOwned>(&self, scope: &Scope<'_>, key: &str, schema: u32) -> Result<Lookup<T>> {
        let physical = self.inner.keys.physical(key).map_err(during(scope.name()))?;
        let _voided = self.invalidate(Keys::One(&physical));
        let found = self.take_at(scope, &physical, schema).await;
        self.or_substitute(scope, key, found.map_err(during(scope.name())))
    }

    async fn take_at<T: DeserializeOwned>(&self, scope: &Scope<'_>, physical: &str, schema: u32) -> Result<Lookup<T>> {
        let store = self.store(scope);
        for attempt in 1..=ATTEMPTS {
            scope.attempt(attempt);
            let Some(entry) = store.get(physical).await? else {
                return Ok(Lookup::Miss);
            };
            let bytes = entry.bytes();
            let found = match self.open(scope, physical, bytes, schema) {
                Ok(Opened::Marker) => Lookup::Miss,
                Ok(Opened::Value(value, header)) => self.answer(value, &header),
                Err(reason) => return self.undecodable(scope, reason).map(|()| Lookup::Miss),
            };
            // The fence is fresh in every write, so this removes the very entry that was read.
            let this = Condition::IfStartsWith(bytes.slice(..SHORT_LEN));
            match store.delete(physical, this).await? {
                Outcome::Done => return Ok(found),
                Outcome::Missing => return Ok(Lookup::Miss),
                Outcome::Mismatch => {}
            }
        }
        Err(contended("pull"))
    }
}
