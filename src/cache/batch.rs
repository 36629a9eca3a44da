use std::collections::HashMap;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Cache, Lookup,
    answers::{all_or_first, found_of, short_answer},
    during,
    keyspace::{check, is_allowed},
    remember::Keys,
    write::done_if,
};
use crate::{
    backend::{CacheBackend, Entry, SetItem},
    compressor::Compressor,
    error::{Error, Result},
    hook::{Failure, OperationKind, OperationOutcome, Scope},
    serializer::Serializer,
    strings::Strings,
    ttl::Ttl,
};

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Reads many keys in one round trip (one per node of a cluster) and answers those that have a value.
    ///
    /// A key whose read failed is left out; [`get_many_results`](Self::get_many_results) tells it from a miss. A
    /// cached `None` is left out too, unless `T` is an `Option`.
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    /// use std::collections::HashMap;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::new());
    /// cache.set_many([("a", 1), ("b", 2)], 3600).await?;
    ///
    /// let found: HashMap<String, i32> = cache.get_many(["a", "b", "c"]).await?;
    /// assert_eq!(found, HashMap::from([("a".into(), 1), ("b".into(), 2)]));
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// An over-long key; otherwise only where no key could be answered.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<HashMap<String, T>> {
        let keys = owned(keys);
        let scope = self.begin(OperationKind::GetMany, None, Some(keys.len()));
        let asked = self.ask_many(&scope, keys).await;
        let room = asked.found();
        let found = found_of(self.answers(&scope, asked), room);
        scope.finish(found.as_ref().err().map(Failure::Cache));
        found
    }

    /// Reads many keys in one round trip (one per node of a cluster) and answers each by itself, in the order given.
    pub async fn get_many_results<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Vec<(String, Result<Lookup<T>>)> {
        let keys = owned(keys);
        let scope = self.begin(OperationKind::GetManyResults, None, Some(keys.len()));
        let asked = self.ask_many(&scope, keys).await;
        let results = self.answers(&scope, asked).collect();
        scope.finish(None);
        results
    }

    async fn ask_many(&self, scope: &Scope<'_>, keys: Vec<String>) -> Asked {
        let (physical, refused) = self.physical_of(&keys, scope.name());
        let entries = self.store(scope).get_many(&physical.all()).await;
        Asked {
            keys,
            refused,
            physical,
            entries,
        }
    }

    /// What each key has, decoded when it is its turn.
    fn answers<'a, T: DeserializeOwned>(
        &'a self,
        scope: &'a Scope<'_>,
        asked: Asked,
    ) -> impl Iterator<Item = (String, Result<Lookup<T>>)> + use<'a, T, B, S, C> {
        let operation = scope.name();
        let schema = self.settings().sealing.schema;
        let (physical, mut entries) = (asked.physical, asked.entries.into_iter().enumerate());
        asked.keys.into_iter().zip(asked.refused).map(move |(key, refused)| {
            let answer = match refused {
                Some(error) => Err(error),
                None => match entries.next() {
                    Some((place, Ok(Some(entry)))) => self.decode(scope, || physical.get(place), &entry, schema),
                    Some((_, Ok(None))) => Ok(Lookup::Miss),
                    Some((_, Err(error))) => Err(error),
                    None => Err(short_answer(operation)),
                },
            };
            let answer = match answer {
                Err(error) => self.or_substitute(scope, &key, Err(error.with_operation(operation))),
                answer => answer,
            };
            scope.count(&answer, Lookup::outcome);
            (key, answer)
        })
    }

    /// Stores many values for `ttl`, each with a jitter of its own, in one pipelined round trip.
    ///
    /// Of two items with the same key the later one wins.
    ///
    /// # Errors
    ///
    /// A malformed ttl: nothing is sent. Otherwise where any item could not be stored: the others are, and the message
    /// says how many failed and why the first did. [`set_many_results`](Self::set_many_results) answers each by itself.
    pub async fn set_many<K, T>(
        &self,
        items: impl IntoIterator<Item = (K, T)>,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
    ) -> Result<()>
    where
        K: AsRef<str>,
        T: Serialize,
    {
        let items: Vec<_> = items.into_iter().collect();
        let scope = self.begin(OperationKind::SetMany, None, Some(items.len()));
        let results = self.put_many(&scope, items, ttl).await;
        let written = results
            .and_then(|results| all_or_first(results.into_iter().map(|(_, result)| result), "set_many").map(|_| ()));
        scope.finish(written.as_ref().err().map(Failure::Cache));
        written
    }

    /// Stores many values like [`set_many`](Self::set_many) and answers each by itself, in the order given.
    ///
    /// # Errors
    ///
    /// A malformed ttl: nothing is sent.
    pub async fn set_many_results<K, T>(
        &self,
        items: impl IntoIterator<Item = (K, T)>,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
    ) -> Result<Vec<(String, Result<()>)>>
    where
        K: AsRef<str>,
        T: Serialize,
    {
        let items: Vec<_> = items.into_iter().collect();
        let scope = self.begin(OperationKind::SetManyResults, None, Some(items.len()));
        let results = self.put_many(&scope, items, ttl).await;
        scope.finish(results.as_ref().err().map(Failure::Cache));
        results
    }

    /// Encodes each item, so that one that can not be encoded fails alone.
    fn prepare_many<K, T>(&self, scope: &Scope<'_>, items: Vec<(K, T)>, ttl: Ttl) -> Vec<(String, Result<SetItem>)>
    where
        K: AsRef<str>,
        T: Serialize,
    {
        let schema = self.settings().sealing.schema;
        items
            .into_iter()
            .map(|(key, value)| {
                let write = self.prepare_for(scope, key.as_ref(), &value, ttl, schema);
                let item = write.map(|write| SetItem::new(write.key, write.entry, write.options));
                (key.as_ref().to_owned(), item)
            })
            .collect()
    }

    async fn put_many<K, T>(
        &self,
        scope: &Scope<'_>,
        items: Vec<(K, T)>,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
    ) -> Result<Vec<(String, Result<()>)>>
    where
        K: AsRef<str>,
        T: Serialize,
    {
        let operation = scope.name();
        let ttl = self.settings().ttl(ttl).map_err(during(operation))?;
        let prepared = self.prepare_many(scope, items, ttl);
        Ok(self.send_many(scope, prepared).await)
    }

    async fn send_many(
        &self,
        scope: &Scope<'_>,
        prepared: Vec<(String, Result<SetItem>)>,
    ) -> Vec<(String, Result<()>)> {
        let operation = scope.name();
        let mut items: Vec<SetItem> = Vec::with_capacity(prepared.len());
        let mut refused = Vec::with_capacity(prepared.len());
        for (key, item) in prepared {
            match item {
                Ok(item) => {
                    items.push(item);
                    refused.push((key, None));
                }
                Err(error) => refused.push((key, Some(error.with_operation(operation)))),
            }
        }
        let mut written = Strings::with_capacity(items.len(), items.iter().map(|item| item.key.len()).sum());
        for item in &items {
            written.push(&item.key);
        }
        let written = written.all();
        let _voided = self.invalidate(Keys::Many(&written));
        let mut outcomes = self.store(scope).set_many(items).await.into_iter();
        refused
            .into_iter()
            .map(|(key, refused)| {
                let result = match refused {
                    Some(error) => Err(error),
                    None => outcomes
                        .next()
                        .unwrap_or_else(|| Err(short_answer(operation)))
                        .map(|_| ())
                        .map_err(during(operation)),
                };
                let result = self.or_nothing(scope, &key, result, ());
                scope.count(&result, |()| OperationOutcome::Done);
                (key, result)
            })
            .collect()
    }
}

impl<B: CacheBackend, S, C> Cache<B, S, C> {
    /// Removes many keys in one round trip (one per node of a cluster), whatever they hold; answers how many there
    /// were.
    ///
    /// Loads of these keys that are under way are voided; a fill marker counts as a key.
    ///
    /// # Errors
    ///
    /// Where any key could not be removed: the others are, and the message says how many failed and why the first did.
    /// [`delete_many_results`](Self::delete_many_results) answers each by itself.
    pub async fn delete_many(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Result<u64> {
        let keys = owned(keys);
        let scope = self.begin(OperationKind::DeleteMany, None, Some(keys.len()));
        let results = self.remove_many(&scope, keys).await;
        let removed = all_or_first(results.into_iter().map(|(_, result)| result), "delete_many");
        scope.finish(removed.as_ref().err().map(Failure::Cache));
        Ok(removed?.into_iter().map(u64::from).sum())
    }

    /// Removes many keys like [`delete_many`](Self::delete_many) and answers for each whether it was there, in the
    /// order given.
    pub async fn delete_many_results(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Vec<(String, Result<bool>)> {
        let keys = owned(keys);
        let scope = self.begin(OperationKind::DeleteManyResults, None, Some(keys.len()));
        let results = self.remove_many(&scope, keys).await;
        scope.finish(None);
        results
    }

    async fn remove_many(&self, scope: &Scope<'_>, keys: Vec<String>) -> Vec<(String, Result<bool>)> {
        let operation = scope.name();
        let (good, physical) = self.physical_of(&keys, operation);
        let wanted = good.all();
        let _voided = self.invalidate(Keys::Many(&wanted));
        let mut outcomes = self.store(scope).delete_many(&wanted).await.into_iter();
        let answers = physical.into_iter().map(|refused| match refused {
            Some(error) => Err(error),
            None => outcomes
                .next()
                .unwrap_or_else(|| Err(short_answer(operation)))
                .map(crate::Outcome::is_done)
                .map_err(during(operation)),
        });
        let answers: Vec<_> = answers.collect();
        keys.into_iter()
            .zip(answers)
            .map(|(key, answer)| {
                let answer = self.or_nothing(scope, &key, answer, false);
                scope.count(&answer, done_if);
                (key, answer)
            })
            .collect()
    }

    /// The physical keys of those that are allowed, and for each key the error of one that is not.
    fn physical_of(&self, keys: &[String], operation: &'static str) -> (Strings, Vec<Option<Error>>) {
        let lead = self.inner.keys.lead();
        let allowed = keys.iter().filter(|key| is_allowed(key));
        let bytes = allowed.map(|key| lead.len() + key.len()).sum();
        let mut good = Strings::with_capacity(keys.len(), bytes);
        let refused = keys
            .iter()
            .map(|key| match check(key) {
                Ok(()) => {
                    good.push_joined([lead, key]);
                    None
                }
                Err(error) => Some(error.with_operation(operation)),
            })
            .collect();
        (good, refused)
    }
}

/// A batch of reads that the backend has answered.
struct Asked {
    keys: Vec<String>,
    /// For each key the error of one that is not allowed.
    refused: Vec<Option<Error>>,
    /// Of the others, as are their entries.
    physical: Strings,
    entries: Vec<Result<Option<Entry>>>,
}

impl Asked {
    /// How many entries there are.
    fn found(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Ok(Some(_)))).count()
    }
}

fn owned(keys: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    keys.into_iter().map(|key| key.as_ref().to_owned()).collect()
}
