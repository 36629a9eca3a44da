use std::{sync::Arc, time::Duration};

use super::{
    Breaker, BreakerState,
    circuit::{Circuit, Limits},
};
use crate::{
    clock::{Clock, SystemClock},
    error::{Error, Result},
    hook::{Event, Hook},
    layer::{Listener, Watched},
};

/// The settings of a [`Breaker`], each with a default.
///
/// A setting out of range is reported by [`build`](Self::build).
///
/// # Examples
///
/// ```
/// use larder::{Breaker, BreakerState};
/// use larder_memory::MemoryBackend;
/// use std::time::Duration;
///
/// let breaker = Breaker::builder(MemoryBackend::new())
///     .failures(3)
///     .open_for(Duration::from_millis(50))
///     .max_open(Duration::from_secs(1))
///     .on_change(|state| println!("the breaker is {state:?}"))
///     .build()?;
/// assert_eq!(breaker.state(), BreakerState::Closed);
///
/// let error = Breaker::builder(MemoryBackend::new()).failures(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "failures 0: a breaker that opens without a failure never closes");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct BreakerBuilder<B> {
    backend: B,
    limits: Limits,
    clock: Arc<dyn Clock>,
    listener: Listener<BreakerState>,
    watched: Watched,
}

impl<B> BreakerBuilder<B> {
    pub(super) fn new(backend: B) -> Self {
        Self {
            backend,
            limits: Limits {
                failures: 5,
                open_for: Duration::from_millis(100),
                max_open: Duration::from_millis(500),
                jitter: 0.2,
            },
            clock: Arc::new(SystemClock::new()),
            listener: Listener(None),
            watched: Watched::default(),
        }
    }

    /// Opens after this many failures in a row. Default: 5.
    pub fn failures(mut self, failures: u32) -> Self {
        self.limits.failures = failures;
        self
    }

    /// How long the first opening lasts; each that follows without success lasts twice as long. Default: 100 ms.
    pub fn open_for(mut self, span: Duration) -> Self {
        self.limits.open_for = span;
        self
    }

    /// How long an opening lasts at most. Default: 500 ms, so that a store that is back is found within that.
    pub fn max_open(mut self, span: Duration) -> Self {
        self.limits.max_open = span;
        self
    }

    /// Shortens every opening by a random part of up to this much of it. From 0 to below 1. Default: 0.2.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.limits.jitter = jitter;
        self
    }

    /// Takes the time from the monotonic reading of `clock`. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Tells `listener` of every change of state, from within the call that brought it about; it should be quick.
    ///
    /// Two changes that follow each other closely may be told by two threads in either order; a panic is caught.
    pub fn on_change(mut self, listener: impl Fn(BreakerState) + Send + Sync + 'static) -> Self {
        self.listener = Listener(Some(Arc::new(listener)));
        self
    }

    /// Tells `hook` of every change of state, after the one that [`on_change`](Self::on_change) names. May be called
    /// several times; to give one hook to a cache and its layers, hand over an `Arc` of it.
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.watched.hooks.push(Arc::new(hook));
        self
    }

    /// The name of the cache that the events carry. Default: `larder`.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.watched.name = Some(name.as_ref().into());
        self
    }

    /// Makes the breaker, closed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a setting out of range.
    pub fn build(self) -> Result<Breaker<B>> {
        let limits = &self.limits;
        if limits.failures == 0 {
            return Err(Error::invalid(
                "failures 0: a breaker that opens without a failure never closes",
            ));
        }
        if limits.open_for.is_zero() || limits.max_open < limits.open_for {
            return Err(Error::invalid(format!(
                "open_for {:?}: not above zero and up to max_open {:?}",
                limits.open_for, limits.max_open
            )));
        }
        if !(0.0..1.0).contains(&limits.jitter) {
            return Err(Error::invalid(format!("jitter {}: not in [0, 1)", limits.jitter)));
        }
        Ok(self.assemble())
    }

    pub(super) fn assemble(self) -> Breaker<B> {
        let hooks = self.watched.hooks(&self.clock);
        let listener = (self.listener).and(&hooks, |cache, state| Event::BreakerChanged { cache, state });
        Breaker {
            backend: self.backend,
            circuit: Arc::new(Circuit::new(self.limits, self.clock, listener)),
        }
    }
}
