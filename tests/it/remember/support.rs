//! Loaders that a test holds back, counts and lets go.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use larder::{Cache, CacheBackend, LoadError};

/// The value is read when the load begins, as from a database; the load ends when the test lets it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Database {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: AtomicUsize,
    loads: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
}

impl Database {
    /// Changes the value; loads that have begun do not see it.
    pub(crate) fn write(&self) -> usize {
        self.state.generation.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn loads(&self) -> usize {
        self.state.loads.load(Ordering::SeqCst)
    }

    /// How many loads ran at the same time at most.
    pub(crate) fn most_running(&self) -> usize {
        self.state.most_running.load(Ordering::SeqCst)
    }

    /// Reads the value now and answers it once `gate` is open.
    pub(crate) async fn read(&self, gate: Gate) -> Result<usize, &'static str> {
        let value = self.state.generation.load(Ordering::SeqCst);
        self.state.loads.fetch_add(1, Ordering::SeqCst);
        let running = self.state.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.state.most_running.fetch_max(running, Ordering::SeqCst);
        let _running = Running(&self.state);
        gate.wait().await;
        Ok(value)
    }
}

struct Running<'a>(&'a State);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Holds loads back until it is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    inside: Arc<parking_lot::Mutex<(bool, Vec<Waker>)>>,
}

impl Gate {
    pub(crate) fn opened() -> Self {
        let gate = Self::default();
        gate.open();
        gate
    }

    pub(crate) fn open(&self) {
        let wakers = {
            let mut inside = self.inside.lock();
            inside.0 = true;
            std::mem::take(&mut inside.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) async fn wait(&self) {
        std::future::poll_fn(|cx| {
            let mut inside = self.inside.lock();
            if inside.0 {
                return Poll::Ready(());
            }
            inside.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Futures that a test polls by hand, so that it decides every interleaving.
pub(crate) struct Tasks<'a, T> {
    tasks: Vec<RefCell<Option<Task<'a, T>>>>,
}

impl<'a, T> Tasks<'a, T> {
    pub(crate) const fn new() -> Self {
        Self { tasks: Vec::new() }
    }

    pub(crate) fn add(&mut self, task: impl Future<Output = T> + 'a) -> usize {
        self.tasks.push(RefCell::new(Some(Box::pin(task))));
        self.tasks.len() - 1
    }

    /// Polls one task; its answer if it has come to its end.
    pub(crate) fn poll(&self, task: usize) -> Option<T> {
        let mut slot = self.tasks[task].borrow_mut();
        let future = slot.as_mut()?;
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => None,
            Poll::Ready(answer) => {
                *slot = None;
                Some(answer)
            }
        }
    }

    /// Polls every task that is left once, and answers those that have come to their end.
    pub(crate) fn poll_all(&self) -> Vec<T> {
        (0..self.tasks.len()).filter_map(|task| self.poll(task)).collect()
    }

    pub(crate) fn drop_task(&self, task: usize) {
        self.tasks[task].borrow_mut().take();
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn left(&self) -> usize {
        self.tasks.iter().filter(|task| task.borrow().is_some()).count()
    }
}

pub(crate) async fn remember<B: CacheBackend + 'static>(
    cache: &Cache<B>,
    key: &str,
    database: &Database,
    gate: &Gate,
) -> Result<usize, LoadError<&'static str>> {
    cache.remember(key, "1h", || database.read(gate.clone())).await
}
