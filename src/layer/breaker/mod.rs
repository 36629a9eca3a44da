//! A circuit breaker around a backend.

mod builder;
mod circuit;
mod commands;

use std::{fmt, sync::Arc};

pub use self::builder::BreakerBuilder;
use self::circuit::Circuit;

/// A backend that fails at once while the one beneath is known to be away.
///
/// # Behavior
///
/// - **Closed**: every call goes through. After 5 calls in a row that failed with
///   [`ErrorKind::Connection`](crate::ErrorKind::Connection) or [`Timeout`](crate::ErrorKind::Timeout) the breaker
///   opens. An answer of the store resets the count, and an error that it answered is an answer.
///   [`Overloaded`](crate::ErrorKind::Overloaded) and [`InvalidInput`](crate::ErrorKind::InvalidInput) say nothing about
///   the store and change nothing.
/// - **Open**: every call fails at once with `Connection`, and the store is left alone. The first opening lasts
///   100 ms, each that follows without success twice as long, up to 500 ms, shortened by a random part of up to
///   a fifth so that a fleet does not come back in step.
/// - **Half open**: once the opening is over, one call goes through, the probe; all others still fail at once.
///   The probe's answer closes the breaker, its failure opens it again. Where the probe is dropped, or is told
///   nothing about the store, the next call is the probe; where it has no answer after the longest opening, one more
///   goes through, so that a call which nobody polls keeps nobody out.
///
/// A batch is one call: it is a failure where every part of it is. A page of a scan is one call. The answers of
/// calls that began before the last change of state are not counted. A call that is dropped before its end is
/// not counted either, so a deadline above the breaker has to be longer than the backend's own.
///
/// Clones share one circuit.
///
/// # Examples
///
/// ```
/// use larder::{Breaker, BreakerState, CacheBackend, ErrorKind, ManualClock};
/// use larder_memory::MemoryBackend;
/// use std::time::Duration;
///
/// # futures::executor::block_on(async {
/// let clock = ManualClock::new();
/// let store = MemoryBackend::with_clock(clock.clone());
/// let backend = Breaker::builder(store.clone()).failures(2).clock(clock.clone()).build()?;
///
/// store.faults().fail_all(ErrorKind::Timeout);
/// backend.get("k").await.unwrap_err();
/// backend.get("k").await.unwrap_err();
/// assert_eq!(backend.state(), BreakerState::Open);
///
/// let error = backend.get("k").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Connection);
/// assert_eq!(error.to_string(), "get: the circuit breaker has been open for 0ns, after 2 failures in a row");
///
/// store.faults().recover();
/// clock.advance(Duration::from_millis(100));
/// assert!(backend.get("k").await?.is_none());
/// assert_eq!(backend.state(), BreakerState::Closed);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub struct Breaker<B> {
    backend: B,
    circuit: Arc<Circuit>,
}

/// What a [`Breaker`] lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Nothing, or, once the opening is over, the next call as a probe.
    Open,
    /// One probe, which is under way; another after each longest opening without an answer.
    HalfOpen,
}

impl BreakerState {
    /// The state in `snake_case`, for labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl<B> Breaker<B> {
    /// A breaker around `backend` with every default.
    #[must_use]
    pub fn new(backend: B) -> Self {
        BreakerBuilder::new(backend).assemble()
    }

    /// Starts to configure a breaker around `backend`.
    pub fn builder(backend: B) -> BreakerBuilder<B> {
        BreakerBuilder::new(backend)
    }

    /// What the breaker lets through now.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.circuit.state()
    }

    /// The backend beneath.
    #[must_use]
    pub fn get_ref(&self) -> &B {
        &self.backend
    }

    /// The backend beneath, by value.
    #[must_use]
    pub fn into_inner(self) -> B {
        self.backend
    }
}

impl<B: Clone> Clone for Breaker<B> {
    fn clone(&self) -> Self {
        Self {
            backend: self.backend.clone(),
            circuit: Arc::clone(&self.circuit),
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for Breaker<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("backend", &self.backend)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
