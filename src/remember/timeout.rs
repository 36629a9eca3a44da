//! How long a call waits for a load.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures::future::{Either, select};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::LoadError,
    loaded::{Remembered, Source, StaleReason},
    look::Seen,
    one::{Call, Lead},
};
use crate::{
    backend::{CacheBackend, Entry},
    compressor::Compressor,
    error::Result,
    serializer::Serializer,
};

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// [`load`](Self::load) for no longer than the options allow.
    pub(super) async fn load_in_time<T, E, L>(&self, seen: Seen<T>, how: L) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        L: Lead<B, S, C, T, E>,
    {
        let kept = seen.kept(self.plan, self.cache.now());
        let hard = self.plan.hard_timeout;
        let soft = match &kept {
            Some(kept) if L::OUTLIVES_ITS_CALLER => self.plan.soft_timeout.map(|limit| (limit, kept)),
            _ => None,
        };
        if soft.is_none() && hard.is_none() {
            return self.load(seen, how).await;
        }
        // Dropped where this returns, which hands its flight over, or leaves it to the background.
        let mut load = pin!(self.load(seen, how));
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
        if answer.is_some() && !L::OUTLIVES_ITS_CALLER {
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
