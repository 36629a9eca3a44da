//! What a cache has running behind its callers: how much at most, and the end of it.

use std::{
    fmt,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Poll, Waker},
};

use futures::FutureExt;
use parking_lot::Mutex;

use crate::runtime::Runtime;

/// The background work of one cache.
pub(crate) struct Background {
    runtime: Arc<dyn Runtime>,
    limit: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// Of those, what is not bounded.
    unbounded: usize,
    is_closed: bool,
    closing: Vec<Waker>,
}

/// The place of one job among those that run.
#[derive(Debug)]
pub(crate) struct Slot {
    state: Arc<Mutex<State>>,
    is_bounded: bool,
}

impl Background {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, limit: usize) -> Self {
        Self {
            runtime,
            limit,
            state: Arc::default(),
        }
    }

    /// A place for one more load; `None` where there are as many as there may be, or the cache was closed.
    pub(crate) fn reserve(&self) -> Option<Slot> {
        let mut state = self.state.lock();
        state.has_room(self.limit).then(|| self.admit(&mut state, true))
    }

    pub(crate) fn has_room(&self) -> bool {
        self.state.lock().has_room(self.limit)
    }

    pub(crate) fn running(&self) -> usize {
        self.state.lock().running
    }

    fn admit(&self, state: &mut State, is_bounded: bool) -> Slot {
        state.running += 1;
        state.unbounded += usize::from(!is_bounded);
        Slot {
            state: Arc::clone(&self.state),
            is_bounded,
        }
    }

    /// Runs `job` in the place of `slot`.
    pub(crate) fn spawn(&self, slot: Slot, job: impl Future<Output = ()> + Send + 'static) {
        // The runtime is a stranger's, which a panic may end.
        let job = AssertUnwindSafe(job).catch_unwind();
        self.runtime.spawn(Box::pin(async move {
            let _ = job.await;
            drop(slot);
        }));
    }

    /// Runs what clears up after loads, however much there is of it.
    pub(crate) fn spawn_always(&self, job: impl Future<Output = ()> + Send + 'static) {
        let slot = self.admit(&mut self.state.lock(), false);
        self.spawn(slot, job);
    }

    /// Takes no more jobs, and waits for the end of those that run.
    pub(crate) async fn close(&self) {
        self.state.lock().is_closed = true;
        poll_fn(|cx| {
            let mut state = self.state.lock();
            if state.running == 0 {
                return Poll::Ready(());
            }
            if !state.closing.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.closing.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

impl State {
    const fn has_room(&self, limit: usize) -> bool {
        !self.is_closed && self.running - self.unbounded < limit
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        state.running -= 1;
        state.unbounded -= usize::from(!self.is_bounded);
        if state.running == 0 {
            let closing = std::mem::take(&mut state.closing);
            drop(state);
            closing.into_iter().for_each(Waker::wake);
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background")
            .field("runtime", &self.runtime)
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
