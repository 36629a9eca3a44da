//! GET, MGET and the beginning of a value.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use fred::{
    interfaces::KeysInterface,
    types::{Key, Value},
    util::redis_keyslot,
};
use futures::future::join_all;
use larder::{Entry, Error, ErrorKind, Head, KeyTtl, Result};

use crate::{cluster::Answer, command::Permit, link::Link, script};

/// How many keys one MGET asks for: more would keep the server from its other clients for long.
const KEYS_PER_MGET: usize = 1024;

impl Link {
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let permit = self.admit(1)?;
        let key = Key::from(key);
        let answer = if self.is_clustered() {
            self.send_to(&key, permit, |client, _| {
                let key = key.clone();
                async move { client.get::<Option<Bytes>, _>(key).await }
            })
            .await
        } else {
            // Sent once, so that nothing is to be cloned.
            let client = self.bounded();
            Answer::of(self.send(permit, async move { client.get(key).await }).await)
        };
        let found = self.wrong_type_as_missing(answer, None)?;
        Ok(found.map(|bytes| Entry::new(copied(&bytes))))
    }

    pub(crate) async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        let groups = self.groups(keys);
        let mut permit = match self.admit(groups.len()) {
            Ok(permit) => permit,
            Err(error) => return keys.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut answers: Vec<Option<Result<Option<Entry>>>> = keys.iter().map(|_| None).collect();
        // A cluster may need a command per key; a window bounds the memory of those under way.
        for window in groups.chunks(KEYS_PER_MGET) {
            let found = join_all(window.iter().map(|group| self.get_group(permit.part(), keys, group))).await;
            for (group, found) in window.iter().zip(found) {
                match found {
                    Ok(found) => {
                        for (&place, bytes) in group.iter().zip(found) {
                            answers[place] = Some(Ok(bytes.map(|bytes| Entry::new(copied(&bytes)))));
                        }
                    }
                    Err(error) => {
                        for &place in group {
                            answers[place] = Some(Err(error.clone()));
                        }
                    }
                }
            }
        }
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| Err(unexpected("MGET left out a key"))))
            .collect()
    }

    /// The places of `keys`, grouped into what one MGET may ask for: on a cluster, keys of one hash slot.
    fn groups(&self, keys: &[&str]) -> Vec<Vec<usize>> {
        let places: Vec<usize> = (0..keys.len()).collect();
        if !self.is_clustered() {
            return places.chunks(KEYS_PER_MGET).map(<[usize]>::to_vec).collect();
        }
        let mut slots: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for place in places {
            slots
                .entry(redis_keyslot(keys[place].as_bytes()))
                .or_default()
                .push(place);
        }
        slots.into_values().collect()
    }

    async fn get_group(&self, permit: Permit, keys: &[&str], group: &[usize]) -> Result<Vec<Option<Bytes>>> {
        let asked = together(group.iter().map(|&place| keys[place]));
        let Some(first) = asked.first() else {
            return Ok(Vec::new());
        };
        let answer = self
            .send_to(first, permit, |client, _| {
                let asked = asked.clone();
                async move { client.mget::<Vec<Option<Bytes>>, _>(asked).await }
            })
            .await;
        if answer
            .found
            .as_ref()
            .is_err_and(|error| error.details().starts_with("TRYAGAIN"))
        {
            return self.get_each(&asked).await;
        }
        let found = answer.judge(self, false)?;
        if found.len() == group.len() {
            Ok(found)
        } else {
            Err(unexpected("MGET answered another number of values than keys"))
        }
    }

    /// Asks for keys of a slot that is on its way to another node: none has them all, and each knows where one is.
    async fn get_each(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let answer = self
                .send_to(key, self.admit(1)?, |client, _| {
                    let key = vec![key.clone()];
                    async move { client.mget::<Vec<Option<Bytes>>, _>(key).await }
                })
                .await;
            found.append(&mut answer.judge(self, false)?);
        }
        Ok(found)
    }

    pub(crate) async fn head(&self, key: &str, n: usize) -> Result<Option<Head>> {
        let permit = self.admit(1)?;
        let last = i64::try_from(n).unwrap_or(i64::MAX) - 1;
        let args = vec![Value::Integer(last)];
        let key = Key::from(key);
        let answer = self
            .send_to(&key, permit, |client, sending| {
                script::HEAD.run(client, key.clone(), args.clone(), sending)
            })
            .await;
        match self.wrong_type_as_missing(answer, Value::Null)? {
            Value::Null => Ok(None),
            Value::Array(parts) => match parts.as_slice() {
                [bytes, Value::Integer(len), Value::Integer(millis)] => {
                    let bytes = bytes
                        .as_bytes()
                        .ok_or_else(|| unexpected("the head of a value is no bytes"))?;
                    Ok(Some(Head::new(
                        Bytes::copy_from_slice(bytes),
                        u64::try_from(*len).unwrap_or(0),
                        remaining(*millis),
                    )))
                }
                _ => Err(unexpected("the head of a value has other parts than asked for")),
            },
            _ => Err(unexpected("the head of a value is no array")),
        }
    }

    /// Judges an answer, WRONGTYPE as `missing`, which is counted.
    fn wrong_type_as_missing<T>(&self, answer: Answer<T>, missing: T) -> Result<T> {
        if let Err(error) = &answer.found
            && error.details().starts_with("WRONGTYPE")
        {
            self.wrong_types.fetch_add(1, Ordering::Relaxed);
            return Ok(missing);
        }
        answer.judge(self, false)
    }
}

/// Many keys in one allocation.
fn together<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Vec<Key> {
    let mut all = Vec::with_capacity(keys.clone().map(str::len).sum());
    keys.clone().for_each(|key| all.extend_from_slice(key.as_bytes()));
    let all = Bytes::from(all);
    let mut start = 0;
    keys.map(|key| {
        let end = start + key.len();
        Key::from(all.slice(std::mem::replace(&mut start, end)..end))
    })
    .collect()
}

/// PTTL's answer for a key that exists. A key in its last instant has 0 ms left and is still there.
fn remaining(millis: i64) -> KeyTtl {
    match u64::try_from(millis) {
        Ok(millis) => KeyTtl::Expires(Duration::from_millis(millis.max(1))),
        Err(_) => KeyTtl::Persistent,
    }
}

/// A value of its own. What fred hands out is a slice of the connection's buffer, and keeps all of that in memory: at
/// the least 8 KiB, and next to a large value as much as that takes.
fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

pub(crate) fn unexpected(what: &str) -> Error {
    Error::new(
        ErrorKind::Server,
        format!("the server's answer is not understood: {what}"),
    )
}
