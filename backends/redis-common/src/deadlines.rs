//! Deadlines that cost little where they are kept.

use std::{collections::VecDeque, mem, sync::Arc, task::Waker, time::Duration};

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
    queue: Arc<Mutex<Queue>>,
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
        }
    }

    /// How long each may take.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.span
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
            queue.watch = Watch::Begun;
            drop(queue);
            self.begin_watch(end);
        }
        Ticket { number, end }
    }

    #[cold]
    fn begin_watch(&self, first: Instant) {
        let watcher = Watcher(Some(Arc::clone(&self.queue)));
        // On a runtime that has ended it is dropped at once.
        let task = self.handle.spawn(watch(watcher, self.span, first));
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
    fn look(&mut self, span: Duration, seen: &mut u64) -> (Vec<Waker>, Option<Instant>) {
        let now = Instant::now();
        let mut late = Vec::new();
        while self.places.front().is_some_and(|first| first.end <= now) {
            late.extend(self.empty(0));
        }
        let next = match self.places.front() {
            Some(first) => Some(first.end),
            // Who comes from now on ends no earlier.
            None if self.next != *seen && !self.is_closed => Some(now + span),
            None => None,
        };
        *seen = self.next;
        (late, next)
    }
}

/// The task's hold on what it looks after, while there is anything to look after.
struct Watcher(Option<Arc<Mutex<Queue>>>);

impl Drop for Watcher {
    /// Where the task is dropped with its runtime, all are woken to see that.
    fn drop(&mut self) {
        let Some(queue) = self.0.take() else { return };
        let mut queue = queue.lock();
        queue.watch = Watch::Off;
        queue.waiting = 0;
        let left = mem::take(&mut queue.places);
        drop(queue);
        left.into_iter().filter_map(|place| place.caller).for_each(Waker::wake);
    }
}

async fn watch(mut watcher: Watcher, span: Duration, first: Instant) {
    let mut next = first;
    let mut seen = 0;
    loop {
        sleep_until(next).await;
        let Some(queue) = &watcher.0 else { return };
        let mut queue = queue.lock();
        let (late, again) = queue.look(span, &mut seen);
        if again.is_none() {
            queue.watch = Watch::Off;
            queue.places.shrink_to(EMPTY);
        }
        drop(queue);
        late.into_iter().for_each(Waker::wake);
        match again {
            Some(end) => next = end,
            None => watcher.0 = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use tokio::{
        runtime::{Builder, Runtime},
        task::yield_now,
        time::advance,
    };

    use super::*;

    const SPAN: Duration = Duration::from_millis(250);

    #[derive(Default)]
    struct Caller(AtomicUsize);

    impl Wake for Caller {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Caller {
        fn new() -> (Arc<Self>, Waker) {
            let caller = Arc::new(Self::default());
            (Arc::clone(&caller), Waker::from(caller))
        }

        fn woken(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn runtime() -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    }

    /// Lets the watch do what it has to, now.
    async fn settle() {
        for _ in 0..10 {
            yield_now().await;
        }
    }

    async fn pass(span: Duration) {
        settle().await;
        advance(span).await;
        settle().await;
    }

    fn tasks() -> usize {
        Handle::current().metrics().num_alive_tasks()
    }

    #[test]
    fn each_is_woken_at_its_end_and_one_task_sees_to_all() {
        runtime().block_on(async {
            let deadlines = Deadlines::new(SPAN, Handle::current());
            let callers: Vec<_> = (0..5).map(|_| Caller::new()).collect();
            let mut tickets = Vec::new();
            for (_, waker) in &callers {
                tickets.push(deadlines.enter(waker));
                pass(Duration::from_millis(10)).await;
            }
            assert_eq!(tasks(), 1);
            // The second has its answer.
            deadlines.leave(&tickets[1]);
            pass(Duration::from_millis(199)).await;
            assert!(callers.iter().all(|(caller, _)| caller.woken() == 0));
            for (place, ((caller, waker), ticket)) in callers.iter().zip(&tickets).enumerate() {
                pass(Duration::from_millis(if place == 0 { 1 } else { 10 })).await;
                assert_eq!(caller.woken(), usize::from(place != 1), "{place}");
                assert!(deadlines.is_over(ticket, waker), "{place}");
                deadlines.leave(ticket);
            }
            pass(SPAN).await;
            pass(SPAN).await;
            assert_eq!(tasks(), 0);

            // Who comes after that has a new one.
            let (caller, waker) = Caller::new();
            let ticket = deadlines.enter(&waker);
            assert!(!deadlines.is_over(&ticket, &waker));
            pass(SPAN).await;
            assert_eq!(caller.woken(), 1);
        });
    }

    #[test]
    fn the_caller_who_polled_last_is_woken() {
        runtime().block_on(async {
            let deadlines = Deadlines::new(SPAN, Handle::current());
            let ((former, first), (latter, second)) = (Caller::new(), Caller::new());
            let ticket = deadlines.enter(&first);
            assert!(!deadlines.is_over(&ticket, &second));
            pass(SPAN).await;
            assert_eq!((former.woken(), latter.woken()), (0, 1));
        });
    }

    #[test]
    fn one_that_waits_long_keeps_no_room_for_those_that_come_and_go() {
        runtime().block_on(async {
            let deadlines = Deadlines::new(SPAN, Handle::current());
            let (_, waker) = Caller::new();
            let first = deadlines.enter(&waker);
            for _ in 0..10_000 {
                deadlines.leave(&deadlines.enter(&waker));
                assert!(deadlines.queue.lock().places.len() <= 2 + EMPTY);
            }
            let last = deadlines.enter(&waker);
            assert!(!deadlines.is_over(&first, &waker) && !deadlines.is_over(&last, &waker));
            deadlines.leave(&first);
            deadlines.leave(&first);
            assert!(!deadlines.is_over(&last, &waker));
            assert_eq!(deadlines.queue.lock().waiting, 1);
        });
    }

    #[test]
    fn closing_leaves_no_task_and_lets_nobody_wait_in_vain() {
        runtime().block_on(async {
            let deadlines = Deadlines::new(SPAN, Handle::current());
            let (caller, waker) = Caller::new();
            deadlines.leave(&deadlines.enter(&waker));
            settle().await;
            deadlines.close();
            settle().await;
            assert_eq!(tasks(), 0);

            deadlines.enter(&waker);
            drop(deadlines);
            settle().await;
            assert_eq!((tasks(), caller.woken()), (1, 0));
            pass(SPAN).await;
            assert_eq!((tasks(), caller.woken()), (0, 1));
        });
    }

    #[test]
    fn where_the_runtime_ends_nobody_is_left_waiting() {
        let runtime = runtime();
        let deadlines = Deadlines::new(SPAN, runtime.handle().clone());
        let (caller, waker) = Caller::new();
        let ticket = deadlines.enter(&waker);
        drop(runtime);
        assert_eq!(caller.woken(), 1);
        assert!(deadlines.is_over(&ticket, &waker));
        let late = deadlines.enter(&waker);
        assert_eq!(caller.woken(), 2);
        assert!(deadlines.is_over(&late, &waker));
    }
}
