use std::{
    sync::{Arc, Weak},
    task::{Context, Wake, Waker},
};

use crate::{runtime::Job, sync::Mutex};

/// Those who wait for what a relay runs.
pub(super) trait Crew: Send + Sync + 'static {
    /// Wakes everyone whose answer may hang on `relay`. Any of them may be one that is never polled again, so it has to
    /// be all of them.
    fn call(&self, relay: &Relay<Self>)
    where
        Self: Sized;
}

/// A future without an owner: whoever waits for it polls it, and hands it on between two polls.
///
/// It is polled where it was woken since its last poll, by one at a time. One that comes while another polls it leaves it
/// to that one, who polls again if it was woken meanwhile.
pub(super) struct Relay<W: Crew> {
    state: Mutex<State>,
    crew: Weak<W>,
}

struct State {
    /// `None` while somebody polls it, and once it has ended.
    job: Option<Job>,
    is_woken: bool,
    is_given_up: bool,
}

impl<W: Crew> Relay<W> {
    /// A job that waits for its first poll.
    pub(super) fn new(job: Job, crew: Weak<W>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                job: Some(job),
                is_woken: true,
                is_given_up: false,
            }),
            crew,
        })
    }

    /// Polls the job where there is a reason to.
    pub(super) fn drive(self: &Arc<Self>) {
        let Some(mut job) = self.take() else { return };
        let waker = Waker::from(Arc::clone(self));
        loop {
            // If it panics it is dropped here, with this call alone, and says so to the others itself.
            if job.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                return;
            }
            match self.put_back(job) {
                Some(again) => job = again,
                None => return,
            }
        }
    }

    /// Tells whether there is a reason to poll the job, and nobody does.
    pub(super) fn is_woken(&self) -> bool {
        let state = self.state.lock();
        state.is_woken && state.job.is_some()
    }

    fn take(&self) -> Option<Job> {
        let mut state = self.state.lock();
        if !state.is_woken {
            return None;
        }
        let job = state.job.take()?;
        state.is_woken = false;
        Some(job)
    }

    fn put_back(&self, job: Job) -> Option<Job> {
        let mut state = self.state.lock();
        if state.is_given_up {
            drop(state);
            drop(job);
            return None;
        }
        if state.is_woken {
            state.is_woken = false;
            return Some(job);
        }
        state.job = Some(job);
        None
    }

    /// Drops the job: nobody waits for it any more.
    pub(super) fn give_up(&self) {
        let mut state = self.state.lock();
        state.is_given_up = true;
        let job = state.job.take();
        drop(state);
        drop(job);
    }
}

impl<W: Crew> Wake for Relay<W> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let was_woken = std::mem::replace(&mut self.state.lock().is_woken, true);
        if !was_woken && let Some(crew) = self.crew.upgrade() {
            crew.call(self);
        }
    }
}
