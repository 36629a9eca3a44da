//! What `remember` needs of a cache's inside.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde::Serialize;

use super::{Cache, during};
use crate::{
    backend::{CacheBackend, Condition, PhysicalKey},
    compressor::Compressor,
    envelope::{Sealing, Times, seal},
    error::{Error, Result},
    flight::Flights,
    glob,
    hook::{Note, Scope},
    remember::{LoadOptions, Plan},
    serializer::Serializer,
    ttl::Ttl,
};

impl<B, S, C> Cache<B, S, C> {
    pub(crate) fn flights(&self) -> &Flights {
        &self.inner.core.flights
    }

    pub(super) fn invalidate<'a>(&'a self, keys: Keys<'a>) -> Invalidation<'a> {
        Invalidation::new(self.flights(), keys)
    }

    pub(crate) fn plan(&self, options: &LoadOptions) -> Result<Plan> {
        let settings = self.settings();
        options
            .plan(&settings.load_options, settings.sealing.schema)
            .map_err(during("remember"))
    }

    pub(crate) fn physical<'k>(&self, key: &'k str, operation: &'static str) -> Result<PhysicalKey<'k>> {
        self.inner.keys.physical(key).map_err(during(operation))
    }

    pub(crate) fn ttl_of(&self, ttl: impl TryInto<Ttl, Error: Into<Error>>, operation: &'static str) -> Result<Ttl> {
        self.settings().ttl(ttl).map_err(during(operation))
    }

    pub(crate) fn count_load(&self) {
        self.inner.core.loads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_voided(&self, scope: &Scope<'_>) {
        scope.note(Note::FillVoided);
        self.inner.core.voided_fills.fetch_add(1, Ordering::Relaxed);
    }
}

/// The keys that a call invalidates.
#[derive(Debug)]
pub(super) enum Keys<'a> {
    One(&'a str),
    Many(&'a [&'a str]),
    Matching(&'a str),
}

/// Voids the loads of some keys in this process: when it is made, so that none of them is shared or stored any more,
/// and when it is dropped, for those that began before the store had taken the invalidation in.
#[derive(Debug)]
#[must_use]
pub(super) struct Invalidation<'a> {
    flights: &'a Flights,
    keys: Keys<'a>,
}

impl<'a> Invalidation<'a> {
    pub(super) fn new(flights: &'a Flights, keys: Keys<'a>) -> Self {
        let invalidation = Self { flights, keys };
        invalidation.void();
        invalidation
    }

    fn void(&self) {
        match self.keys {
            Keys::One(key) => self.flights.void(key),
            Keys::Many(keys) => self.flights.void_many(keys),
            Keys::Matching(pattern) => self.flights.void_matching(|key| glob::matches(pattern, key)),
        }
    }
}

impl Drop for Invalidation<'_> {
    fn drop(&mut self) {
        self.void();
    }
}

impl<B, S: Serializer, C: Compressor> Cache<B, S, C> {
    pub(crate) fn seal<T: Serialize + ?Sized>(
        &self,
        scope: &Scope<'_>,
        physical: &str,
        value: &T,
        schema: u32,
        times: impl FnOnce(bool) -> Option<Times>,
    ) -> Result<Bytes> {
        let core = &self.inner.core;
        let sealing = Sealing {
            schema,
            ..core.settings.sealing
        };
        let mut size = 0;
        let (serializer, compressor) = (&core.serializer, &core.compressor);
        let entry = seal(serializer, compressor, sealing, physical, value, times, |bytes| {
            size = bytes;
        })?;
        scope.note_bytes(Some(size), entry.len());
        Ok(entry)
    }
}

impl<B: CacheBackend + 'static, S, C> Cache<B, S, C>
where
    S: Send + Sync + 'static,
    C: Send + Sync + 'static,
{
    pub(crate) fn sweeper(&self) -> Sweeper<'_, B, S, C> {
        Sweeper(self)
    }
}

/// Releases, when it is dropped, the markers that loads of this cache have left behind.
#[derive(Debug)]
pub(crate) struct Sweeper<'a, B, S, C>(&'a Cache<B, S, C>)
where
    B: CacheBackend + 'static,
    S: Send + Sync + 'static,
    C: Send + Sync + 'static;

impl<B, S, C> Drop for Sweeper<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Send + Sync + 'static,
    C: Send + Sync + 'static,
{
    fn drop(&mut self) {
        let abandoned = self.0.flights().take_abandoned();
        if abandoned.is_empty() {
            return;
        }
        let cache = self.0.clone();
        self.0.settings().background.spawn_always(async move {
            for (key, placed) in abandoned {
                // A marker that can not be removed now dies at the end of its window.
                let _ = cache.backend().delete(&key, Condition::IfStartsWith(placed)).await;
            }
        });
    }
}
