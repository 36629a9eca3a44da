use std::{fmt, sync::Arc, time::Duration};

use super::{Batched, lane::Lane};
use crate::{
    clock::{Clock, RuntimeClock, SystemClock},
    error::{Error, Result},
    runtime::Runtime,
};

/// How calls are put together.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// This many calls go through alone; those beyond them go in batches.
    pub(super) alone: usize,
    pub(super) calls: usize,
    pub(super) bytes: usize,
    pub(super) batches: usize,
    pub(super) in_flight: usize,
    pub(super) deadline: Duration,
}

/// The settings of a [`Batched`], each with a default.
///
/// A setting out of range is reported by [`build`](Self::build).
///
/// # Examples
///
/// ```
/// use larder::Batched;
/// use larder_memory::MemoryBackend;
/// use std::time::Duration;
///
/// let backend = Batched::builder(MemoryBackend::new())
///     .max_calls(100)
///     .deadline(Duration::from_millis(100))
///     .without_sets()
///     .build()?;
/// assert_eq!(backend.stats().batches, 0);
///
/// let error = Batched::builder(MemoryBackend::new()).max_batches(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "max_batches 0: no batch could ever be sent");
///
/// let week = Duration::from_hours(24 * 7);
/// let error = Batched::builder(MemoryBackend::new()).deadline(week).build().unwrap_err();
/// assert_eq!(error.to_string(), "deadline 604800s: longer than a day");
/// # Ok::<(), larder::Error>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct BatchedBuilder<B> {
    backend: B,
    limits: Limits,
    sets: bool,
    alone_sets: Option<usize>,
    clock: Option<Arc<dyn Clock>>,
    runtime: Option<Arc<dyn Runtime>>,
}

impl<B> BatchedBuilder<B> {
    pub(super) fn new(backend: B) -> Self {
        Self {
            backend,
            limits: Limits {
                alone: 1,
                calls: 512,
                bytes: 256 * 1024,
                batches: 4,
                in_flight: 65_536,
                deadline: Duration::from_millis(250),
            },
            sets: true,
            alone_sets: None,
            clock: None,
            runtime: None,
        }
    }

    /// Lets this many calls of a kind go alone at once; those beyond them go in batches. Default: 1.
    pub fn alone(mut self, calls: usize) -> Self {
        self.limits.alone = calls;
        self
    }

    /// Lets this many `set`s go alone at once, where that is another number than of `get`s. Default: what
    /// [`alone`](Self::alone) is.
    pub fn alone_sets(mut self, calls: usize) -> Self {
        self.alone_sets = Some(calls);
        self
    }

    /// How many calls a batch holds at most. Default: 512.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.limits.calls = calls;
        self
    }

    /// How many bytes a batch holds of keys and values to be written; the call that reaches it is its last. Of values to be
    /// read too, which are expected to be as large as those of the batches before, the last of them counting most: but 16
    /// calls go together however large their values are. Default: 256 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// How many batches of a kind are under way at once, at the most: from 64 calls on two that hold them all are enough.
    /// Default: 4.
    pub fn max_batches(mut self, batches: usize) -> Self {
        self.limits.batches = batches;
        self
    }

    /// How many calls of a kind may be under way, waiting or sent, before further ones fail with
    /// [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded). Default: 65 536.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.limits.in_flight = calls;
        self
    }

    /// How long a call in a batch may take, waiting included; a write is handed on with what is left of it. Should be that
    /// of the backend. Default: 250 ms.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        self
    }

    /// Leaves `set`s as they are, for a backend that gains nothing from a batch of them. Default: they are batched.
    pub fn without_sets(mut self) -> Self {
        self.sets = false;
        self
    }

    /// Polls the batches on `runtime`, in the place of their callers: worth it where the backend's answers come in there.
    /// As many jobs as there are batches under way stay with it until the backend is dropped, each for one batch after the
    /// other. Default: the callers poll them.
    pub fn runtime(mut self, runtime: impl Runtime) -> Self {
        self.runtime = Some(Arc::new(runtime));
        self
    }

    /// Takes deadlines from `clock`. Default: the runtime's, or [`SystemClock`] without one.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a limit or a deadline of zero, and for a deadline of more
    /// than a day.
    pub fn build(self) -> Result<Batched<B>> {
        /// What can be added to any time that a clock tells.
        const MAX_DEADLINE: Duration = Duration::from_hours(24);

        let limits = &self.limits;
        let broken = [
            (limits.calls == 0, "max_calls 0: no batch could hold a call"),
            (limits.bytes == 0, "max_bytes 0: no batch could hold a key"),
            (limits.batches == 0, "max_batches 0: no batch could ever be sent"),
            (limits.in_flight == 0, "max_in_flight 0: no call could ever be made"),
            (
                limits.deadline.is_zero(),
                "deadline 0ns: no call could ever be answered",
            ),
        ];
        if let Some((_, why)) = broken.into_iter().find(|(is_broken, _)| *is_broken) {
            return Err(Error::invalid(why));
        }
        if limits.deadline > MAX_DEADLINE {
            return Err(Error::invalid(format!(
                "deadline {:?}: longer than a day",
                limits.deadline
            )));
        }
        Ok(self.assemble())
    }

    pub(super) fn assemble(self) -> Batched<B> {
        let backend = Arc::new(self.backend);
        let (limits, runtime) = (self.limits, self.runtime);
        let clock = self.clock.unwrap_or_else(|| match &runtime {
            Some(runtime) => Arc::new(RuntimeClock::new(Arc::clone(runtime))),
            None => Arc::new(SystemClock::new()),
        });
        let sets = self.sets.then(|| {
            let limits = Limits {
                alone: self.alone_sets.unwrap_or(limits.alone),
                ..limits.clone()
            };
            Lane::new(Arc::clone(&backend), limits, Arc::clone(&clock), runtime.clone())
        });
        let gets = Lane::new(Arc::clone(&backend), limits, clock, runtime);
        Batched {
            backend,
            gets: Some(gets),
            sets,
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for BatchedBuilder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchedBuilder")
            .field("backend", &self.backend)
            .field("limits", &self.limits)
            .field("sets", &self.sets)
            .field("alone_sets", &self.alone_sets)
            .finish_non_exhaustive()
    }
}
