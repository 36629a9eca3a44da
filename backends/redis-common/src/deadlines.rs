//! Deadlines that cost little where they are kept.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Duration,
};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, sleep_until},
};

/// How many places may be empty before they are taken out.
const EMPTY: usize = 64;

/// The deadlines of calls that all may take the same time.
///
/// A timer of its own for each call costs a tenth of what a client spends on a command. Calls that have the same time end in
/// the order in which they began, so one task looks after all: it sleeps until the first of them is late.
#[derive(Debug)]
pub struct Deadlines {
    span: Duration,
    handle: Handle,
    // Written at every call, and the next one only read: neither is to lie in one cache line with anything else.
    queue: Arc<CachePadded<Mutex<Queue>>>,
    /// The task has been polled, and has not ended.
    is_watching: Arc<CachePadded<AtomicBool>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// In the order of their numbers, and so of their ends.
    places: VecDeque<Place>,
    /// How many of them wait for something.
    waiting: usize,
    /// The number of the next.
    next: u64,
    /// The task, while it is there.
    watch: Watch,
    /// Whether nobody comes any more.
    is_closed: bool,
}

#[derive(Debug, Default)]
enum Watch {
    #[default]
    Off,
    /// It is being spawned.
    Begun,
    On(AbortHandle),
}

#[derive(Debug)]
struct Place {
    number: u64,
    end: Instant,
    /// None of a call that has its answer. Dropped behind the lock only: it may be the last that holds another waiting call.
    caller: Option<Waker>,
}

/// A call that waits.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: u64,
    pub(crate) end: Instant,
}

impl Deadlines {
    /// Of calls that each may take `span`, looked after on that runtime.
    #[must_use]
    pub fn new(span: Duration, handle: Handle) -> Self {
        Self {
            span,
            handle,
            queue: Arc::default(),
            is_watching: Arc::default(),
        }
    }

    /// How long each may take.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.span
    }

    /// Tells whether the task is there that sees to the deadlines; if not, it is begun. Until it runs, a call needs a timer of
    /// its own: where the runtime is the callers', the task may have to wait for a thread that one of them keeps.
    #[must_use]
    pub fn are_watched(&self) -> bool {
        if self.is_watching.load(Ordering::Relaxed) {
            return true;
        }
        self.begin_watch();
        false
    }

    /// Begins to wait: the caller is woken when its time is over.
    pub(crate) fn enter(&self, caller: &Waker) -> Ticket {
        let (end, caller) = (Instant::now() + self.span, caller.clone());
        let mut queue = self.queue.lock();
        let number = queue.next;
        queue.next += 1;
        queue.waiting += 1;
        // Two calls may read the clock and come here in the other order.
        let last = queue.places.back().map_or(end, |last| last.end.max(end));
        queue.places.push_back(Place {
            number,
            end: last,
            caller: Some(caller),
        });
        if matches!(queue.watch, Watch::Off) {
            drop(queue);
            self.begin_watch();
        }
        Ticket { number, end }
    }

    #[cold]
    fn begin_watch(&self) {
        {
            let mut queue = self.queue.lock();
            if !matches!(queue.watch, Watch::Off) || queue.is_closed && queue.waiting == 0 {
                return;
            }
            queue.watch = Watch::Begun;
        }
        let watcher = Watcher {
            queue: Some(Arc::clone(&self.queue)),
            is_watching: Arc::clone(&self.is_watching),
        };
        // On a runtime that has ended it is dropped at once.
        let task = self.handle.spawn(watch(watcher, self.span));
        let mut queue = self.queue.lock();
        if matches!(queue.watch, Watch::Begun) {
            queue.watch = Watch::On(task.abort_handle());
        }
    }

    /// Tells whether the time of a call is over, or nobody is left to tell; if not, `caller` is woken then.
    pub(crate) fn is_over(&self, ticket: &Ticket, caller: &Waker) -> bool {
        if Instant::now() >= ticket.end {
            return true;
        }
        let mut queue = self.queue.lock();
        let Some(place) = queue.find(ticket) else {
            return true;
        };
        let waiting = &mut queue.places[place].caller;
        if !waiting.as_ref().is_some_and(|former| former.will_wake(caller)) {
            let former = waiting.replace(caller.clone());
            drop(queue);
            drop(former);
        }
        false
    }

    /// Leaves no task behind: one that still has somebody to wake ends after that.
    pub fn close(&self) {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        if queue.waiting == 0
            && let Watch::On(task) = &queue.watch
        {
            task.abort();
        }
    }

    /// Ends the wait.
    pub(crate) fn leave(&self, ticket: &Ticket) {
        let mut queue = self.queue.lock();
        let caller = queue.find(ticket).and_then(|place| queue.empty(place));
        drop(queue);
        drop(caller);
    }
}

impl Drop for Deadlines {
    fn drop(&mut self) {
        self.close();
    }
}

impl Queue {
    fn find(&self, ticket: &Ticket) -> Option<usize> {
        self.places
            .binary_search_by_key(&ticket.number, |place| place.number)
            .ok()
    }

    /// Empties a place, and takes out those that are empty as far as they can be many.
    fn empty(&mut self, place: usize) -> Option<Waker> {
        let caller = self.places[place].caller.take();
        if caller.is_some() {
            self.waiting -= 1;
        }
        while self.places.front().is_some_and(|first| first.caller.is_none()) {
            self.places.pop_front();
        }
        // Behind one that waits for long.
        if self.places.len() > 2 * self.waiting + EMPTY {
            self.places.retain(|place| place.caller.is_some());
        }
        caller
    }

    /// Takes out those whose time is over, and tells when to look again; never, where nobody came since the last look.
    fn look(&mut self, span: Duration, seen: &mut Option<u64>) -> (Vec<Waker>, Option<Instant>) {
        let now = Instant::now();
        let mut late = Vec::new();
        while self.places.front().is_some_and(|first| first.end <= now) {
            late.extend(self.empty(0));
        }
        let next = match self.places.front() {
            Some(first) => Some(first.end),
            // Who comes from now on ends no earlier.
            None if *seen != Some(self.next) && !self.is_closed => Some(now + span),
            None => None,
        };
        *seen = Some(self.next);
        (late, next)
    }
}

/// The task's hold on what it looks after, while there is anything to look after.
struct Watcher {
    queue: Option<Arc<CachePadded<Mutex<Queue>>>>,
    is_watching: Arc<CachePadded<AtomicBool>>,
}

impl Drop for Watcher {
    /// Where the task is dropped with its runtime, all are woken to see that.
    fn drop(&mut self) {
        let Some(queue) = self.queue.take() else { return };
        self.is_watching.store(false, Ordering::Relaxed);
        let mut queue = queue.lock();
        queue.watch = Watch::Off;
        queue.waiting = 0;
        let left = mem::take(&mut queue.places);
        drop(queue);
        left.into_iter().filter_map(|place| place.caller).for_each(Waker::wake);
    }
}

async fn watch(mut watcher: Watcher, span: Duration) {
    watcher.is_watching.store(true, Ordering::Relaxed);
    let mut next = Instant::now() + span;
    if let Some(queue) = &watcher.queue {
        // Somebody may have come before this.
        next = queue.lock().places.front().map_or(next, |first| first.end);
    }
    let mut seen = None;
    loop {
        sleep_until(next).await;
        let Some(queue) = &watcher.queue else { return };
        let mut queue = queue.lock();
        let (late, again) = queue.look(span, &mut seen);
        if again.is_none() {
            watcher.is_watching.store(false, Ordering::Relaxed);
            queue.watch = Watch::Off;
            queue.places.shrink_to(EMPTY);
        }
        drop(queue);
        late.into_iter().for_each(Waker::wake);
        match again {
            Some(end) => next = end,
            None => watcher.queue = None,
        }
    }
}

#[cfg(test)]
mod tests;
