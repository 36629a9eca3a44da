use std::{
    sync::{Arc, OnceLock},
    task::Waker,
    time::Duration,
};

use futures::task::AtomicWaker;

use super::{
    errand::{Errand, own_failure, unanswered},
    hall::Hall,
    relay::Relay,
};
use crate::{
    error::{Error, Result},
    sync::{AtomicBool, Mutex, MutexGuard, Ordering},
};

/// Calls that are sent together.
pub(super) struct Batch<E: Errand> {
    members: Mutex<Members<E>>,
    /// Where its job is, once it is sent and where its callers poll it.
    pub(super) relay: OnceLock<Arc<Relay<Hall<E>>>>,
    /// Tells the worker that runs it, where a runtime does, that nobody waits any more.
    is_given_up: AtomicBool,
    worker: AtomicWaker,
}

pub(super) struct Members<E: Errand> {
    asks: E,
    pub(super) bytes: usize,
    places: Vec<Place<E::Answer>>,
    /// How many still wait.
    waiting: usize,
}

struct Place<A> {
    since: Duration,
    state: State<A>,
}

enum State<A> {
    Waiting(Option<Waker>),
    Answered(Answer<A>),
    /// The caller has gone, or has its answer.
    Gone,
}

/// What a call gets from its batch.
#[derive(Debug)]
pub(super) enum Answer<A> {
    Own(Result<A>),
    /// The batch failed with an error that another call may have brought about.
    AskAlone,
}

impl<E: Errand> Batch<E> {
    pub(super) fn with_capacity(calls: usize) -> Self {
        Self {
            members: Mutex::new(Members {
                asks: E::default(),
                bytes: 0,
                places: Vec::with_capacity(calls),
                waiting: 0,
            }),
            relay: OnceLock::new(),
            is_given_up: AtomicBool::new(false),
            worker: AtomicWaker::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Members<E>> {
        self.members.lock()
    }

    /// Ends its job, for which nobody waits any more.
    pub(super) fn give_up(&self) {
        if let Some(relay) = self.relay.get() {
            relay.give_up();
        }
        self.is_given_up.store(true, Ordering::SeqCst);
        self.worker.wake();
    }

    /// Tells whether nobody waits for it any more; if not, `worker` is woken then.
    pub(super) fn is_given_up(&self, worker: &Waker) -> bool {
        self.worker.register(worker);
        self.is_given_up.load(Ordering::SeqCst)
    }

    /// The answer at `place`, or `waker` waits for it.
    pub(super) fn take(&self, place: usize, waker: &Waker) -> Option<Answer<E::Answer>> {
        let mut members = self.members.lock();
        let state = &mut members.places[place].state;
        let old = match state {
            State::Waiting(Some(kept)) if kept.will_wake(waker) => return None,
            State::Waiting(kept) => kept.replace(waker.clone()),
            _ => match std::mem::replace(state, State::Gone) {
                State::Answered(answer) => return Some(answer),
                // Polled again after its end.
                _ => return None,
            },
        };
        // A waker that is dropped may end a task, and with it other calls of this batch.
        drop(members);
        drop(old);
        None
    }

    /// Takes a caller out. Answers whether it was the last one that waited.
    pub(super) fn leave(&self, place: usize) -> bool {
        let mut members = self.members.lock();
        let ask = members.asks.forget(place);
        let gone = std::mem::replace(&mut members.places[place].state, State::Gone);
        let was_waiting = matches!(gone, State::Waiting(_));
        members.waiting -= usize::from(was_waiting);
        let was_last = was_waiting && members.waiting == 0;
        drop(members);
        drop((gone, ask));
        was_last
    }

    /// Those who wait, each once until it has been polled again.
    pub(super) fn take_wakers(&self, wakers: &mut Vec<Waker>) {
        let mut members = self.members.lock();
        wakers.extend(members.places.iter_mut().filter_map(|place| match &mut place.state {
            State::Waiting(waker) => waker.take(),
            _ => None,
        }));
    }

    /// What is asked, and by whom, of all who still wait.
    pub(super) fn send(&self) -> (E, Vec<usize>) {
        let mut members = self.members.lock();
        let waiting = members.places.iter().enumerate();
        let waiting = waiting.filter(|(_, place)| matches!(place.state, State::Waiting(_)));
        let places = waiting.map(|(place, _)| place).collect();
        (std::mem::take(&mut members.asks), places)
    }

    /// Hands out the answers for `places`; nothing to a caller that has gone.
    pub(super) fn answer(&self, places: &[usize], answers: Vec<Result<E::Answer>>, wakers: &mut Vec<Waker>) {
        let mut answers = answers.into_iter();
        let mut members = self.members.lock();
        for &place in places {
            let answer = match answers.next() {
                Some(Err(error)) if E::is_worth_asking_alone(&error) => Answer::AskAlone,
                Some(answer) => Answer::Own(answer.map_err(own_failure::<E>)),
                None => Answer::Own(Err(unanswered::<E>(
                    "the backend answered fewer calls than it was asked for",
                ))),
            };
            members.settle(place, answer, wakers);
        }
    }

    /// Tells everyone that waits of a failure.
    #[cold]
    pub(super) fn fail(&self, error: &Error, wakers: &mut Vec<Waker>) {
        let mut members = self.members.lock();
        for place in 0..members.places.len() {
            members.settle(place, Answer::Own(Err(error.clone())), wakers);
        }
    }

    /// Ends the wait of those whose time is over.
    pub(super) fn expire(&self, overdue: &impl Fn(Duration) -> Option<Error>, wakers: &mut Vec<Waker>) {
        let mut forgotten = Vec::new();
        let mut members = self.members.lock();
        for place in 0..members.places.len() {
            // They joined in the order of time.
            let Some(error) = overdue(members.places[place].since) else {
                break;
            };
            forgotten.extend(members.asks.forget(place));
            members.settle(place, Answer::Own(Err(error)), wakers);
        }
        drop(members);
        drop(forgotten);
    }

    /// Since when the one waits that has waited longest.
    pub(super) fn oldest(&self) -> Option<Duration> {
        let members = self.members.lock();
        let mut places = members.places.iter();
        places
            .find(|place| matches!(place.state, State::Waiting(_)))
            .map(|place| place.since)
    }
}

impl<E: Errand> Members<E> {
    /// How many have joined.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes a call in that `waker` waits for, and answers its place.
    pub(super) fn join(&mut self, ask: E::Ask<'_>, since: Duration, waker: Waker) -> usize {
        self.bytes += E::weight(&ask);
        self.asks.push(ask, since);
        self.places.push(Place {
            since,
            state: State::Waiting(Some(waker)),
        });
        self.waiting += 1;
        self.places.len() - 1
    }

    fn settle(&mut self, place: usize, answer: Answer<E::Answer>, wakers: &mut Vec<Waker>) {
        let state = &mut self.places[place].state;
        if let State::Waiting(waker) = state {
            wakers.extend(waker.take());
            *state = State::Answered(answer);
            self.waiting -= 1;
        }
    }
}
