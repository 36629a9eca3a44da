use std::{future::Future, ops::ControlFlow};

use super::{Inner, journal::Mark};
use crate::{
    backend::{CacheBackend, Condition, Expiry, Outcome, SetOptions},
    error::{Error, ErrorKind, Result},
};

/// What a write does to the key, as far as the journal is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Whatever stood there is gone: as good as the journal's own delete.
    Replaces,
    /// Removes what stands there, under a condition.
    Removes,
    /// Depends on what stands there.
    Changes,
}

impl Effect {
    pub(super) fn of_set(options: &SetOptions) -> Self {
        if options.condition == Condition::Always && options.expiry != Expiry::Keep {
            Self::Replaces
        } else {
            Self::Changes
        }
    }

    pub(super) fn of_delete(condition: &Condition) -> Self {
        if *condition == Condition::Always {
            Self::Replaces
        } else {
            Self::Removes
        }
    }
}

/// What a set answers where nothing stands.
pub(super) fn set_on_nothing(options: &SetOptions) -> Result<Outcome> {
    options.check()?;
    Ok(match options.condition {
        _ if options.expiry == Expiry::Keep => Outcome::Missing,
        Condition::Always | Condition::IfAbsent => Outcome::Done,
        Condition::IfPresent | Condition::IfStartsWith(_) => Outcome::Missing,
    })
}

/// What a change answers where nothing stands.
pub(super) fn change_on_nothing(condition: &Condition) -> Result<Outcome> {
    condition.check_for_change()?;
    Ok(Outcome::Missing)
}

impl<P, S> Inner<P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    pub(super) async fn read<T, F, G>(
        &self,
        key: &str,
        primary: impl FnOnce() -> F + Send,
        secondary: impl FnOnce() -> G + Send,
    ) -> Result<Option<T>>
    where
        T: Send,
        F: Future<Output = Result<Option<T>>> + Send,
        G: Future<Output = Result<Option<T>>> + Send,
    {
        let error = match self.journal.mark(key) {
            None => match primary().await {
                Err(error) if error.is_unavailable() => error,
                result => {
                    self.heard(&result);
                    return result;
                }
            },
            Some(Mark { number: None }) => return Ok(None),
            Some(_) => match self.flush(&[key]).await.pop() {
                Some(Err(error)) if error.is_unavailable() => error,
                // Deleted just now, or still there and not to be seen.
                _ => return Ok(None),
            },
        };
        self.failed(&error);
        if self.journal.holds(key) {
            secondary().await.map_err(|own| of_both(own, error))
        } else {
            Ok(None)
        }
    }

    pub(super) async fn write<F, G>(
        &self,
        key: &str,
        effect: Effect,
        primary: impl FnOnce() -> F + Send,
        secondary: impl FnOnce() -> G + Send,
        on_nothing: impl Fn() -> Result<Outcome> + Send + Sync,
    ) -> Result<Outcome>
    where
        F: Future<Output = Result<Outcome>> + Send,
        G: Future<Output = Result<Outcome>> + Send,
    {
        let error = match self.write_primary(key, effect, primary, &on_nothing).await {
            ControlFlow::Break(answer) => return answer,
            ControlFlow::Continue(error) => error,
        };
        // Also what tells a call that is wrong in itself, which the primary may not have looked at.
        let on_nothing = on_nothing()?;
        let writing = self.journal.begin(key);
        // Before the secondary is asked: from here on the future may be dropped.
        self.watch();
        match writing {
            Some(_writing) => secondary().await.map_err(|own| of_both(own, error)),
            None => Ok(on_nothing),
        }
    }

    /// The primary's answer, or why it is the secondary's turn.
    async fn write_primary<F>(
        &self,
        key: &str,
        effect: Effect,
        primary: impl FnOnce() -> F + Send,
        on_nothing: &(impl Fn() -> Result<Outcome> + Send + Sync),
    ) -> ControlFlow<Result<Outcome>, Error>
    where
        F: Future<Output = Result<Outcome>> + Send,
    {
        let mark = self.journal.mark(key);
        if mark.is_some() && effect != Effect::Replaces {
            match self.flush(&[key]).await.pop() {
                Some(Err(error)) if error.is_unavailable() => return ControlFlow::Continue(error),
                Some(Err(error)) => return ControlFlow::Break(Err(error)),
                // Nothing stands there now, and whatever its caller means to change was deleted with it.
                _ => match on_nothing() {
                    Ok(Outcome::Done) => {}
                    answer => return ControlFlow::Break(answer),
                },
            }
        }
        let keys = [key];
        let attempt = Attempt::new(self, (effect != Effect::Changes).then_some(Target::Keys(&keys)));
        let result = primary().await;
        // One that has failed is entered by the caller, before the future could be dropped.
        attempt.settle();
        self.heard(&result);
        match (&result, mark) {
            (Err(error), _) if error.is_unavailable() => return ControlFlow::Continue(error.clone()),
            (Ok(_), Some(mark)) if effect == Effect::Replaces => self.release(&[(key, mark)]).await,
            _ => {}
        }
        ControlFlow::Break(result)
    }

    /// Deletes keys at the primary, and takes those that it acknowledged out of the secondary and the journal.
    pub(super) async fn flush(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        let marks: Vec<Option<Mark>> = keys.iter().map(|key| self.journal.mark(key)).collect();
        let results = match keys {
            [key] => vec![self.primary.delete(key, Condition::Always).await],
            keys => self.primary.delete_many(keys).await,
        };
        for result in &results {
            self.heard(result);
        }
        let acknowledged: Vec<(&str, Mark)> = keys
            .iter()
            .zip(marks)
            .zip(&results)
            .filter(|(_, result)| result.is_ok())
            .filter_map(|((key, mark), _)| Some((*key, mark?)))
            .collect();
        self.release(&acknowledged).await;
        results
    }

    /// Ends marks whose keys the primary holds nothing old under any more.
    pub(super) async fn release(&self, marked: &[(&str, Mark)]) {
        let named: Vec<(&str, u64)> = marked
            .iter()
            .filter_map(|(key, mark)| Some((*key, mark.number?)))
            .collect();
        if named.is_empty() {
            return;
        }
        let keys: Vec<&str> = named.iter().map(|(key, _)| *key).collect();
        let removed = self.secondary.delete_many(&keys).await;
        let mut gone = 0;
        for ((key, number), removed) in named.into_iter().zip(removed) {
            if removed.is_ok() {
                gone += usize::from(self.journal.done(key, number));
            }
        }
        if gone > 0 {
            self.replayed.tell(gone);
        }
        self.side.update(&self.journal);
    }

    /// Notes what a call says of the primary.
    pub(super) fn heard<T>(&self, result: &Result<T>) {
        match result {
            Err(error) if error.is_unavailable() => self.failed(error),
            Err(error) if error.kind() == ErrorKind::InvalidInput => {}
            _ if self.side.is_calm() => {}
            _ => self.is_back(),
        }
    }

    #[cold]
    fn is_back(&self) {
        self.side.answered(&self.journal);
        if !self.journal.is_empty() {
            self.bell.ring();
        }
    }

    #[cold]
    pub(super) fn failed(&self, error: &Error) {
        self.side.failed(error, &self.journal);
    }
}

/// The error of a call that neither side could answer: the primary's, unless the secondary's says more.
pub(super) fn of_both(secondary: Error, primary: Error) -> Error {
    if secondary.is_unavailable() { primary } else { secondary }
}

/// What an attempt would have invalidated.
pub(super) enum Target<'a> {
    Keys(&'a [&'a str]),
    Pattern(&'a str),
}

/// A write at the primary whose outcome nobody will learn if its future is dropped: then it is taken to have failed.
pub(super) struct Attempt<'a, P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    inner: &'a Inner<P, S>,
    target: Option<Target<'a>>,
}

impl<'a, P, S> Attempt<'a, P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    pub(super) fn new(inner: &'a Inner<P, S>, target: Option<Target<'a>>) -> Self {
        Self { inner, target }
    }

    pub(super) fn settle(mut self) {
        self.target = None;
    }
}

impl<P, S> Drop for Attempt<'_, P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    fn drop(&mut self) {
        match self.target {
            None => return,
            Some(Target::Keys(keys)) => keys.iter().for_each(|key| drop(self.inner.journal.begin(key))),
            Some(Target::Pattern(pattern)) => self.inner.journal.add_pattern(pattern),
        }
        self.inner.watch();
    }
}
