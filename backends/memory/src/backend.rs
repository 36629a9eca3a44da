use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use larder::{Clock, SystemClock};
use parking_lot::Mutex;

use crate::{
    Calls, Faults, Operation,
    faults::{Plan, Verdict},
    store::Store,
};

/// A backend in memory with the semantics of Redis, for unit tests.
///
/// Keys are ordered, lives are exact to the clock it was given, and nothing is ever evicted. A test scripts its
/// failures through [`faults`](Self::faults) and asserts its round trips through [`calls`](Self::calls).
///
/// Clones are handles on one store and share clock, faults and counts.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use bytes::Bytes;
/// use larder::{CacheBackend, Expiry, ManualClock, SetOptions};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let clock = ManualClock::new();
/// let backend = MemoryBackend::with_clock(clock.clone());
/// let minute = SetOptions::new(Expiry::After(Duration::from_secs(60)));
/// backend.set("k", Bytes::from("v"), minute).await.unwrap();
///
/// clock.advance(Duration::from_secs(60));
/// assert!(backend.get("k").await.unwrap().is_none());
/// # });
/// ```
#[derive(Clone)]
pub struct MemoryBackend {
    inner: Arc<Inner>,
}

struct Inner {
    store: Mutex<Store>,
    clock: Arc<dyn Clock>,
    faults: Faults,
    calls: Mutex<Calls>,
}

impl MemoryBackend {
    /// An empty store on the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(SystemClock::new())
    }

    /// An empty store on this clock, by whose monotonic reading keys expire.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: Mutex::default(),
                clock: Arc::new(clock),
                faults: Faults::default(),
                calls: Mutex::default(),
            }),
        }
    }

    /// The script of what goes wrong.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.inner.faults.clone()
    }

    /// How often the backend was called since it was made or [`reset_calls`](Self::reset_calls) was.
    #[must_use]
    pub fn calls(&self) -> Calls {
        *self.inner.calls.lock()
    }

    /// Begins to count anew.
    pub fn reset_calls(&self) {
        *self.inner.calls.lock() = Calls::default();
    }

    /// Puts a persistent key of another type, as a Redis list would be, in place of whatever stands there.
    pub fn insert_other_type(&self, key: impl Into<String>) {
        self.inner.store.lock().insert_other_type(key.into());
    }

    /// Tells whether a key of another type stands under `key`.
    #[must_use]
    pub fn holds_other_type(&self, key: &str) -> bool {
        self.look(|store, now| store.holds_other_type(key, now))
    }

    /// The bytes under `key`, past faults and counts.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<Bytes> {
        self.look(|store, now| store.value(key, now).map(|(value, _)| value))
    }

    /// The number of living keys, those of another type included. Takes time in proportion.
    #[must_use]
    pub fn len(&self) -> usize {
        self.look(|store, now| store.len(now))
    }

    /// Tells whether no key lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes every key, past faults and counts.
    pub fn clear(&self) {
        self.inner.store.lock().clear();
    }

    /// Acts on the store at the present moment.
    fn look<T>(&self, act: impl FnOnce(&mut Store, Duration) -> T) -> T {
        // Under the lock, so that no later call sees an earlier moment.
        let mut store = self.inner.store.lock();
        let now = self.inner.clock.monotonic();
        act(&mut store, now)
    }

    /// Counts a call, takes it through what was scripted, and lets it act or fail.
    pub(crate) async fn call<T>(
        &self,
        operation: Operation,
        keys: usize,
        act: impl FnOnce(&mut Store, Duration) -> T,
        fail: impl FnOnce(larder::Error) -> T,
    ) -> T {
        self.inner.calls.lock().count(operation, keys);
        let begun = self.inner.clock.monotonic();
        let Plan { gates, delay, verdict } = self.inner.faults.begin(operation);
        for gate in gates {
            gate.pass().await;
        }
        if let Some(delay) = delay {
            let waited = self.inner.clock.monotonic().saturating_sub(begun);
            self.inner.clock.sleep(delay.saturating_sub(waited)).await;
        }
        match verdict {
            Verdict::Act => self.look(act),
            Verdict::Fail(error) => fail(error),
            Verdict::ActAndFail(error) => {
                self.look(act);
                fail(error)
            }
        }
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys and values may be anything, secrets included.
        f.debug_struct("MemoryBackend")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
