use serde::de::DeserializeOwned;

use super::{
    super::{
        error::LoadError,
        fence::instead_of,
        loaded::{Remembered, Source},
        look::Seen,
        options::OnError,
    },
    Answer, Batch, Led, short_answer,
};
use crate::{
    backend::{CacheBackend, Condition, SetItem},
    compressor::Compressor,
    envelope::{HELD_LEN, SHORT_LEN},
    error::Error,
    flight::Landing,
    serializer::Serializer,
};

impl<B, S, C> Batch<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// Puts the markers of all leaders in one trip. Those whose marker was refused look again, together, once.
    pub(super) async fn place_fences<T, E>(&self, led: Vec<Led<T>>) -> (Vec<Led<T>>, Vec<(usize, Answer<T, E>)>)
    where
        T: DeserializeOwned,
    {
        let mut ready = Vec::with_capacity(led.len());
        let mut answers = Vec::new();
        if !self.plan.is_fenced {
            return (led, answers);
        }
        let mut refused = Vec::new();
        let mut sent = Vec::new();
        let mut items = Vec::new();
        let has_begun = self.cache.flights().has_begun_since(self.calls[0].ticket);
        for led in led {
            if led.leader.fence().is_some() {
                // Taken over, with the fence of the leader that is gone.
                ready.push(led);
                continue;
            }
            let call = &self.calls[led.at];
            let condition = match &led.seen {
                Seen::Nothing => Condition::IfAbsent,
                Seen::Undecodable(bytes) => instead_of(bytes),
                Seen::Marker(marker) if self.plan.force_refresh => Condition::IfStartsWith(marker.slice(..SHORT_LEN)),
                Seen::Marker(_) => {
                    refused.push(led);
                    continue;
                }
                Seen::Due(_) | Seen::Stale(_) | Seen::Unwanted(_) if has_begun && !self.plan.force_refresh => {
                    // It may have been reloaded since it was read.
                    refused.push(led);
                    continue;
                }
                Seen::Due(found) | Seen::Stale(found) => {
                    led.leader.fill_against(found.fence());
                    ready.push(led);
                    continue;
                }
                Seen::Unwanted(fence) => {
                    led.leader.fill_against(fence.clone());
                    ready.push(led);
                    continue;
                }
                Seen::Fresh(_) | Seen::Away => {
                    ready.push(led);
                    continue;
                }
            };
            let (marker, options) = call.marker(condition, None);
            led.leader.attempt(marker.slice(..HELD_LEN));
            items.push(SetItem::new(call.physical, marker.clone(), options));
            sent.push((led, marker.slice(..SHORT_LEN)));
        }
        let mut outcomes = if items.is_empty() {
            Vec::new().into_iter()
        } else {
            self.cache.store(self.scope).set_many(items).await.into_iter()
        };
        for (led, fence) in sent {
            match outcomes.next().unwrap_or_else(|| Err(short_answer())) {
                Ok(outcome) if outcome.is_done() => {
                    led.leader.fill_against(fence);
                    ready.push(led);
                }
                Ok(_) => {
                    led.leader.settle();
                    refused.push(led);
                }
                Err(error) if self.plan.on_error == OnError::Raise => {
                    answers.push((led.at, raise(led, error)));
                }
                // Loaded and not stored; the token is only released.
                Err(_) => ready.push(led),
            }
        }
        if !refused.is_empty() {
            self.look_again(refused, &mut ready, &mut answers).await;
        }
        (ready, answers)
    }

    /// Looks once more at the keys whose marker was refused, or that may have been reloaded since they were read.
    async fn look_again<T, E>(
        &self,
        refused: Vec<Led<T>>,
        ready: &mut Vec<Led<T>>,
        answers: &mut Vec<(usize, Answer<T, E>)>,
    ) where
        T: DeserializeOwned,
    {
        let places: Vec<usize> = refused.iter().map(|led| led.at).collect();
        match self.look(&places).await {
            Ok(seen) => {
                for (mut led, (at, seen)) in refused.into_iter().zip(seen) {
                    match seen {
                        Seen::Fresh(found) => {
                            led.leader.land(Landing::Found);
                            answers.push((at, Ok(Remembered::new(found.value, Source::Hit))));
                            continue;
                        }
                        Seen::Due(found) => {
                            led.leader.fill_against(found.fence());
                            led.seen = Seen::Due(found);
                        }
                        Seen::Stale(found) => {
                            led.leader.fill_against(found.fence());
                            led.seen = Seen::Stale(found);
                        }
                        Seen::Marker(entry) | Seen::Unwanted(entry) => {
                            led.leader.fill_against(entry.slice(..SHORT_LEN));
                        }
                        // It changes all the time: loaded and not stored.
                        Seen::Undecodable(_) | Seen::Nothing | Seen::Away => {}
                    }
                    ready.push(led);
                }
            }
            Err(error) => answers.extend(refused.into_iter().map(|led| (led.at, raise(led, error.clone())))),
        }
    }
}

fn raise<T, E>(mut led: Led<T>, error: Error) -> Answer<T, E> {
    let error = error.with_operation("remember_many");
    led.leader.land(Landing::Raised(error.clone()));
    Err(LoadError::Cache(error))
}
