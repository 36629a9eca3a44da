use std::{collections::HashMap, future::Future, hash::Hash, sync::Arc, time::Duration};

use futures::future::join_all;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::LoadError,
    fence::instead_of,
    loaded::{Loaded, Remembered, Source},
    look::Seen,
    one::Call,
    options::{OnError, Plan},
};
use crate::{
    backend::{CacheBackend, Condition, SetItem},
    cache::Cache,
    clock::Clock,
    compressor::Compressor,
    envelope::{LONG_LEN, SHORT_LEN},
    error::{Error, ErrorKind, Result},
    flight::{Arrival, Boarding, Follower, Landing, Leader, Loading},
    serializer::Serializer,
};

/// The calls of one `remember_many`, one for each id.
#[derive(Debug)]
pub(super) struct Batch<'a, B, S, C> {
    pub(super) cache: &'a Cache<B, S, C>,
    pub(super) plan: &'a Plan,
    pub(super) calls: &'a [Call<'a, B, S, C>],
}

type Answer<T, E> = Result<Remembered<T>, LoadError<E>>;

/// The ids that this batch loads, by their place in it.
struct Led<'f, T> {
    at: usize,
    leader: Leader<'f>,
    seen: Seen<T>,
}

impl<B, S, C> Batch<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    pub(super) async fn run<K, T, E, M, F, Fut>(&self, ids: &[K], loader: &mut F) -> Result<Vec<Answer<T, E>>>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, T)>,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<M, E>>,
    {
        let flights = self.cache.flights();
        // Declared before any leader or follower, so that it is dropped after them and sees what they leave.
        let _sweeper = self.cache.sweeper();
        let mut answers: Vec<Option<Answer<T, E>>> = self.calls.iter().map(|_| None).collect();
        let all: Vec<usize> = (0..self.calls.len()).collect();
        let mut open = Vec::new();
        self.answer_or_open(&all, &mut answers, &mut open).await?;
        let mut alone = Vec::new();
        let mut taken_over = Vec::new();
        while !open.is_empty() || !taken_over.is_empty() {
            let mut led: Vec<Led<'_, T>> = std::mem::take(&mut taken_over);
            let mut followed: Vec<(usize, Seen<T>, Follower<'_>)> = Vec::new();
            for (at, seen) in open.drain(..) {
                let call = &self.calls[at];
                if let Seen::Due(found) = seen {
                    match flights.lead_if_none(call.physical) {
                        Some(leader) => led.push(Led {
                            at,
                            leader,
                            seen: Seen::Due(found),
                        }),
                        None => answers[at] = Some(Ok(Remembered::new(found.value, Source::Hit))),
                    }
                    continue;
                }
                match flights.board(call.physical, call.ticket, seen.sight(self.plan)) {
                    Boarding::Reentrant => answers[at] = Some(Err(LoadError::Reentrant)),
                    Boarding::Leader(leader) => led.push(Led { at, leader, seen }),
                    // Another id of this batch has the same key, and would be waited for before it is loaded.
                    Boarding::Follower(follower) => followed.push((at, seen, follower)),
                }
            }
            // Its own loads first: two batches that lead each other's keys would otherwise wait for each other.
            for (at, answer) in self.lead(ids, led, loader).await {
                answers[at] = Some(answer);
            }
            let waits = followed.into_iter().map(async |(at, seen, follower)| {
                let arrival = self.calls[at].follow(follower).await;
                (at, seen, arrival)
            });
            let mut found = Vec::new();
            for (at, mut seen, arrival) in join_all(waits).await {
                match arrival {
                    Some(Arrival::Landed(Landing::Found)) => found.push(at),
                    Some(Arrival::Landed(landing)) => match self.calls[at].landed(landing, &mut seen) {
                        Some(answer) => answers[at] = Some(answer),
                        None => alone.push(at),
                    },
                    Some(Arrival::TakeOver(leader)) => taken_over.push(Led { at, leader, seen }),
                    None => open.push((at, seen)),
                }
            }
            self.answer_or_open(&found, &mut answers, &mut open).await?;
        }
        for (at, answer) in self.load_alone(ids, alone, loader).await {
            answers[at] = Some(answer);
        }
        Ok(answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Err(LoadError::Reentrant)))
            .collect())
    }

    /// Reads many keys in one trip, and answers those that need no load.
    async fn answer_or_open<T: DeserializeOwned, E>(
        &self,
        places: &[usize],
        answers: &mut [Option<Answer<T, E>>],
        open: &mut Vec<(usize, Seen<T>)>,
    ) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        for (at, seen) in self.look(places).await? {
            match seen.answer(self.plan, self.cache.now()) {
                Ok(answer) => answers[at] = Some(Ok(answer)),
                Err(seen) => open.push((at, seen)),
            }
        }
        Ok(())
    }

    /// Reads many keys in one trip.
    async fn look<T: DeserializeOwned>(&self, places: &[usize]) -> Result<Vec<(usize, Seen<T>)>> {
        let keys: Vec<&str> = places.iter().map(|&at| self.calls[at].physical).collect();
        let mut entries = self.cache.backend().get_many(&keys).await.into_iter();
        let seen = places.iter().map(|&at| {
            let entry = entries.next().unwrap_or_else(|| Err(short_answer()));
            let physical = self.calls[at].physical;
            Ok((at, self.cache.classify(physical, entry, self.plan, false)?))
        });
        seen.collect()
    }

    /// Fences, loads, shares and fills what this batch leads: one trip, one load, one trip.
    async fn lead<K, T, E, M, F, Fut>(
        &self,
        ids: &[K],
        led: Vec<Led<'_, T>>,
        loader: &mut F,
    ) -> Vec<(usize, Answer<T, E>)>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, T)>,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<M, E>>,
    {
        let (mut led, mut answers) = self.place_fences(led).await;
        if led.is_empty() {
            return answers;
        }
        let missing: Vec<K> = led.iter().map(|led| ids[led.at].clone()).collect();
        for led in &led {
            led.leader.begin();
        }
        self.cache.count_load();
        let clock = &self.cache.settings().clock;
        let began = clock.monotonic();
        let leaders = led.iter().map(|led| &led.leader);
        let outcome = Loading::new(leaders, async { loader(missing).await }).await;
        let took = clock.monotonic().saturating_sub(began);

        let failure = match outcome {
            Some(Ok(found)) => {
                answers.extend(self.finish(ids, led, found, took).await);
                return answers;
            }
            Some(Err(error)) => LoadError::Loader(Arc::new(error)),
            None => LoadError::Panicked,
        };
        for led in &mut led {
            led.leader.land(match &failure {
                LoadError::Loader(error) => Landing::Failed(Arc::clone(error) as _),
                _ => Landing::Panicked,
            });
        }
        let cleared = led.into_iter().map(async |mut led| {
            let call = &self.calls[led.at];
            call.release(&led.leader).await;
            call.throttle(&led.seen).await;
            (led.at, call.or_stale(&mut led.seen, failure.clone()))
        });
        answers.extend(join_all(cleared).await);
        answers
    }

    /// Puts the markers of all leaders in one trip. Those whose marker was refused look again, together, once.
    async fn place_fences<'f, T, E>(&self, led: Vec<Led<'f, T>>) -> (Vec<Led<'f, T>>, Vec<(usize, Answer<T, E>)>)
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
        for led in led {
            let call = &self.calls[led.at];
            let condition = match &led.seen {
                Seen::Nothing => Condition::IfAbsent,
                Seen::Undecodable(bytes) => instead_of(bytes),
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
                Seen::Marker(_) if led.leader.fence().is_none() => {
                    refused.push(led);
                    continue;
                }
                _ => {
                    ready.push(led);
                    continue;
                }
            };
            if led.leader.fence().is_some() {
                // Taken over, with the fence of the leader that is gone.
                ready.push(led);
                continue;
            }
            let (marker, options) = call.marker(condition);
            led.leader.attempt(marker.slice(..LONG_LEN));
            items.push(SetItem::new(call.physical, marker.clone(), options));
            sent.push((led, marker.slice(..SHORT_LEN)));
        }
        let mut outcomes = if items.is_empty() {
            Vec::new().into_iter()
        } else {
            self.cache.backend().set_many(items).await.into_iter()
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
                    answers.push((led.at, self.raise(led, error)));
                }
                // Loaded and not stored; the token is only released.
                Err(_) => ready.push(led),
            }
        }
        if refused.is_empty() {
            return (ready, answers);
        }
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
                        Seen::Due(found) | Seen::Stale(found) => {
                            led.leader.fill_against(found.fence());
                            led.seen = Seen::Stale(found);
                        }
                        Seen::Marker(fence) | Seen::Unwanted(fence) => led.leader.fill_against(fence),
                        // It changes all the time: loaded and not stored.
                        Seen::Undecodable(_) | Seen::Nothing | Seen::Away => {}
                    }
                    ready.push(led);
                }
            }
            Err(error) => answers.extend(refused.into_iter().map(|led| (led.at, self.raise(led, error.clone())))),
        }
        (ready, answers)
    }

    fn raise<T, E>(&self, mut led: Led<'_, T>, error: Error) -> Answer<T, E> {
        let error = error.with_operation("remember_many");
        led.leader.land(Landing::Raised(error.clone()));
        Err(LoadError::Cache(error))
    }

    /// Shares and fills what was loaded, and what was found not to be there.
    async fn finish<K, T, E, M>(
        &self,
        ids: &[K],
        led: Vec<Led<'_, T>>,
        found: M,
        took: Duration,
    ) -> Vec<(usize, Answer<T, E>)>
    where
        K: Eq + Hash,
        T: Serialize,
        M: IntoIterator<Item = (K, T)>,
    {
        let mut found: HashMap<K, T> = found.into_iter().collect();
        let mut answers = Vec::with_capacity(led.len());
        let mut items = Vec::new();
        let mut filled = Vec::new();
        let mut released = Vec::new();
        for mut led in led {
            let call = &self.calls[led.at];
            let loaded = match found.remove(&ids[led.at]) {
                Some(value) => Loaded::value(value),
                None if self.plan.negative_ttl.is_some() => Loaded::absent(),
                None => Loaded::absent().do_not_store(),
            };
            match call.seal(&loaded, took) {
                Ok(sealed) => {
                    led.leader.land(Landing::Entry(sealed.bytes.clone()));
                    let options = if loaded.is_stored {
                        call.fill_options(&led.leader, sealed.expiry)
                    } else {
                        None
                    };
                    match options {
                        Some(options) => {
                            let fence = sealed.bytes.slice(..SHORT_LEN);
                            items.push(SetItem::new(call.physical, sealed.bytes, options));
                            filled.push((led.at, led.leader, loaded.value, fence));
                            continue;
                        }
                        None => answers.push((led.at, Ok(Remembered::new(loaded.value, Source::Loaded)))),
                    }
                }
                Err(error) => {
                    led.leader.land(Landing::Nothing);
                    answers.push((led.at, self.or_raise(loaded.value, error)));
                }
            }
            released.push(led);
        }
        if !items.is_empty() {
            let mut outcomes = self.cache.backend().set_many(items).await.into_iter();
            for (at, leader, value, fence) in filled {
                let answer = match outcomes.next().unwrap_or_else(|| Err(short_answer())) {
                    Ok(outcome) => {
                        self.calls[at].settle(&leader, outcome, fence).await;
                        Ok(Remembered::new(value, Source::Loaded))
                    }
                    Err(error) => self.or_raise(value, error),
                };
                answers.push((at, answer));
            }
        }
        join_all(released.iter().map(|led| self.calls[led.at].release(&led.leader))).await;
        answers
    }

    /// A value that the backend did not take, or the error, as the options say.
    fn or_raise<T, E>(&self, value: Option<T>, error: Error) -> Answer<T, E> {
        match self.plan.on_error {
            OnError::Raise => Err(LoadError::Cache(error.with_operation("remember_many"))),
            OnError::Execute => Ok(Remembered::new(value, Source::Loaded)),
        }
    }

    /// Loads, for this call alone, what the loads it waited for did not give it.
    async fn load_alone<K, T, E, M, F, Fut>(
        &self,
        ids: &[K],
        places: Vec<usize>,
        loader: &mut F,
    ) -> Vec<(usize, Answer<T, E>)>
    where
        K: Clone + Eq + Hash,
        M: IntoIterator<Item = (K, T)>,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<M, E>>,
    {
        if places.is_empty() {
            return Vec::new();
        }
        let missing: Vec<K> = places.iter().map(|&at| ids[at].clone()).collect();
        self.cache.count_load();
        let outcome = Loading::new([], async { loader(missing).await }).await;
        let failure = match outcome {
            Some(Ok(found)) => {
                let mut found: HashMap<K, T> = found.into_iter().collect();
                return places
                    .into_iter()
                    .map(|at| (at, Ok(Remembered::new(found.remove(&ids[at]), Source::Loaded))))
                    .collect();
            }
            Some(Err(error)) => LoadError::Loader(Arc::new(error)),
            None => LoadError::Panicked,
        };
        places.into_iter().map(|at| (at, Err(failure.clone()))).collect()
    }
}

/// A backend that breaks the contract must not shift one key's answer to another.
#[cold]
fn short_answer() -> Error {
    Error::new(
        ErrorKind::Server,
        "the backend answered fewer keys than it was asked for",
    )
}
