use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    backend::{CacheBackend, Entry, Outcome, SetItem, SetOptions},
    error::{Error, ErrorKind, Result},
    strings::Strings,
};

/// What is asked of the backend for many callers at once; the implementor holds what they ask.
pub(super) trait Errand: Default + Send + 'static {
    type Ask<'a>: Send + Unpin;
    type Answer: Send + 'static;

    /// What the caller calls it.
    const OPERATION: &'static str;

    /// The bytes that an ask adds to a batch.
    fn weight(ask: &Self::Ask<'_>) -> usize;

    /// The bytes of an answer, where they are not known from what is asked.
    fn size(answer: &Self::Answer) -> usize;

    /// Takes over what a caller asks `since` then.
    fn push(&mut self, ask: Self::Ask<'_>, since: Duration);

    /// Lets go of what is kept for the one at `place`, who has gone before it was sent.
    fn forget(&mut self, place: usize) -> Option<SetItem>;

    /// Tells whether a failure may be that of another in the batch, so that it is worth while to ask alone.
    fn is_worth_asking_alone(error: &Error) -> bool;
}

/// An errand to a `B`.
pub(super) trait ErrandTo<B>: Errand {
    /// Asks for those at `places`, in that order, `now`.
    fn run(
        self,
        places: &[usize],
        now: Duration,
        backend: Arc<B>,
    ) -> impl Future<Output = Vec<Result<Self::Answer>>> + Send;
}

/// Keys to be read.
#[derive(Debug, Default)]
pub(super) struct Gets {
    keys: Strings,
}

impl Errand for Gets {
    /// The parts of a key.
    type Ask<'a> = [&'a str; 2];
    type Answer = Option<Entry>;

    const OPERATION: &'static str = "get";

    fn weight([prefix, key]: &Self::Ask<'_>) -> usize {
        prefix.len() + key.len()
    }

    fn size(found: &Option<Entry>) -> usize {
        found.as_ref().map_or(0, |entry| entry.bytes().len())
    }

    fn push(&mut self, parts: Self::Ask<'_>, _: Duration) {
        self.keys.push_joined(parts);
    }

    fn forget(&mut self, _: usize) -> Option<SetItem> {
        // Keys are short, and one behind the other.
        None
    }

    fn is_worth_asking_alone(error: &Error) -> bool {
        // A store that is away is so for everyone. One that refuses a command for one of its keys answers for all.
        !error.is_unavailable()
    }
}

impl<B: CacheBackend> ErrandTo<B> for Gets {
    async fn run(self, places: &[usize], _: Duration, backend: Arc<B>) -> Vec<Result<Option<Entry>>> {
        let keys: Vec<&str> = places.iter().map(|&place| self.keys.get(place)).collect();
        backend.get_many(&keys).await
    }
}

/// Writes that depend on nothing.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// Each with the time its call began.
    items: Vec<Option<(SetItem, Duration)>>,
}

impl Errand for Sets {
    type Ask<'a> = (&'a str, Bytes, SetOptions);
    type Answer = Outcome;

    const OPERATION: &'static str = "set";

    fn weight((key, value, _): &Self::Ask<'_>) -> usize {
        key.len() + value.len()
    }

    fn size(_: &Outcome) -> usize {
        0
    }

    fn push(&mut self, (key, value, options): Self::Ask<'_>, since: Duration) {
        self.items.push(Some((SetItem::new(key, value, options), since)));
    }

    fn forget(&mut self, place: usize) -> Option<SetItem> {
        let (item, _) = self.items.get_mut(place)?.take()?;
        Some(item)
    }

    fn is_worth_asking_alone(_: &Error) -> bool {
        // A write is sent once.
        false
    }
}

impl<B: CacheBackend> ErrandTo<B> for Sets {
    async fn run(mut self, places: &[usize], now: Duration, backend: Arc<B>) -> Vec<Result<Outcome>> {
        let mut items = Vec::with_capacity(places.len());
        let mut overdue = Vec::new();
        for (at, &place) in places.iter().enumerate() {
            let Some((mut item, since)) = self.items[place].take() else {
                continue;
            };
            // Sent with its whole deadline, it could be applied long after its caller was told that it is over.
            if let Some(deadline) = item.options.deadline {
                let left = deadline.saturating_sub(now.saturating_sub(since));
                if left.is_zero() {
                    overdue.push((at, super::lane::overdue::<Self>(deadline)));
                    continue;
                }
                item.options.deadline = Some(left);
            }
            items.push(item);
        }
        let mut answers = backend.set_many(items).await;
        for (at, error) in overdue {
            answers.insert(at.min(answers.len()), Err(error));
        }
        answers
    }
}

/// The failure of a batch as one call's own.
#[cold]
pub(super) fn own_failure<E: Errand>(error: Error) -> Error {
    error.in_place_of(E::OPERATION)
}

/// A backend that breaks the contract must not leave a caller without an answer.
#[cold]
pub(super) fn unanswered<E: Errand>(why: &str) -> Error {
    Error::new(ErrorKind::Server, why).with_operation(E::OPERATION)
}
