//! What the answer of a `remember` is to hooks.

use super::{
    error::LoadError,
    loaded::{Remembered, Source},
};
use crate::{
    error::Result,
    hook::{Failure, OperationOutcome, Scope},
};

impl<T> Remembered<T> {
    const fn outcome(&self) -> OperationOutcome {
        match self.source {
            Source::Hit if self.value.is_none() => OperationOutcome::Negative,
            Source::Hit => OperationOutcome::Hit,
            Source::Loaded => OperationOutcome::Loaded,
            Source::Shared => OperationOutcome::Coalesced,
            Source::Stale { age, .. } => OperationOutcome::Stale { age },
        }
    }
}

impl<E: Send + Sync + 'static> LoadError<E> {
    pub(super) fn failure(&self) -> Failure<'_> {
        match self {
            Self::Loader(error) => Failure::Loader(&**error),
            Self::Cache(error) => Failure::Cache(error),
            Self::Panicked => Failure::Panicked,
            Self::Reentrant => Failure::Reentrant,
            Self::TimedOut => Failure::TimedOut,
        }
    }
}

/// Counts the answer for one key.
pub(super) fn count_remembered<T, E>(scope: &Scope<'_>, answer: &Result<Remembered<T>, LoadError<E>>) {
    if scope.is_active() {
        scope.count_many(answer.as_ref().map_or(OperationOutcome::Failed, Remembered::outcome), 1);
    }
}

/// Ends what answers one key.
pub(super) fn end_remembered<T, E: Send + Sync + 'static>(
    scope: Scope<'_>,
    answer: &Result<Remembered<T>, LoadError<E>>,
) {
    if scope.is_active() {
        count_remembered(&scope, answer);
        scope.finish(answer.as_ref().err().map(LoadError::failure));
    }
}

/// Ends the run of a loader; `None` where it panicked.
pub(super) fn end_load<L, E: Send + Sync + 'static>(part: Scope<'_>, outcome: Option<&Result<L, E>>) {
    match outcome {
        Some(Ok(_)) => {
            part.count_many(OperationOutcome::Loaded, 1);
            part.finish(None);
        }
        Some(Err(error)) => part.finish(Some(Failure::Loader(error))),
        None => part.finish(Some(Failure::Panicked)),
    }
}

/// Ends a load that can outlive its call.
pub(super) fn end_detached<T, E, S>(scope: Scope<'_>, answer: &Result<Remembered<T>, (LoadError<E>, S)>)
where
    E: Send + Sync + 'static,
{
    match answer {
        Ok(answer) => {
            scope.count_many(answer.outcome(), 1);
            scope.finish(None);
        }
        Err((error, _)) => scope.finish(Some(error.failure())),
    }
}
