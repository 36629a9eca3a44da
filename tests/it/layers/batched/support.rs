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
use larder::{Batched, BatchedBuilder, CacheBackend, Entry, Error, ErrorKind, Expiry, Result, SetOptions};
use larder_memory::MemoryBackend;

pub(super) type Read = Pin<Box<dyn Future<Output = Result<Option<Entry>>> + Send>>;

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

/// A store around one in memory, which is its first field or the one named, with reads of its own.
macro_rules! forward_to_store {
    ($store:ident, $($read:tt)*) => {
        impl larder::CacheBackend for $store {
            $($read)*

            async fn head(&self, key: &str, n: usize) -> larder::Result<Option<larder::Head>> {
                self.0.head(key, n).await
            }

            async fn set(
                &self,
                key: &str,
                value: bytes::Bytes,
                options: larder::SetOptions,
            ) -> larder::Result<larder::Outcome> {
                self.0.set(key, value, options).await
            }

            async fn set_many(&self, items: Vec<larder::SetItem>) -> Vec<larder::Result<larder::Outcome>> {
                self.0.set_many(items).await
            }

            async fn delete(&self, key: &str, condition: larder::Condition) -> larder::Result<larder::Outcome> {
                self.0.delete(key, condition).await
            }

            async fn delete_many(&self, keys: &[&str]) -> Vec<larder::Result<larder::Outcome>> {
                self.0.delete_many(keys).await
            }

            async fn expire(
                &self,
                key: &str,
                after: std::time::Duration,
                condition: larder::Condition,
            ) -> larder::Result<larder::Outcome> {
                self.0.expire(key, after, condition).await
            }

            async fn persist(&self, key: &str, condition: larder::Condition) -> larder::Result<larder::Outcome> {
                self.0.persist(key, condition).await
            }

            fn scan<'a>(
                &'a self,
                pattern: &str,
            ) -> impl futures::Stream<Item = larder::Result<Vec<String>>> + Send + use<'a> {
                self.0.scan(pattern)
            }
        }
    };
}
pub(super) use forward_to_store;

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
