use std::{future::Future, time::Duration};

use bytes::Bytes;
use futures::{
    Stream,
    future::{Either, select},
};

use super::{
    Batched,
    batch::Answer,
    errand::{Sets, unanswered},
    lane::overdue,
};
use crate::{
    backend::{
        AtOnce, CacheBackend, Capabilities, Condition, Entry, Expiry, Head, Outcome, SetItem, SetOptions, SweepListener,
    },
    error::Result,
};

#[deny(clippy::missing_trait_methods)]
impl<B: CacheBackend + 'static> CacheBackend for Batched<B> {
    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        self.get_joined("", key)
    }

    async fn get_joined(&self, prefix: &str, key: &str) -> Result<Option<Entry>> {
        let Some(gets) = &self.gets else {
            return self.backend.get_joined(prefix, key).await;
        };
        let call = gets.enter()?;
        if !gets.goes_alone(&call)
            && let Answer::Own(found) = gets.join([prefix, key]).await
        {
            return found;
        }
        self.backend.get_joined(prefix, key).await
    }

    fn get_at_once(&self, prefix: &str, key: &str) -> AtOnce {
        match self.gets {
            // A read has to take its place.
            Some(_) => AtOnce::Unknown,
            None => self.backend.get_at_once(prefix, key),
        }
    }

    fn get_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Option<Entry>>>> + Send {
        self.backend.get_many(keys)
    }

    fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send {
        self.backend.head(key, n)
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome> {
        // What depends on what stands is a step of its own; what is refused must not be so in the name of a batch.
        let is_plain = options.condition == Condition::Always && options.expiry != Expiry::Keep;
        let Some(sets) = self.sets.as_ref().filter(|_| is_plain && options.check().is_ok()) else {
            return self.backend.set(key, value, options).await;
        };
        let call = sets.enter()?;
        if sets.goes_alone(&call) {
            return self.backend.set(key, value, options).await;
        }
        let deadline = sets.deadline();
        let own = options.deadline.filter(|own| *own < deadline);
        let options = options.with_deadline(own.unwrap_or(deadline));
        let answered = sets.join((key, value, options));
        let answer = match own {
            None => answered.await,
            // The lane watches its own deadline alone.
            Some(own) => match select(answered, sets.sleep(own)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => return Err(overdue::<Sets>(own)),
            },
        };
        match answer {
            Answer::Own(outcome) => outcome,
            // Never said of a write, which is sent once.
            Answer::AskAlone => Err(unanswered::<Sets>("the batch of this call has ended without an answer")),
        }
    }

    fn set_many(&self, items: Vec<SetItem>) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.backend.set_many(items)
    }

    fn delete(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.backend.delete(key, condition)
    }

    fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.backend.delete_many(keys)
    }

    fn expire(&self, key: &str, after: Duration, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.backend.expire(key, after, condition)
    }

    fn persist(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.backend.persist(key, condition)
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a, B> {
        self.backend.scan(pattern)
    }

    fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
        self.backend.delete_matching(pattern)
    }

    fn delete_matching_with(
        &self,
        pattern: &str,
        progress: &SweepListener<'_>,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.backend.delete_matching_with(pattern, progress)
    }
}
