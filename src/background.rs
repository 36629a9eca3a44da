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
    is_closed: bool,
    closing: Vec<Waker>,
}

/// The place of one job among those that run.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Mutex<State>>);

impl Background {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, limit: usize) -> Self {
        Self {
            runtime,
            limit,
            state: Arc::default(),
        }
    }

    /// A place for one more job; `None` where there are as many as there may be, or the cache was closed.
    pub(crate) fn reserve(&self) -> Option<Slot> {
        let mut state = self.state.lock();
        if state.is_closed || state.running >= self.limit {
            return None;
        }
        Some(self.admit(&mut state))
    }

    pub(crate) fn has_room(&self) -> bool {
        let state = self.state.lock();
        !state.is_closed && state.running < self.limit
    }

    pub(crate) fn running(&self) -> usize {
        self.state.lock().running
    }

    fn admit(&self, state: &mut State) -> Slot {
        state.running += 1;
        Slot(Arc::clone(&self.state))
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
        let slot = self.admit(&mut self.state.lock());
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

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
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
