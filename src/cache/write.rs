use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::{Cache, during, remember::Keys};
use crate::{
    backend::{CacheBackend, Condition, Outcome, SetOptions},
    compressor::Compressor,
    envelope::{HEAD_LEN, KIND_MARKER, KIND_VALUE, Parsed, SHORT_LEN, Sealing, parse, seal},
    error::{Error, ErrorKind, Result},
    hook::{OperationKind, OperationOutcome, Scope},
    serializer::Serializer,
    ttl::Ttl,
};

/// How often a call that lost a race looks again before it says so. Each turn means that somebody else's write won.
pub(super) const ATTEMPTS: usize = 32;

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Stores `value` under `key` for `ttl`, replacing whatever stands there.
    ///
    /// `ttl` is a text such as `"2h30m"`, seconds as an integer, a `Duration`, or a [`Ttl`]; the cache's jitter is
    /// applied to it. Any load of this key that is under way is voided: what it fills is not stored.
    ///
    /// # Errors
    ///
    /// A malformed ttl, an over-long key or value: nothing is sent. What the backend raises; after a timeout the
    /// write may or may not have been applied.
    pub async fn set<T>(&self, key: &str, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<()>
    where
        T: Serialize + ?Sized,
    {
        self.put(key, value, ttl, self.settings().sealing.schema).await
    }

    /// Stores `value` only where nothing is cached under `key`; answers whether it did.
    ///
    /// A cached `None` counts as cached, and so do bytes that this cache can not decode: they stay.
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::new());
    /// assert!(cache.add("job:7", "worker-1", "5m").await?);
    /// assert!(!cache.add("job:7", "worker-2", "5m").await?);
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub async fn add<T>(&self, key: &str, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool>
    where
        T: Serialize + ?Sized,
    {
        self.put_if_absent(key, value, ttl, self.settings().sealing.schema)
            .await
    }

    /// Stores `value` only where a value is cached under `key`; answers whether it did.
    ///
    /// A cached `None` counts as cached, a value past its life does not. Bytes that larder did not write stay as they
    /// are. Takes two round trips: one looks, one replaces what it saw.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub async fn replace<T>(&self, key: &str, value: &T, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool>
    where
        T: Serialize + ?Sized,
    {
        self.put_if_present(key, value, ttl, self.settings().sealing.schema)
            .await
    }

    /// Does everything about a write that needs no backend, so that a bad one is refused before anything is sent.
    fn prepare<T>(
        &self,
        scope: &Scope<'_>,
        key: &str,
        value: &T,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        schema: u32,
    ) -> Result<Write>
    where
        T: Serialize + ?Sized,
    {
        let ttl = self.settings().ttl(ttl).map_err(during(scope.name()))?;
        self.prepare_for(scope, key, value, ttl, schema)
            .map_err(during(scope.name()))
    }

    pub(super) fn prepare_for<T>(&self, scope: &Scope<'_>, key: &str, value: &T, ttl: Ttl, schema: u32) -> Result<Write>
    where
        T: Serialize + ?Sized,
    {
        let core = &self.inner.core;
        let key = self.inner.keys.physical(key)?.into_owned();
        let sealing = Sealing {
            schema,
            ..core.settings.sealing
        };
        let mut size = 0;
        let (serializer, compressor) = (&core.serializer, &core.compressor);
        let entry = seal(
            serializer,
            compressor,
            sealing,
            &key,
            value,
            |_| None,
            |bytes| {
                size = bytes;
            },
        )?;
        scope.note_bytes(Some(size), entry.len());
        let options = SetOptions::new(core.settings.expiry(ttl));
        Ok(Write { key, entry, options })
    }

    pub(super) async fn put<T>(
        &self,
        key: &str,
        value: &T,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        schema: u32,
    ) -> Result<()>
    where
        T: Serialize + ?Sized,
    {
        let scope = self.begin(OperationKind::Set, Some(key), None);
        let written = match self.prepare(&scope, key, value, ttl, schema) {
            Ok(write) => {
                let Write { key, entry, options } = write;
                let _voided = self.invalidate(Keys::One(&key));
                // By value: the first clone of an entry allocates.
                let written = self.store(&scope).set(&key, entry, options).await;
                let written = written.map(|_| ()).map_err(during(scope.name()));
                self.or_nothing_at(&scope, &key, written, ())
            }
            Err(error) => Err(error),
        };
        scope.end(&written, |()| OperationOutcome::Done);
        written
    }

    pub(super) async fn put_if_absent<T>(
        &self,
        key: &str,
        value: &T,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        schema: u32,
    ) -> Result<bool>
    where
        T: Serialize + ?Sized,
    {
        let scope = self.begin(OperationKind::Add, Some(key), None);
        let added = match self.prepare(&scope, key, value, ttl, schema) {
            Ok(write) => {
                let added = self.try_add(&scope, &write).await;
                self.or_nothing_at(&scope, &write.key, added, false)
            }
            Err(error) => Err(error),
        };
        scope.end(&added, done_if);
        added
    }

    async fn try_add(&self, scope: &Scope<'_>, write: &Write) -> Result<bool> {
        let operation = scope.name();
        for attempt in 1..=ATTEMPTS {
            scope.attempt(attempt);
            if self.put_on(scope, write, Condition::IfAbsent).await?.is_done() {
                self.flights().void(&write.key);
                return Ok(true);
            }
            // Something stands there. A marker, or a value past its life, is nothing to the caller.
            let nothing = match self.standing(scope, &write.key).await.map_err(during(operation))? {
                // Gone again; or a key of another type, which reads as nothing and is an error to this.
                Standing::Nothing => Condition::IfStartsWith(Bytes::from_static(&KIND_MARKER)),
                Standing::Value(_) | Standing::Other => return Ok(false),
                Standing::Marker(prefix) | Standing::Stale(prefix) => Condition::IfStartsWith(prefix),
            };
            if self.put_on(scope, write, nothing).await?.is_done() {
                self.flights().void(&write.key);
                return Ok(true);
            }
        }
        Err(contended(operation))
    }

    pub(super) async fn put_if_present<T>(
        &self,
        key: &str,
        value: &T,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        schema: u32,
    ) -> Result<bool>
    where
        T: Serialize + ?Sized,
    {
        let scope = self.begin(OperationKind::Replace, Some(key), None);
        let replaced = match self.prepare(&scope, key, value, ttl, schema) {
            Ok(write) => {
                let replaced = self.try_replace(&scope, &write).await;
                self.or_nothing_at(&scope, &write.key, replaced, false)
            }
            Err(error) => Err(error),
        };
        scope.end(&replaced, done_if);
        replaced
    }

    async fn try_replace(&self, scope: &Scope<'_>, write: &Write) -> Result<bool> {
        let operation = scope.name();
        for attempt in 1..=ATTEMPTS {
            scope.attempt(attempt);
            let prefix = match self.standing(scope, &write.key).await.map_err(during(operation))? {
                Standing::Value(prefix) => prefix,
                // A key of another type reads as nothing and is an error to this.
                Standing::Nothing => Bytes::from_static(&KIND_VALUE),
                Standing::Stale(_) | Standing::Marker(_) | Standing::Other => return Ok(false),
            };
            let replaced = self.put_on(scope, write, Condition::IfStartsWith(prefix)).await?;
            match replaced {
                Outcome::Done => {
                    self.flights().void(&write.key);
                    return Ok(true);
                }
                Outcome::Missing => return Ok(false),
                Outcome::Mismatch => {}
            }
        }
        Err(contended(operation))
    }

    /// Looks at what stands under a key.
    async fn standing(&self, scope: &Scope<'_>, physical: &str) -> Result<Standing> {
        let Some(head) = self.store(scope).head(physical, HEAD_LEN).await? else {
            return Ok(Standing::Nothing);
        };
        let prefix = || head.bytes().slice(..SHORT_LEN);
        Ok(match parse(head.bytes()) {
            Ok(Parsed::Marker(_)) => Standing::Marker(prefix()),
            Ok(Parsed::Value(header)) if header.fresh_for(self.now()) == Some(Duration::ZERO) => {
                Standing::Stale(prefix())
            }
            Ok(Parsed::Value(_)) => Standing::Value(prefix()),
            Err(_) => Standing::Other,
        })
    }

    async fn put_on(&self, scope: &Scope<'_>, write: &Write, condition: Condition) -> Result<Outcome> {
        let options = write.options.clone().with_condition(condition);
        self.store(scope)
            .set(&write.key, write.entry.clone(), options)
            .await
            .map_err(during(scope.name()))
    }
}

/// What stands under a key, with the first bytes of that very write.
enum Standing {
    Nothing,
    Value(Bytes),
    /// A value past its life, kept for those who may answer it all the same.
    Stale(Bytes),
    Marker(Bytes),
    /// Bytes that this version of larder did not write.
    Other,
}

/// An entry ready to be sent.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) key: String,
    pub(super) entry: Bytes,
    pub(super) options: SetOptions,
}

/// What it is to a hook that there was something to do, or not.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "what answers are read by")]
pub(super) const fn done_if(is_done: &bool) -> OperationOutcome {
    if *is_done {
        OperationOutcome::Done
    } else {
        OperationOutcome::Unchanged
    }
}

#[cold]
pub(super) fn contended(operation: &'static str) -> Error {
    Error::new(
        // Of no outage: the backend has answered every time, and whoever acts on outages has nothing to do here.
        ErrorKind::Server,
        format!("the key changed {ATTEMPTS} times while the call looked at it; nothing was done"),
    )
    .with_operation(operation)
}
