use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{
    Cache, Lookup,
    keyspace::{check, is_allowed},
};
use crate::{
    backend::{AtOnce, CacheBackend, Entry, Kept, Memo},
    compressor::Compressor,
    envelope::{Opened, Terms},
    error::{Error, Result},
    hook::{OperationKind, Scope},
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
    pub fn get_shared<T>(&self, key: &str) -> impl Future<Output = Result<Option<Arc<T>>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        // Handed out as it is, and not awaited: one level of futures less.
        self.read_shared(key, self.settings().sealing.schema)
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` moves its arguments once more, which so short a hit feels"
    )]
    pub(super) fn read_shared<T>(&self, key: &str, schema: u32) -> impl Future<Output = Result<Option<Arc<T>>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        async move {
            if let Some(found) = self.shared_at_once(key, schema) {
                return found;
            }
            let mut asked = pin!(self.ask_shared(key, schema));
            poll_fn(|context| poll_apart(asked.as_mut(), context)).await
        }
    }

    /// The answer of a backend that has it at hand, where nobody is to be told of the call. Apart from the future, whose
    /// state it would else be entangled with.
    #[inline(never)]
    fn shared_at_once<T>(&self, key: &str, schema: u32) -> Option<Result<Option<Arc<T>>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        if self.inner.hooks.are_watching() || !is_allowed(key) {
            return None;
        }
        match self.backend().get_at_once(self.inner.keys.lead(), key) {
            AtOnce::Found(kept) => Some(match self.memoised(&kept, schema) {
                Some(found) => Ok(found.into_option()),
                None => self.share_kept(key, kept, schema),
            }),
            AtOnce::Missing => Some(Ok(None)),
            AtOnce::Unknown => None,
        }
    }

    /// The answer of an entry that was not decoded before, or not to this.
    #[cold]
    fn share_kept<T>(&self, key: &str, kept: Kept, schema: u32) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let scope = Scope::unwatched(OperationKind::GetShared);
        self.share_stored(scope, key, Ok(Some(kept.into())), schema)
    }

    async fn ask_shared<T>(&self, key: &str, schema: u32) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let scope = self.begin(OperationKind::GetShared, Some(key), None);
        let stored = match check(key) {
            Ok(()) => self.store(&scope).get_joined(self.inner.keys.lead(), key).await,
            Err(error) => Err(error),
        };
        self.share_stored(scope, key, stored, schema)
    }

    fn share_stored<T>(
        &self,
        scope: Scope<'_>,
        key: &str,
        stored: Result<Option<Entry>>,
        schema: u32,
    ) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let found = match stored {
            Ok(Some(entry)) => self.share(&scope, key, &entry, schema),
            Ok(None) => Ok(Lookup::Miss),
            Err(error) => Err(error),
        };
        let found = match found {
            Err(error) => self.substitute_shared(&scope, key, error.with_operation(scope.name())),
            found => found,
        };
        scope.end(&found, Lookup::outcome);
        found.map(Lookup::into_option)
    }

    #[cold]
    fn substitute_shared<T: DeserializeOwned>(
        &self,
        scope: &Scope<'_>,
        key: &str,
        error: Error,
    ) -> Result<Lookup<Arc<T>>> {
        Ok(match self.or_substitute(scope, key, Err(error))? {
            Lookup::Hit(value) => Lookup::Hit(Arc::new(value)),
            Lookup::Absent => Lookup::Absent,
            Lookup::Miss => Lookup::Miss,
        })
    }

    /// The answer of an entry whose value was decoded before.
    #[expect(
        clippy::inline_always,
        reason = "a tenth of a shared hit is the call, which is what becomes of `#[inline]`"
    )]
    #[inline(always)]
    fn memoised<T>(&self, kept: &Kept, schema: u32) -> Option<Lookup<Arc<T>>>
    where
        T: Send + Sync + 'static,
    {
        let memo = kept.memo()?;
        if !memo.terms.are_of(S::ID, C::ID, schema) {
            return None;
        }
        let Ok(value) = Arc::clone(&memo.value).downcast() else {
            return of_another_type();
        };
        Some(match memo.terms.expires() {
            Some(end) if self.is_past(end) => Lookup::Miss,
            _ => Lookup::Hit(value),
        })
    }

    #[cold]
    fn is_past(&self, end: Duration) -> bool {
        end <= self.now()
    }

    fn share<T>(&self, scope: &Scope<'_>, key: &str, entry: &Entry, schema: u32) -> Result<Lookup<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        if let Some(kept) = entry.kept()
            && let Some(found) = self.memoised(kept, schema)
        {
            scope.note_bytes(None, entry.bytes().len());
            return Ok(found);
        }
        match self.open_entry::<T, _>(scope, || self.inner.keys.join(key), entry, schema) {
            Ok(Opened::Value(Decoded::Value(value), header)) => {
                let value = Arc::new(value);
                let answer = self.answer(Decoded::Value(Arc::clone(&value)), &header);
                if let Some(kept) = entry.kept() {
                    kept.memoise(Memo {
                        terms: Terms::of(&header),
                        value,
                    });
                }
                Ok(answer)
            }
            Ok(Opened::Value(Decoded::Absent, header)) => Ok(self.answer(Decoded::Absent, &header)),
            Ok(Opened::Marker) => Ok(Lookup::Miss),
            Err(reason) => self.undecodable(scope, reason).map(|()| Lookup::Miss),
        }
    }
}

/// `None`, where a branch that is guessed right shall lead: the compiler would else wait for the comparison.
#[cold]
#[inline(never)]
fn of_another_type<T>() -> Option<T> {
    None
}

/// Polls `future` in a function of its own, so that the one it is called from keeps to registers.
#[inline(never)]
fn poll_apart<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(context)
}
