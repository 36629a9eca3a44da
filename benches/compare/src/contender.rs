//! What a contender has to offer to be measured.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

use crate::payload::Payload;

/// What a read answers: the value, or its bytes where a raw client is measured without decoding.
pub trait Answer<P>: Send + 'static {
    /// Tells whether this is `value`, so that no contender is quick because it answers something else.
    fn is(&self, value: &P) -> bool;
}

impl<P: Payload> Answer<P> for P {
    fn is(&self, value: &P) -> bool {
        self == value
    }
}

/// The bytes a raw client reads, which it never decodes.
#[derive(Debug, Clone)]
pub struct Raw(pub Bytes);

impl<P: Payload> Answer<P> for Raw {
    fn is(&self, value: &P) -> bool {
        postcard::to_stdvec(value).is_ok_and(|bytes| bytes == self.0)
    }
}

/// A cache on a server, or a client of one.
///
/// Calls panic where the server fails them: a figure of failing calls is worth nothing.
pub trait Remote<P>: Send + Sync + 'static {
    type Answer: Answer<P>;

    fn get(&self, key: &str) -> impl Future<Output = Option<Self::Answer>> + Send;

    /// Stores for an hour.
    fn set(&self, key: &str, value: &P) -> impl Future<Output = ()> + Send;
}

/// One that has calls for many keys.
pub trait Many<P>: Remote<P> {
    /// How many of the keys had a value, each decoded.
    fn get_many(&self, keys: &[String]) -> impl Future<Output = usize> + Send;

    fn set_many(&self, items: &[(String, P)]) -> impl Future<Output = ()> + Send;
}

/// One that loads what is missing.
pub trait Remember<P>: Send + Sync + 'static {
    /// The value, or what went wrong.
    fn remember(&self, key: &str, load: Load<P>) -> impl Future<Output = Result<P, String>> + Send;
}

/// A load that takes a while and counts itself.
#[derive(Debug, Clone)]
pub struct Load<P> {
    value: P,
    takes: Duration,
    loads: Arc<AtomicUsize>,
}

impl<P> Load<P> {
    pub fn new(value: P, takes: Duration) -> Self {
        Self {
            value,
            takes,
            loads: Arc::default(),
        }
    }

    /// Loads, once for each call.
    pub async fn run(self) -> P {
        self.loads.fetch_add(1, Ordering::Relaxed);
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        self.value
    }

    /// How many loads ran, of this and its clones.
    pub fn loads(&self) -> usize {
        self.loads.load(Ordering::Relaxed)
    }
}

/// A map in the process.
pub trait Local: Send + Sync + 'static {
    /// Tells whether there was a value, having made of it what a service would use.
    fn get(&self, key: &str) -> impl Future<Output = bool>;

    fn set(&self, key: &str, value: &crate::payload::User) -> impl Future<Output = ()>;
}
