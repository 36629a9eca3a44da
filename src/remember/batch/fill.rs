use std::{collections::HashMap, future::Future, hash::Hash, sync::Arc, time::Duration};

use futures::future::join_all;
use serde::Serialize;

use super::{
    super::{
        error::LoadError,
        loaded::{Loaded, Remembered, Source},
        options::OnError,
    },
    Answer, Batch, Led, short_answer,
};
use crate::{
    backend::{CacheBackend, SetItem},
    compressor::Compressor,
    envelope::SHORT_LEN,
    error::Error,
    flight::{Landing, Loading},
    serializer::Serializer,
};

impl<B, S, C> Batch<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// Shares and fills what was loaded, and what was found not to be there.
    pub(super) async fn finish<K, T, E, M>(
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
    pub(super) async fn load_alone<K, T, E, M, F, Fut>(
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
