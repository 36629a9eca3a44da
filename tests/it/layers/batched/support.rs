//! Stores that answer late, or not for every key.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use larder::{
    Batched, BatchedBuilder, CacheBackend, Entry, Error, ErrorKind, Expiry, Outcome, Result, SetItem, SetOptions,
};
use larder_memory::MemoryBackend;
use parking_lot::Mutex;

use crate::store::forward_to_store;

pub(super) type Read = Pin<Box<dyn Future<Output = Result<Option<Entry>>> + Send>>;
pub(super) type Write = Pin<Box<dyn Future<Output = Result<Outcome>> + Send>>;

/// Nothing goes alone, and one batch is under way at a time: every call is in a batch from the first one on.
pub(super) fn one_at_a_time<B: CacheBackend>(store: B) -> BatchedBuilder<B> {
    Batched::builder(store).alone(0).max_batches(1)
}

pub(super) fn forever() -> SetOptions {
    SetOptions::new(Expiry::Never)
}

pub(super) fn put(store: &MemoryBackend, key: &str, value: &'static str) {
    let written = futures::executor::block_on(store.set(key, Bytes::from(value), forever()));
    assert!(written.unwrap().is_done());
}

/// A read that a test polls when it likes, on a clone of its own.
pub(super) fn read<B: CacheBackend + 'static>(backend: &Batched<B>, key: &str) -> Read {
    let (backend, key) = (backend.clone(), key.to_owned());
    Box::pin(async move { backend.get(&key).await })
}

/// A write that a test polls when it likes, on a clone of its own.
pub(super) fn write<B: CacheBackend + 'static>(backend: &Batched<B>, key: &str, options: SetOptions) -> Write {
    let (backend, key) = (backend.clone(), key.to_owned());
    Box::pin(async move { backend.set(&key, Bytes::from_static(b"v"), options).await })
}

/// Polls once, with a waker that does nothing.
pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

pub(super) fn text(found: Result<Option<Entry>>) -> Option<String> {
    found
        .unwrap()
        .map(|entry| String::from_utf8(entry.bytes().to_vec()).unwrap())
}

/// Counts how often it was woken.
#[derive(Debug, Default)]
pub(super) struct Bell(pub(super) AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A store that refuses every command that names a forbidden key, as Redis refuses an MGET for one key in it, or panics.
#[derive(Debug, Clone)]
pub(super) struct Guarded(pub(super) MemoryBackend, pub(super) bool);

pub(super) const FORBIDDEN: &str = "forbidden";

impl Guarded {
    fn check(&self, keys: &[&str]) -> Result<()> {
        if keys.contains(&FORBIDDEN) {
            assert!(!self.1, "the store of this test panics");
            return Err(Error::new(ErrorKind::Server, "NOPERM no access to one of the keys"));
        }
        Ok(())
    }
}

forward_to_store! {
    Guarded,
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.check(&[key])?;
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        match self.check(keys) {
            Ok(()) => self.0.get_many(keys).await,
            Err(error) => keys.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

/// A store that notes which writes of a batch have how many milliseconds left.
#[derive(Debug, Clone, Default)]
pub(super) struct Deadlines(Noting);

#[derive(Debug, Clone, Default)]
struct Noting {
    store: MemoryBackend,
    seen: Arc<Mutex<Vec<(String, u128)>>>,
}

impl Deadlines {
    pub(super) fn store(&self) -> &MemoryBackend {
        &self.0.store
    }

    pub(super) fn seen(&self) -> Vec<(String, u128)> {
        self.0.seen.lock().clone()
    }
}

impl Noting {
    async fn set_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        let left = |item: &SetItem| item.options.deadline.expect("a write of a batch has a deadline");
        let noted = items.iter().map(|item| (item.key.clone(), left(item).as_millis()));
        self.seen.lock().extend(noted);
        self.store.set_many(items).await
    }
}

impl std::ops::Deref for Noting {
    type Target = MemoryBackend;

    fn deref(&self) -> &MemoryBackend {
        &self.store
    }
}

forward_to_store! {
    Deadlines,
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        self.0.get_many(keys).await
    }
}
