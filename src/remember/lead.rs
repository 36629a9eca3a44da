use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::LoadError,
    fence::Ready,
    loaded::{Loaded, Remembered, Source},
    look::Seen,
    one::Call,
    options::OnError,
    outcome::end_load,
};
use crate::{
    backend::{CacheBackend, Condition, Expiry, Outcome, SetOptions},
    clock::Clock,
    compressor::Compressor,
    envelope::{SHORT_LEN, Times, is_none},
    error::{Error, Result},
    flight::{Landing, Leader, Loading},
    hook::{Note, OperationKind},
    serializer::Serializer,
    ttl::Ttl,
};

/// What a load came to, ready to be shared and stored.
pub(super) struct Sealed {
    pub(super) bytes: Bytes,
    pub(super) expiry: Expiry,
}

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Fences, loads, shares and fills; where that fails, answers the stale value if it may.
    pub(super) async fn lead<T, E, F>(
        &self,
        leader: Leader,
        seen: Seen<T>,
        loader: F,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: AsyncFnOnce() -> Result<Loaded<T>, E>,
    {
        match self.try_lead(leader, seen, loader).await {
            Ok(answer) => Ok(answer),
            Err((failure, mut seen)) => self.or_stale(&mut seen, failure),
        }
    }

    /// Fences, loads, shares and fills. A failure comes with what the call has seen.
    pub(super) async fn try_lead<T, E, F>(
        &self,
        mut leader: Leader,
        mut seen: Seen<T>,
        loader: F,
    ) -> Result<Remembered<T>, (LoadError<E>, Seen<T>)>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: AsyncFnOnce() -> Result<Loaded<T>, E>,
    {
        if leader.fence().is_none() {
            match self.place_fence(&leader, &mut seen).await {
                Ok(Ready::Load) => {}
                Ok(Ready::Found(found)) => {
                    leader.land(Landing::Found);
                    return Ok(found.answer(self.cache.now()));
                }
                Err(error) => {
                    leader.land(Landing::Raised(error.clone()));
                    return Err((LoadError::Cache(error), Seen::Nothing));
                }
            }
        }
        leader.begin();
        self.cache.count_load();
        let began = self.cache.settings().clock.monotonic();
        let part = self.scope.child(OperationKind::Load, Some(self.physical), None);
        let load = Loading::new([&leader], async { part.within(loader()).await });
        let outcome = self.while_renewing(&leader, load).await;
        self.note_loaded();
        end_load(part, outcome.as_ref());
        let took = self.cache.settings().clock.monotonic().saturating_sub(began);

        let failure = match outcome {
            Some(Ok(loaded)) => {
                let finished = self.finish(leader, loaded, took).await;
                return finished.map_err(|error| (error, Seen::Nothing));
            }
            Some(Err(error)) => {
                let error = Arc::new(error);
                leader.land(Landing::Failed(Arc::clone(&error) as _));
                LoadError::Loader(error)
            }
            None => {
                leader.land(Landing::Panicked);
                LoadError::Panicked
            }
        };
        self.release(&leader).await;
        self.throttle(leader.held().or(seen.refreshed())).await;
        Err((failure, seen))
    }

    /// Shares and fills what was loaded.
    async fn finish<T, E>(
        &self,
        mut leader: Leader,
        loaded: Loaded<T>,
        took: Duration,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize,
    {
        let failure = match self.seal(&loaded, took) {
            Ok(sealed) => {
                leader.land(Landing::Entry(sealed.bytes.clone()));
                if loaded.is_stored {
                    self.fill(&leader, sealed).await.err()
                } else {
                    self.release(&leader).await;
                    None
                }
            }
            Err(error) => {
                // Each of the others has a value of its own to answer, if not to store.
                leader.land(Landing::Nothing);
                self.release(&leader).await;
                Some(error)
            }
        };
        match failure {
            Some(error) if self.plan.on_error == OnError::Raise || loaded.ttl.is_some_and(|ttl| ttl.is_err()) => {
                Err(LoadError::Cache(error.with_operation("remember")))
            }
            _ => Ok(Remembered::new(loaded.value, Source::Loaded)),
        }
    }

    /// Encodes what was loaded, for followers and for the store.
    pub(super) fn seal<T: Serialize>(&self, loaded: &Loaded<T>, took: Duration) -> Result<Sealed> {
        let settings = self.cache.settings();
        let ttl = match &loaded.ttl {
            Some(ttl) => settings.ttl(ttl.clone()?)?,
            None => self.ttl,
        };
        let negative = match self.plan.negative_ttl {
            Some(negative) if loaded.ttl.is_none() => settings.ttl(negative)?,
            _ => ttl,
        };
        let life = |ttl: Ttl| settings.life(ttl, self.plan.ttl_jitter);
        let lives = [life(ttl), life(negative)];
        let now = self.cache.now();
        let times = |none: bool| {
            let life = lives[usize::from(none)].filter(|_| self.plan.has_times())?;
            Some(Times {
                created: now,
                expires: now + life,
                load: took,
            })
        };
        let bytes = match &loaded.value {
            Some(value) => self
                .cache
                .seal(self.scope, self.physical, value, self.plan.schema, times)?,
            None => self
                .cache
                .seal(self.scope, self.physical, &None::<()>, self.plan.schema, times)?,
        };
        let expiry = match lives[usize::from(is_none(&bytes))] {
            Some(life) => Expiry::After((life + self.plan.kept_beyond()).min(Ttl::MAX)),
            None => Expiry::Never,
        };
        Ok(Sealed { bytes, expiry })
    }

    /// How a loaded entry is to be set; `None` where it must not be.
    pub(super) fn fill_options(&self, leader: &Leader, expiry: Expiry) -> Option<SetOptions> {
        if leader.is_voided() {
            self.cache.count_voided(self.scope);
            return None;
        }
        let options = SetOptions::new(expiry);
        match leader.fence() {
            Some(fence) => Some(options.with_condition(Condition::IfStartsWith(fence))),
            None if self.plan.is_fenced => {
                self.scope.note(Note::Bypassed);
                None
            }
            None => Some(options),
        }
    }

    async fn fill(&self, leader: &Leader, sealed: Sealed) -> Result<()> {
        let Some(options) = self.fill_options(leader, sealed.expiry) else {
            self.release(leader).await;
            return Ok(());
        };
        let own = sealed.bytes.slice(..SHORT_LEN);
        if !self.plan.is_fenced {
            // Where it is never known whether this was stored, it is removed again: nothing would void it any more.
            leader.attempt(own.clone());
        }
        let outcome = match self.store().set(self.physical, sealed.bytes, options).await {
            Ok(outcome) => outcome,
            Err(error) => {
                self.scope.note(Note::Bypassed);
                return Err(error);
            }
        };
        self.settle(leader, outcome, own).await;
        Ok(())
    }

    /// Notes what became of a fill whose entry begins with `own`.
    pub(super) async fn settle(&self, leader: &Leader, outcome: Outcome, own: Bytes) {
        leader.settle();
        if !outcome.is_done() {
            self.cache.count_voided(self.scope);
        } else if !self.plan.is_fenced && leader.is_voided() {
            // Without a fence the store could not tell, so an invalidation that came in between is made good here.
            self.cache.count_voided(self.scope);
            let _ = self.store().delete(self.physical, Condition::IfStartsWith(own)).await;
        }
    }

    /// Loads for this call alone: what another call's load answered is of no use to it.
    pub(super) async fn load_alone<T, E, F>(&self, mut seen: Seen<T>, loader: F) -> Result<Remembered<T>, LoadError<E>>
    where
        E: Send + Sync + 'static,
        F: AsyncFnOnce() -> Result<Loaded<T>, E>,
    {
        self.cache.count_load();
        let part = self.scope.child(OperationKind::Load, Some(self.physical), None);
        let outcome = AssertUnwindSafe(part.within(loader())).catch_unwind().await;
        self.note_loaded();
        end_load(part, outcome.as_ref().ok());
        match outcome {
            Ok(Ok(loaded)) => match loaded.ttl {
                Some(Err(error)) => Err(LoadError::Cache(Error::with_operation(error, "remember"))),
                _ => Ok(Remembered::new(loaded.value, Source::Loaded)),
            },
            Ok(Err(error)) => self.or_stale(&mut seen, LoadError::Loader(Arc::new(error))),
            Err(_) => self.or_stale(&mut seen, LoadError::Panicked),
        }
    }
}
