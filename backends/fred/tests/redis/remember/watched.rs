//! A backend on a server whose answers a test counts, and holds back.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::Stream;
use larder::{CacheBackend, Capabilities, Condition, Entry, Head, Outcome, Result, SetItem, SetOptions};
use larder_fred::FredBackend;
use tokio::sync::watch;

/// Forwards everything, and knows how many reads have come back.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    inner: FredBackend,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    answered: watch::Sender<usize>,
    /// Which answer is to be held back, counted from one, and whether it may go on.
    held: watch::Sender<Option<usize>>,
    is_slow: bool,
}

impl Watched {
    pub(super) fn new(inner: FredBackend) -> Self {
        Self::with(inner, false)
    }

    /// Some answers to reads come late by a few milliseconds, as on a machine that has other things to do.
    pub(super) fn slow(inner: FredBackend) -> Self {
        Self::with(inner, true)
    }

    fn with(inner: FredBackend, is_slow: bool) -> Self {
        let state = State {
            answered: watch::Sender::new(0),
            held: watch::Sender::new(None),
            is_slow,
        };
        Self {
            inner,
            state: Arc::new(state),
        }
    }

    /// Waits until `count` reads have been answered, or have failed.
    pub(super) async fn answered(&self, count: usize) {
        let mut answered = self.state.answered.subscribe();
        answered.wait_for(|answered| *answered >= count).await.unwrap();
    }

    /// Holds back the answer to the read of this number until [`release`](Self::release).
    pub(super) fn hold(&self, number: usize) {
        self.state.held.send_replace(Some(number));
    }

    pub(super) fn release(&self) {
        self.state.held.send_replace(None);
    }

    /// Counts an answer, and holds it back where the test wants that.
    async fn come_back(&self) {
        let mut number = 0;
        self.state.answered.send_modify(|answered| {
            *answered += 1;
            number = *answered;
        });
        let mut held = self.state.held.subscribe();
        held.wait_for(|held| *held != Some(number)).await.unwrap();
        if self.state.is_slow && rand::random_bool(0.2) {
            tokio::time::sleep(Duration::from_micros(rand::random_range(0..4_000))).await;
        }
    }
}

impl CacheBackend for Watched {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let answer = self.inner.get(key).await;
        self.come_back().await;
        answer
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        let answers = self.inner.get_many(keys).await;
        self.come_back().await;
        answers
    }

    fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send {
        self.inner.head(key, n)
    }

    fn set(&self, key: &str, value: Bytes, options: SetOptions) -> impl Future<Output = Result<Outcome>> + Send {
        self.inner.set(key, value, options)
    }

    fn set_many(&self, items: Vec<SetItem>) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.inner.set_many(items)
    }

    fn delete(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.inner.delete(key, condition)
    }

    fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.inner.delete_many(keys)
    }

    fn expire(&self, key: &str, after: Duration, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.inner.expire(key, after, condition)
    }

    fn persist(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.inner.persist(key, condition)
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a> {
        self.inner.scan(pattern)
    }
}
