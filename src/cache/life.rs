use bytes::Bytes;

use super::{Cache, during};
use crate::{
    backend::{CacheBackend, Condition, Outcome},
    envelope::{KIND_MARKER, KIND_VALUE},
    error::{Error, Result},
    ttl::Ttl,
};

impl<B: CacheBackend, S, C> Cache<B, S, C> {
    /// Gives the value under `key` a life of `ttl` from now, without jitter; answers whether there was a value.
    ///
    /// [`Ttl::FOREVER`] takes the expiry off, like [`persist`](Self::persist). Any load of this key that is under way
    /// is voided where it stands in the key.
    ///
    /// # Errors
    ///
    /// A malformed, negative or zero ttl, an over-long key; what the backend raises.
    pub async fn expire(&self, key: &str, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool> {
        let ttl = self.settings().ttl(ttl).map_err(during("expire"))?;
        self.live_for(key, ttl, "expire").await
    }

    /// Gives the value under `key` a fresh life of the cache's `default_ttl`; answers whether there was a value.
    ///
    /// # Errors
    ///
    /// A cache without a `default_ttl`; as [`expire`](Self::expire).
    pub async fn touch(&self, key: &str) -> Result<bool> {
        let ttl = self.settings().ttl(Ttl::DEFAULT).map_err(during("touch"))?;
        self.live_for(key, ttl, "touch").await
    }

    /// Takes the expiry off the value under `key`; answers whether there was a value.
    ///
    /// # Errors
    ///
    /// An over-long key; what the backend raises.
    pub async fn persist(&self, key: &str) -> Result<bool> {
        self.live_for_ever(key, "persist").await
    }

    pub(super) async fn live_for(&self, key: &str, ttl: Ttl, operation: &'static str) -> Result<bool> {
        let Some(span) = ttl.as_duration() else {
            return self.live_for_ever(key, operation).await;
        };
        let physical = self.inner.keys.physical(key).map_err(during(operation))?;
        let backend = self.backend();
        match backend.expire(&physical, span, if_starts_with(&KIND_VALUE)).await {
            Ok(Outcome::Mismatch) => {
                self.flights().void(&physical);
                // A marker that outlived its load's window would stand in the way, so the load is voided instead.
                backend
                    .delete(&physical, if_starts_with(&KIND_MARKER))
                    .await
                    .map_err(during(operation))?;
                Ok(false)
            }
            answer => answer.map(Outcome::is_done).map_err(during(operation)),
        }
    }

    async fn live_for_ever(&self, key: &str, operation: &'static str) -> Result<bool> {
        let physical = self.inner.keys.physical(key).map_err(during(operation))?;
        self.backend()
            .persist(&physical, if_starts_with(&KIND_VALUE))
            .await
            .map(Outcome::is_done)
            .map_err(during(operation))
    }
}

fn if_starts_with(kind: &'static [u8]) -> Condition {
    Condition::IfStartsWith(Bytes::from_static(kind))
}
