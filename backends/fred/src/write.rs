//! Writes, each one command or one script.

use std::{collections::HashSet, future::Future, time::Duration};

use bytes::Bytes;
use fred::{
    interfaces::KeysInterface,
    types::{Expiration, Key, SetOptions as FredSetOptions, Value},
};
use futures::future::join_all;
use larder::{Condition, Error, Expiry, Outcome, Result, SetItem, SetOptions};

use crate::{
    cluster::Answer,
    command::Permit,
    link::Link,
    read::unexpected,
    script::{self, Script, Sending},
};

/// How many commands of a batch are under way at once: each holds some 7 KiB.
const WINDOW: usize = 1024;

impl Link {
    pub(crate) async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome> {
        let permit = self.admit(1)?;
        self.set_one(permit, key, value, options, Sending::ByHash).await
    }

    pub(crate) async fn set_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        // A script the server does not know yet is sent again, behind writes to the same key that came after it.
        let sending = if has_twins(&items) {
            Sending::BySource
        } else {
            Sending::ByHash
        };
        self.batch(items, |item, permit| self.set_one_of(permit, item, sending))
            .await
    }

    async fn set_one_of(&self, permit: Permit, item: SetItem, sending: Sending) -> Result<Outcome> {
        self.set_one(permit, &item.key, item.value, item.options, sending).await
    }

    async fn set_one(
        &self,
        permit: Permit,
        key: &str,
        value: Bytes,
        options: SetOptions,
        sending: Sending,
    ) -> Result<Outcome> {
        options.check()?;
        let SetOptions { expiry, condition, .. } = options;
        let prefix = match condition {
            Condition::Always if expiry != Expiry::Keep => {
                return self.set_plain(permit, key, value, expiry, None).await;
            }
            Condition::IfAbsent => {
                return self
                    .set_plain(permit, key, value, expiry, Some(FredSetOptions::NX))
                    .await;
            }
            condition => prefix(condition)?,
        };
        let life = match expiry {
            Expiry::After(span) => Value::Integer(millis(span)?),
            Expiry::Never => Value::from_static_str("never"),
            Expiry::Keep => Value::from_static_str("keep"),
            _ => return Err(unknown("expiry")),
        };
        let args = vec![Value::Bytes(prefix), Value::Bytes(value), life];
        self.scripted(permit, &script::SET, key, args, sending).await
    }

    async fn set_plain(
        &self,
        permit: Permit,
        key: &str,
        value: Bytes,
        expiry: Expiry,
        condition: Option<FredSetOptions>,
    ) -> Result<Outcome> {
        let expiration = match expiry {
            Expiry::After(span) => Some(Expiration::PX(millis(span)?)),
            Expiry::Never => None,
            _ => return Err(unknown("expiry")),
        };
        let key = Key::from(key);
        let answer = if self.is_clustered() {
            self.send_to(&key, permit, |client, _| {
                let (key, value, expiration, condition) =
                    (key.clone(), value.clone(), expiration.clone(), condition.clone());
                async move {
                    client
                        .set::<Value, _, _>(key, value, expiration, condition, false)
                        .await
                }
            })
            .await
        } else {
            // Sent once, so that nothing is to be cloned.
            let client = self.bounded();
            let set = async move { client.set(key, value, expiration, condition, false).await };
            Answer::of(self.send(permit, set).await)
        };
        let answer: Value = answer.judge(self, true)?;
        Ok(if answer.is_null() {
            Outcome::Mismatch
        } else {
            Outcome::Done
        })
    }

    pub(crate) async fn delete(&self, key: &str, condition: Condition) -> Result<Outcome> {
        condition.check_for_change()?;
        let permit = self.admit(1)?;
        if condition == Condition::Always {
            return self.unlink(permit, key).await;
        }
        let args = vec![Value::Bytes(prefix(condition)?)];
        self.scripted(permit, &script::DELETE, key, args, Sending::ByHash).await
    }

    pub(crate) async fn delete_many(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        self.batch(keys.to_vec(), |key, permit| self.unlink(permit, key)).await
    }

    async fn unlink(&self, permit: Permit, key: &str) -> Result<Outcome> {
        let key = Key::from(key);
        let removed = self
            .send_to(&key, permit, |client, _| {
                let key = key.clone();
                async move { client.unlink::<i64, _>(key).await }
            })
            .await
            .judge(self, true)?;
        Ok(if removed == 0 { Outcome::Missing } else { Outcome::Done })
    }

    pub(crate) async fn expire(&self, key: &str, after: Duration, condition: Condition) -> Result<Outcome> {
        condition.check_for_change()?;
        let millis = millis(after)?;
        let permit = self.admit(1)?;
        if condition == Condition::Always {
            let key = Key::from(key);
            let given = self
                .send_to(&key, permit, |client, _| {
                    let key = key.clone();
                    async move { client.pexpire::<i64, _>(key, millis, None).await }
                })
                .await
                .judge(self, true)?;
            return Ok(if given == 0 { Outcome::Missing } else { Outcome::Done });
        }
        let args = vec![Value::Bytes(prefix(condition)?), Value::Integer(millis)];
        self.scripted(permit, &script::EXPIRE, key, args, Sending::ByHash).await
    }

    pub(crate) async fn persist(&self, key: &str, condition: Condition) -> Result<Outcome> {
        condition.check_for_change()?;
        let permit = self.admit(1)?;
        if condition == Condition::Always {
            return self
                .scripted(permit, &script::PERSIST_ANY, key, Vec::new(), Sending::ByHash)
                .await;
        }
        let args = vec![Value::Bytes(prefix(condition)?)];
        self.scripted(permit, &script::PERSIST, key, args, Sending::ByHash)
            .await
    }

    async fn scripted(
        &self,
        permit: Permit,
        script: &'static Script,
        key: &str,
        args: Vec<Value>,
        sending: Sending,
    ) -> Result<Outcome> {
        let key = Key::from(key);
        let answer = self
            .send_to(&key, permit, |client, needed| {
                script.run(client, key.clone(), args.clone(), sending.or(needed))
            })
            .await;
        match answer.judge(self, true)? {
            Value::Integer(script::DONE) => Ok(Outcome::Done),
            Value::Integer(script::MISSING) => Ok(Outcome::Missing),
            Value::Integer(script::MISMATCH) => Ok(Outcome::Mismatch),
            _ => Err(unexpected("a script of larder's answered something else")),
        }
    }

    /// Runs `write` on each part, in windows, each window's commands sent in order and waited for together.
    async fn batch<P, F>(&self, mut parts: Vec<P>, write: impl Fn(P, Permit) -> F) -> Vec<Result<Outcome>>
    where
        F: Future<Output = Result<Outcome>>,
    {
        let mut permit = match self.admit(parts.len()) {
            Ok(permit) => permit,
            Err(error) => return parts.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut write = |part| write(part, permit.part());
        if parts.len() <= WINDOW {
            return join_all(parts.into_iter().map(write)).await;
        }
        let mut answers = Vec::with_capacity(parts.len());
        while !parts.is_empty() {
            let rest = parts.split_off(parts.len().min(WINDOW));
            let window = join_all(std::mem::replace(&mut parts, rest).into_iter().map(&mut write)).await;
            let away = server_is_away(&window);
            answers.extend(window);
            if let Some(error) = away {
                // Each further window would only wait for its own deadline.
                answers.extend(parts.drain(..).map(|_| Err(error.clone())));
            }
        }
        answers
    }
}

/// The last error of a window in which nothing was answered.
fn server_is_away(window: &[Result<Outcome>]) -> Option<Error> {
    let away = |answer: &Result<Outcome>| answer.as_ref().is_err_and(Error::is_unavailable);
    if window.iter().all(away) {
        window.last().and_then(|answer| answer.as_ref().err().cloned())
    } else {
        None
    }
}

/// Tells whether a key is written twice and a script may be among the writes.
fn has_twins(items: &[SetItem]) -> bool {
    let plain = |options: &SetOptions| {
        options.expiry != Expiry::Keep && matches!(options.condition, Condition::Always | Condition::IfAbsent)
    };
    if items.iter().all(|item| plain(&item.options)) {
        return false;
    }
    let mut seen = HashSet::with_capacity(items.len());
    !items.iter().all(|item| seen.insert(item.key.as_str()))
}

/// What the scripts take for the condition: the prefix, or nothing for any value.
fn prefix(condition: Condition) -> Result<Bytes> {
    match condition {
        Condition::IfStartsWith(prefix) => Ok(prefix),
        // `Always` comes here with `Expiry::Keep`, which implies that the key exists.
        Condition::IfPresent | Condition::Always => Ok(Bytes::new()),
        _ => Err(unknown("condition")),
    }
}

fn millis(span: Duration) -> Result<i64> {
    // The bound of `whole_millis` is far below that of i64.
    Expiry::whole_millis(span).map(|millis| i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Options grow; what this version does not know it must not take for something else.
fn unknown(what: &str) -> Error {
    Error::new(
        larder::ErrorKind::InvalidInput,
        format!("this version of larder-fred does not know the {what}"),
    )
}
