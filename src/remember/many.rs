use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    batch::Batch,
    error::LoadError,
    loaded::{Loaded, Remembered},
    one::Call,
    options::LoadOptions,
    outcome::count_remembered,
};
use crate::{
    backend::CacheBackend,
    cache::Cache,
    compressor::Compressor,
    error::{Error, Result},
    hook::{OperationKind, Scope},
    serializer::Serializer,
    ttl::Ttl,
};

/// What [`remember_many_with`](Cache::remember_many_with) answers: each id once, in the order given, with its own
/// outcome.
pub type RememberedMany<K, T, E> = Vec<(K, Result<Remembered<T>, LoadError<E>>)>;

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// Answers the values of many ids, loading those that are not cached in one call of `loader`.
    ///
    /// # Behavior
    ///
    /// - One batched read; one batch of markers, one call of `loader` with the ids that neither the cache nor another
    ///   load under way has, and one batched fill, for all of them. What [`remember`](Self::remember) promises for one
    ///   key holds for each: shared loads, fenced fills, no value lost to an outage.
    /// - Ids that the loader does not return have no value and are left out of the answer. Where the options have a
    ///   `negative_ttl` (set it with [`load_options`](crate::CacheBuilder::load_options)), their absence is cached.
    /// - `loader` is called again only where a load that this call waited for did not serve it: it went away, took longer
    ///   than `wait`, failed with another type of error, or answered another type of value.
    ///
    /// # Errors
    ///
    /// The first failure, in the order of `ids`; [`remember_many_with`](Self::remember_many_with) answers each id by
    /// itself.
    ///
    /// # Cancel safety
    ///
    /// As [`remember`](Self::remember), for each key.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    /// use std::collections::HashMap;
    ///
    /// async fn load_all(ids: Vec<u64>) -> std::io::Result<HashMap<u64, String>> {
    ///     Ok(ids.into_iter().map(|id| (id, format!("user {id}"))).collect())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::new());
    /// cache.set("user:1", "Alice", 60).await.unwrap();
    ///
    /// let ids = [1, 2, 3];
    /// let users = cache
    ///     .remember_many(ids, |id| format!("user:{id}"), "1h", |missing: Vec<u64>| load_all(missing))
    ///     .await
    ///     .unwrap();
    /// assert_eq!(users[&1], "Alice");
    /// assert_eq!(users[&3], "user 3");
    /// assert_eq!(cache.get::<String>("user:2").await.unwrap().as_deref(), Some("user 2"));
    /// # });
    /// ```
    pub async fn remember_many<K, T, E, M, F, Fut>(
        &self,
        ids: impl IntoIterator<Item = K>,
        key_of: impl Fn(&K) -> String,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        mut loader: F,
    ) -> Result<HashMap<K, T>, LoadError<E>>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, T)>,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<M, E>>,
    {
        let loader = |missing| {
            let load = loader(missing);
            async { Ok(load.await?.into_iter().map(|(id, value)| (id, Loaded::value(value)))) }
        };
        let answers = self
            .remember_many_by(ids, key_of, ttl, &LoadOptions::new(), true, loader)
            .await?;
        let mut values = HashMap::with_capacity(answers.len());
        for (id, answer) in answers {
            if let Some(value) = answer?.value {
                values.insert(id, value);
            }
        }
        Ok(values)
    }

    /// [`remember_many`](Self::remember_many) with options, for a loader that answers a [`Loaded`] for each id, and an
    /// outcome for each.
    ///
    /// An id given twice is answered once. Two ids with one key are loaded as the first of them.
    ///
    /// # Errors
    ///
    /// A malformed ttl, an option out of range, an over-long key: nothing is read or loaded.
    pub async fn remember_many_with<K, T, E, M, F, Fut>(
        &self,
        ids: impl IntoIterator<Item = K>,
        key_of: impl Fn(&K) -> String,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        loader: F,
    ) -> Result<RememberedMany<K, T, E>, LoadError<E>>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, Loaded<T>)>,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<M, E>>,
    {
        self.remember_many_by(ids, key_of, ttl, options, false, loader).await
    }

    /// [`remember_many_with`](Self::remember_many_with) for a caller that `raises` the first failure there is.
    async fn remember_many_by<K, T, E, M, F, Fut>(
        &self,
        ids: impl IntoIterator<Item = K>,
        key_of: impl Fn(&K) -> String,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        raises: bool,
        loader: F,
    ) -> Result<RememberedMany<K, T, E>, LoadError<E>>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, Loaded<T>)>,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<M, E>>,
    {
        let ids: Vec<K> = ids.into_iter().collect();
        let scope = self.begin(OperationKind::RememberMany, None, Some(ids.len()));
        let answers = self.try_remember_many(&scope, ids, key_of, ttl, options, loader).await;
        if scope.is_active() {
            for (_, answer) in answers.iter().flatten() {
                count_remembered(&scope, answer);
            }
            match &answers {
                Ok(answers) => {
                    let mut failed = answers.iter().filter_map(|(_, answer)| answer.as_ref().err());
                    let failure = failed.next().map(LoadError::failure);
                    if raises {
                        scope.finish(failure);
                    } else {
                        scope.finish_counted(failure);
                    }
                }
                Err(error) => scope.finish(Some(error.failure())),
            }
        }
        answers
    }

    async fn try_remember_many<K, T, E, M, F, Fut>(
        &self,
        scope: &Scope<'_>,
        ids: Vec<K>,
        key_of: impl Fn(&K) -> String,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        mut loader: F,
    ) -> Result<RememberedMany<K, T, E>, LoadError<E>>
    where
        K: Clone + Eq + Hash,
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        M: IntoIterator<Item = (K, Loaded<T>)>,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<M, E>>,
    {
        let ticket = self.flights().ticket();
        let plan = self.plan(options)?;
        let ttl = self.ttl_of(ttl, "remember_many")?;
        let mut given = HashSet::new();
        let ids: Vec<K> = ids.into_iter().filter(|id| given.insert(id.clone())).collect();
        let keys: Vec<String> = ids
            .iter()
            .map(|id| Ok(self.physical(&key_of(id), "remember_many")?.into_owned()))
            .collect::<Result<_>>()?;
        let calls: Vec<Call<'_, B, S, C>> = keys
            .iter()
            .map(|physical| Call {
                cache: self,
                physical,
                plan: &plan,
                ttl,
                ticket,
                wants_value: false,
                waits_since: std::sync::OnceLock::new(),
                has_loaded: std::sync::OnceLock::new(),
                scope,
            })
            .collect();
        let batch = Batch {
            cache: self,
            plan: &plan,
            calls: &calls,
            scope,
        };
        let answers = batch.run(&ids, &mut loader).await?;
        Ok(ids.into_iter().zip(answers).collect())
    }
}
