//! How long a call waits for a load.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use futures::future::{Either, select};
use serde::de::DeserializeOwned;

use super::{
    error::LoadError,
    loaded::{Remembered, Source, StaleReason},
    look::Seen,
    one::Call,
};
use crate::{
    backend::{CacheBackend, Entry},
    compressor::Compressor,
    error::Result,
    serializer::Serializer,
};

type Answer<T, E> = Result<Remembered<T>, LoadError<E>>;

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Waits for `load` no longer than the options allow, and answers the value in `kept` instead where it may.
    ///
    /// `goes_on`: what is dropped here goes on in the background; else it hands its flight over.
    pub(super) async fn in_time<T, E>(
        &self,
        mut load: Pin<Box<impl Future<Output = Answer<T, E>>>>,
        kept: Option<Bytes>,
        goes_on: bool,
    ) -> Answer<T, E>
    where
        T: DeserializeOwned,
    {
        let hard = self.plan.hard_timeout;
        let soft = match &kept {
            Some(kept) if goes_on => self.plan.soft_timeout.map(|limit| (limit, kept)),
            _ => None,
        };
        if soft.is_none() && hard.is_none() {
            return load.await;
        }
        let mut waited = Duration::ZERO;
        if let Some((limit, kept)) = soft.filter(|(limit, _)| hard.is_none_or(|hard| *limit < hard)) {
            load = match select(load, self.clock().sleep(limit)).await {
                Either::Left((answer, _)) => return answer,
                Either::Right(((), load)) => load,
            };
            if self.cache.settings().background.has_room()
                && let Some(answer) = self.answer_kept(kept)
            {
                return Ok(answer);
            }
            waited = limit;
        }
        let Some(hard) = hard else {
            return load.await;
        };
        match select(load, self.clock().sleep(hard.saturating_sub(waited))).await {
            Either::Left((answer, _)) => return answer,
            Either::Right(((), load)) => drop(load),
        }
        let answer = kept.as_ref().and_then(|kept| self.answer_kept(kept));
        if answer.is_some() && !goes_on {
            // The next call would wait as long for nothing.
            self.throttle(kept).await;
        }
        answer.ok_or(LoadError::TimedOut)
    }

    /// The value in an entry that was kept past its life.
    fn answer_kept<T: DeserializeOwned>(&self, entry: &Bytes) -> Option<Remembered<T>> {
        let entry = Ok(Some(Entry::new(entry.clone())));
        let seen = self
            .cache
            .classify(self.physical, entry, self.plan, self.wants_value)
            .ok()?;
        let now = self.cache.now();
        match seen {
            Seen::Fresh(found) | Seen::Due(found) | Seen::Stale(found) if found.is_stale(now) => {
                let (age, why) = (found.age(now), StaleReason::TimedOut);
                Some(Remembered::new(found.value, Source::Stale { age, why }))
            }
            Seen::Fresh(found) | Seen::Due(found) => Some(Remembered::new(found.value, Source::Hit)),
            _ => None,
        }
    }
}
