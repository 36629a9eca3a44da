use std::{collections::VecDeque, sync::Arc, task::Waker, time::Duration};

use super::{
    batch::Batch,
    errand::Errand,
    relay::{Crew, Relay},
    worker::Seat,
};
use crate::{
    error::Error,
    sync::{AtomicBool, CachePadded, Mutex, MutexGuard, Ordering},
};

/// Where calls wait: in batches that are not sent yet, and in those that are.
pub(super) struct Hall<E: Errand> {
    queue: CachePadded<Mutex<Queue<E>>>,
    /// A job may have been woken since somebody last looked.
    is_called: CachePadded<AtomicBool>,
}

pub(super) struct Queue<E: Errand> {
    /// The last of them takes calls in.
    pub(super) unsent: VecDeque<Arc<Batch<E>>>,
    /// The last of them takes in no more.
    pub(super) is_full: bool,
    pub(super) sent: Vec<Arc<Batch<E>>>,
    /// Workers that wait for a batch.
    pub(super) idle: Vec<Arc<Seat<E>>>,
    /// Somebody sends what there is room for.
    pub(super) is_landing: bool,
    /// Deadlines are watched.
    pub(super) is_watched: bool,
    /// The job that watches them, where callers poll it.
    pub(super) watch: Option<Arc<Relay<Hall<E>>>>,
}

impl<E: Errand> Hall<E> {
    pub(super) fn new() -> Self {
        Self {
            queue: CachePadded::new(Mutex::new(Queue {
                unsent: VecDeque::new(),
                is_full: false,
                sent: Vec::new(),
                idle: Vec::new(),
                is_landing: false,
                is_watched: false,
                watch: None,
            })),
            is_called: CachePadded::new(AtomicBool::new(false)),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue<E>> {
        self.queue.lock()
    }

    /// Has the next one that comes look at the jobs.
    pub(super) fn ring(&self) {
        // Not a plain store: loom would let that one be overwritten by a swap that came before it.
        self.is_called.swap(true, Ordering::AcqRel);
    }

    /// Polls every job that was woken. Answers whether there was one.
    pub(super) fn drive(&self) -> bool {
        let mut has_driven = false;
        // Read before it is written: every call comes by, and on a runtime there is hardly ever anything.
        while self.is_called.load(Ordering::Acquire) && self.is_called.swap(false, Ordering::AcqRel) {
            let woken = {
                let queue = self.lock();
                let mut woken = queue.jobs().filter(|relay| relay.is_woken());
                let first = woken.next().cloned();
                // Left to whoever is quicker; this one may not come back from its poll.
                if woken.next().is_some() {
                    self.ring();
                }
                first
            };
            if let Some(relay) = woken {
                relay.drive();
                has_driven = true;
                // What it has begun in its turn.
                self.ring();
            }
        }
        has_driven
    }

    /// Takes a batch out that nobody waits for, where it was not sent.
    pub(super) fn discard(&self, batch: &Arc<Batch<E>>) {
        let mut queue = self.lock();
        let place = queue.unsent.iter().position(|unsent| Arc::ptr_eq(unsent, batch));
        let discarded = match place {
            // Another call may have come since.
            Some(place) if batch.lock().waiting() == 0 => {
                // The one that is the last now may be.
                queue.is_full = true;
                queue.unsent.remove(place)
            }
            _ => None,
        };
        drop(queue);
        drop(discarded);
    }

    /// Wakes everyone that waits.
    pub(super) fn wake_all(&self) {
        let mut wakers = Vec::new();
        {
            let queue = self.lock();
            for batch in queue.sent.iter().chain(&queue.unsent) {
                batch.take_wakers(&mut wakers);
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Since when the one waits that has waited longest.
    pub(super) fn oldest(queue: &Queue<E>) -> Option<Duration> {
        queue
            .sent
            .iter()
            .chain(&queue.unsent)
            .filter_map(|batch| batch.oldest())
            .min()
    }

    /// Ends the wait of those whose time is over.
    pub(super) fn expire(&self, overdue: impl Fn(Duration) -> Option<Error>) {
        let mut wakers = Vec::new();
        let mut given_up = Vec::new();
        {
            let queue = self.lock();
            for batch in queue.sent.iter().chain(&queue.unsent) {
                batch.expire(&overdue, &mut wakers);
            }
            let left = queue.sent.iter().filter(|batch| batch.lock().waiting() == 0);
            given_up.extend(left.cloned());
        }
        wakers.into_iter().for_each(Waker::wake);
        for batch in given_up {
            batch.give_up();
        }
    }
}

impl<E: Errand> Queue<E> {
    fn jobs(&self) -> impl Iterator<Item = &Arc<Relay<Hall<E>>>> {
        let sent = self.sent.iter().filter_map(|batch| batch.relay.get());
        sent.chain(&self.watch)
    }
}

impl<E: Errand> Crew for Hall<E> {
    fn call(&self, relay: &Relay<Self>) {
        self.ring();
        let mut wakers = Vec::new();
        {
            let queue = self.lock();
            let is_of = |batch: &Arc<Batch<E>>| {
                batch
                    .relay
                    .get()
                    .is_some_and(|own| std::ptr::eq(&raw const **own, relay))
            };
            // Its own callers and those who wait for it to make room; or everyone, to look at the time.
            let own = queue.sent.iter().find(|batch| is_of(batch));
            let sent = own.map_or(queue.sent.as_slice(), std::slice::from_ref);
            let called = sent.iter().chain(&queue.unsent);
            called.for_each(|batch| batch.take_wakers(&mut wakers));
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<E: Errand> Drop for Hall<E> {
    fn drop(&mut self) {
        let (watch, idle) = {
            let mut queue = self.lock();
            (queue.watch.take(), std::mem::take(&mut queue.idle))
        };
        // Its timer holds it, and it the timer.
        if let Some(watch) = watch {
            watch.give_up();
        }
        for worker in idle {
            worker.close();
        }
    }
}
