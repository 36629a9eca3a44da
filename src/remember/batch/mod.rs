use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    hash::Hash,
    ops::ControlFlow,
    sync::Arc,
};

use futures::{
    future::join_all,
    stream::{FuturesUnordered, StreamExt},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::LoadError,
    loaded::{Loaded, Remembered},
    look::Seen,
    one::Call,
    outcome::end_load,
    plan::Plan,
};
use crate::{
    backend::CacheBackend,
    cache::Cache,
    clock::Clock,
    compressor::Compressor,
    error::{Error, ErrorKind, Result},
    flight::{Arrival, Boarding, Follower, Landing, Leader, Loading},
    hook::{OperationKind, Scope},
    serializer::Serializer,
};

mod fence;
mod fill;

/// The calls of one `remember_many`, one for each id.
#[derive(Debug)]
pub(in crate::remember) struct Batch<'a, B, S, C> {
    pub(in crate::remember) cache: &'a Cache<B, S, C>,
    pub(in crate::remember) plan: &'a Plan,
    pub(in crate::remember) calls: &'a [Call<'a, B, S, C>],
    pub(in crate::remember) scope: &'a Scope<'a>,
}

pub(super) type Answer<T, E> = Result<Remembered<T>, LoadError<E>>;

/// The ids that this batch loads, by their place in it.
pub(super) struct Led<T> {
    pub(super) at: usize,
    pub(super) leader: Leader,
    pub(super) seen: Seen<T>,
}

impl<B, S, C> Batch<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    pub(in crate::remember) async fn run<K, T, E, M, F, Fut>(
        &self,
        ids: &[K],
        loader: &mut F,
    ) -> Result<Vec<Answer<T, E>>>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, Loaded<T>)>,
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
        let mut alone: Vec<(usize, Seen<T>)> = Vec::new();
        let mut taken_over = Vec::new();
        while !open.is_empty() || !taken_over.is_empty() {
            let mut led: Vec<Led<T>> = std::mem::take(&mut taken_over);
            let mut followed: Vec<(usize, Follower)> = Vec::new();
            let mut waiting: BTreeMap<usize, Seen<T>> = BTreeMap::new();
            for (at, seen) in open.drain(..) {
                let call = &self.calls[at];
                if let Seen::Due(found) = seen {
                    match flights.lead_if_none(call.physical) {
                        Some(leader) => led.push(Led {
                            at,
                            leader,
                            seen: Seen::Due(found),
                        }),
                        None => answers[at] = Some(Ok(found.answer(self.cache.now()))),
                    }
                    continue;
                }
                match flights.board(call.physical, call.ticket, seen.sight(self.plan)) {
                    Boarding::Reentrant => answers[at] = Some(Err(LoadError::Reentrant)),
                    Boarding::Leader(leader) => led.push(Led { at, leader, seen }),
                    // Another id of this batch has the same key, and would be waited for before it is loaded.
                    Boarding::Follower(follower) => {
                        followed.push((at, follower));
                        waiting.insert(at, seen);
                    }
                }
            }
            // Its own loads first: two batches that lead each other's keys would otherwise wait for each other.
            for (at, answer) in self.lead(ids, led, loader).await {
                answers[at] = Some(answer);
            }
            let mut waits: FuturesUnordered<_> = followed
                .into_iter()
                .map(async |(at, follower)| (at, self.calls[at].follow(follower).await))
                .collect();
            let mut found = Vec::new();
            while let Some((at, arrival)) = waits.next().await {
                let Some(mut seen) = waiting.remove(&at) else {
                    continue;
                };
                match arrival {
                    Some(Arrival::Landed(Landing::Found)) => found.push(at),
                    Some(Arrival::Landed(landing)) => match self.calls[at].landed(landing, &mut seen) {
                        Some(answer) => answers[at] = Some(answer),
                        None => alone.push((at, seen)),
                    },
                    Some(Arrival::TakeOver(leader)) => {
                        // Others wait for this load, and one of them may be what this batch waits for.
                        taken_over.push(Led { at, leader, seen });
                        break;
                    }
                    None => open.push((at, seen)),
                }
            }
            drop(waits);
            open.extend(waiting);
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
                ControlFlow::Break(answer) => answers[at] = Some(Ok(answer)),
                ControlFlow::Continue(seen) => open.push((at, seen)),
            }
        }
        Ok(())
    }

    /// Reads many keys in one trip.
    pub(super) async fn look<T: DeserializeOwned>(&self, places: &[usize]) -> Result<Vec<(usize, Seen<T>)>> {
        let keys: Vec<&str> = places.iter().map(|&at| self.calls[at].physical).collect();
        let mut entries = self.cache.store(self.scope).get_many(&keys).await.into_iter();
        let seen = places.iter().map(|&at| {
            let entry = entries.next().unwrap_or_else(|| Err(short_answer()));
            let physical = self.calls[at].physical;
            Ok((at, self.cache.classify(self.scope, physical, entry, self.plan, false)?))
        });
        seen.collect()
    }

    /// Fences, loads, shares and fills what this batch leads: one trip, one load, one trip.
    async fn lead<K, T, E, M, F, Fut>(&self, ids: &[K], led: Vec<Led<T>>, loader: &mut F) -> Vec<(usize, Answer<T, E>)>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, Loaded<T>)>,
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
        let part = self.scope.child(OperationKind::Load, None, Some(missing.len()));
        let load = async { collected(part.within(async { loader(missing).await }).await) };
        let outcome = Loading::new(leaders, load).await;
        end_load(part, outcome.as_ref());
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
            call.throttle(led.seen.refreshed()).await;
            (led.at, call.or_stale(&mut led.seen, failure.clone()))
        });
        answers.extend(join_all(cleared).await);
        answers
    }
}

/// What a loader answered, taken out of its iterator while a panic of that is still the load's.
fn collected<K, T, E, M>(answer: Result<M, E>) -> Result<HashMap<K, Loaded<T>>, E>
where
    K: Eq + Hash,
    M: IntoIterator<Item = (K, Loaded<T>)>,
{
    answer.map(|found| found.into_iter().collect())
}

/// A backend that breaks the contract must not shift one key's answer to another.
#[cold]
pub(super) fn short_answer() -> Error {
    Error::new(
        ErrorKind::Server,
        "the backend answered fewer keys than it was asked for",
    )
}
