//! How long a call waits for a load.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::{Either, select};
use serde::de::DeserializeOwned;

use super::{
    error::LoadError,
    loaded::{Remembered, StaleReason},
    one::Call,
};
use crate::{
    backend::{CacheBackend, Entry},
    compressor::Compressor,
    error::Result,
    hook::Scope,
    serializer::Serializer,
};

type Answer<T, E> = Result<Remembered<T>, LoadError<E>>;

impl<B, S, C> Call<'_, B, S, C> {
    /// Where it is noted whether this call's own loader has ended.
    pub(super) fn has_loaded(&self) -> Arc<AtomicBool> {
        Arc::clone(self.has_loaded.get_or_init(Arc::default))
    }

    /// Says that this call's own loader has ended.
    pub(super) fn note_loaded(&self) {
        if self.plan.hard_timeout.is_some() {
            self.has_loaded().store(true, Ordering::Relaxed);
        }
    }
}

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Waits for `load` no longer than the options allow, and answers the value in `kept` instead where it may.
    ///
    /// `goes_on` tells, for a load that goes on in the background when it is dropped here, whether it can now; `None`
    /// for one that hands its flight over.
    pub(super) async fn in_time<T, E>(
        &self,
        mut load: Pin<Box<impl Future<Output = Answer<T, E>>>>,
        kept: Option<Bytes>,
        goes_on: Option<&(dyn Fn() -> bool + Send + Sync)>,
    ) -> Answer<T, E>
    where
        T: DeserializeOwned,
    {
        let hard = self.plan.hard_timeout;
        let soft = match (&kept, goes_on) {
            (Some(kept), Some(goes_on)) => self.plan.soft_timeout.map(|limit| (limit, kept, goes_on)),
            _ => None,
        };
        if soft.is_none() && hard.is_none() {
            return load.await;
        }
        let mut waited = Duration::ZERO;
        if let Some((limit, kept, goes_on)) = soft.filter(|(limit, ..)| hard.is_none_or(|hard| *limit < hard)) {
            load = match select(load, self.clock().sleep(limit)).await {
                Either::Left((answer, _)) => return answer,
                Either::Right(((), load)) => load,
            };
            if goes_on()
                && let Some(answer) = self.answer_kept(kept)
            {
                return Ok(answer);
            }
            waited = limit;
        }
        let Some(hard) = hard else {
            return load.await;
        };
        let load = match select(load, self.clock().sleep(hard.saturating_sub(waited))).await {
            Either::Left((answer, _)) => return answer,
            Either::Right(((), load)) => load,
        };
        if self.has_loaded().load(Ordering::Relaxed) {
            // Its loader held the thread for too long, or was quick and its value is on the way to the store: whoever
            // has a value is not told that there is none.
            return load.await;
        }
        let answer = kept.and_then(|kept| Some((self.answer_kept(&kept)?, kept)));
        let Some((answer, kept)) = answer else {
            return if self.plan.waits_out {
                load.await
            } else {
                Err(LoadError::TimedOut)
            };
        };
        drop(load);
        if goes_on.is_none() {
            // The next call would wait as long for nothing.
            self.throttle_given_up(&kept).await;
        }
        Ok(answer)
    }

    /// The value in an entry that was kept past its life.
    fn answer_kept<T: DeserializeOwned>(&self, entry: &Bytes) -> Option<Remembered<T>> {
        let entry = Ok(Some(Entry::new(entry.clone())));
        // Hooks have been told of these bytes when they were read.
        let unwatched = Scope::unwatched(self.scope.kind());
        let seen = self
            .cache
            .classify(&unwatched, self.physical, entry, self.plan, self.wants_value)
            .ok()?;
        let now = self.cache.now();
        // Its window may have ended while the load was waited for.
        seen.fall_back(self.plan, now, StaleReason::TimedOut).break_value()
    }
}
