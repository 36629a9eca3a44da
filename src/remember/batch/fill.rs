use std::{collections::HashMap, future::Future, hash::Hash, sync::Arc, time::Duration};

use futures::future::join_all;
use serde::Serialize;

use super::{
    super::{
        error::LoadError,
        loaded::{Loaded, Remembered, Source},
        look::Seen,
        options::OnError,
        outcome::end_load,
    },
    Answer, Batch, Led, collected, short_answer,
};
use crate::{
    backend::{CacheBackend, SetItem},
    compressor::Compressor,
    envelope::SHORT_LEN,
    error::Error,
    flight::{Landing, Loading},
    hook::{Note, OperationKind},
    serializer::Serializer,
};

impl<B, S, C> Batch<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// Shares and fills what was loaded, and what was found not to be there.
    pub(super) async fn finish<K, T, E>(
        &self,
        ids: &[K],
        led: Vec<Led<T>>,
        mut found: HashMap<K, Loaded<T>>,
        took: Duration,
    ) -> Vec<(usize, Answer<T, E>)>
    where
        K: Eq + Hash,
        T: Serialize,
    {
        let mut answers = Vec::with_capacity(led.len());
        let mut items = Vec::new();
        let mut filled = Vec::new();
        let mut released = Vec::new();
        for mut led in led {
            let call = &self.calls[led.at];
            let loaded = match found.remove(&ids[led.at]) {
                Some(loaded) => loaded,
                None if self.plan.negative_ttl.is_some() => Loaded::absent(),
                None => Loaded::absent().do_not_store(),
            };
            let is_gone = loaded.value.is_none() && !loaded.is_stored;
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
                            if !self.plan.is_fenced {
                                led.leader.attempt(fence.clone());
                            }
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
            released.push((led, is_gone));
        }
        if !items.is_empty() {
            let mut outcomes = self.cache.store(self.scope).set_many(items).await.into_iter();
            for (at, leader, value, fence) in filled {
                let answer = match outcomes.next().unwrap_or_else(|| Err(short_answer())) {
                    Ok(outcome) => {
                        self.calls[at].settle(&leader, outcome, fence).await;
                        Ok(Remembered::new(value, Source::Loaded))
                    }
                    Err(error) => {
                        // What raises is answered to nobody, and the note would be taken for another key's.
                        if self.plan.on_error == OnError::Execute {
                            self.scope.note(Note::Bypassed);
                        }
                        self.or_raise(value, error)
                    }
                };
                answers.push((at, answer));
            }
        }
        join_all(
            released
                .iter()
                .map(|(led, is_gone)| self.calls[led.at].clear(&led.leader, *is_gone)),
        )
        .await;
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
    pub(super) async fn load_alone<K, T, E, M, F, Fut>(
        &self,
        ids: &[K],
        mut alone: Vec<(usize, Seen<T>)>,
        loader: &mut F,
    ) -> Vec<(usize, Answer<T, E>)>
    where
        K: Clone + Eq + Hash,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, Loaded<T>)>,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<M, E>>,
    {
        if alone.is_empty() {
            return Vec::new();
        }
        let missing: Vec<K> = alone.iter().map(|&(at, _)| ids[at].clone()).collect();
        self.cache.count_load();
        let part = self.scope.child(OperationKind::Load, None, Some(missing.len()));
        let load = async { collected(part.within(async { loader(missing).await }).await) };
        let outcome = Loading::new([], load).await;
        end_load(part, outcome.as_ref());
        let failure = match outcome {
            Some(Ok(mut found)) => {
                return alone
                    .into_iter()
                    .map(|(at, _)| {
                        let value = found.remove(&ids[at]).and_then(|loaded| loaded.value);
                        (at, Ok(Remembered::new(value, Source::Loaded)))
                    })
                    .collect();
            }
            Some(Err(error)) => LoadError::Loader(Arc::new(error)),
            None => LoadError::Panicked,
        };
        alone
            .iter_mut()
            .map(|(at, seen)| (*at, self.calls[*at].or_stale(seen, failure.clone())))
            .collect()
    }
}
