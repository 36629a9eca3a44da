use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::BreakerState;
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    layer::Listener,
    random,
};

/// The settings of a circuit, in range.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) failures: u32,
    pub(super) open_for: Duration,
    pub(super) max_open: Duration,
    pub(super) jitter: f64,
}

/// The states of a breaker and the way between them.
#[derive(Debug)]
pub(super) struct Circuit {
    limits: Limits,
    clock: Arc<dyn Clock>,
    listener: Listener<BreakerState>,
    /// Closed without a failure: what a call that succeeds finds nearly always, and then takes no lock.
    is_clean: AtomicBool,
    position: Mutex<Position>,
}

#[derive(Debug)]
struct Position {
    at: At,
    /// Failures in a row, up to now or before the breaker opened.
    failures: u32,
    /// Openings in a row.
    openings: u32,
    /// When the first of them began.
    since: Duration,
    /// Raised with every change, so that the answer to a call from before it is not counted.
    generation: u64,
    reason: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Closed,
    Open {
        until: Duration,
    },
    /// A probe is under way, and from `until` on it is not the only one.
    HalfOpen {
        until: Duration,
    },
}

/// What a call said about the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Answered,
    Away,
    /// Nothing: it was turned away before it got there.
    Silent,
}

impl Verdict {
    pub(super) fn of<T>(result: &Result<T>) -> Self {
        match result.as_ref().map_err(Error::kind) {
            Err(ErrorKind::Connection | ErrorKind::Timeout) => Self::Away,
            Err(ErrorKind::Overloaded | ErrorKind::InvalidInput) => Self::Silent,
            _ => Self::Answered,
        }
    }

    /// One answer is enough to show that the store is there; without one, one failure is enough to show the contrary.
    pub(super) fn of_many<T>(results: &[Result<T>]) -> Self {
        let verdicts = || results.iter().map(Self::of);
        if verdicts().any(|verdict| verdict == Self::Answered) {
            Self::Answered
        } else if verdicts().any(|verdict| verdict == Self::Away) {
            Self::Away
        } else {
            Self::Silent
        }
    }
}

impl Circuit {
    pub(super) fn new(limits: Limits, clock: Arc<dyn Clock>, listener: Listener<BreakerState>) -> Self {
        Self {
            limits,
            clock,
            listener,
            is_clean: AtomicBool::new(true),
            position: Mutex::new(Position {
                at: At::Closed,
                failures: 0,
                openings: 0,
                since: Duration::ZERO,
                generation: 0,
                reason: None,
            }),
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.position.lock().state()
    }

    /// Lets a call through, or says why not.
    pub(super) fn admit(&self) -> Result<Permit<'_>> {
        let mut position = self.position.lock();
        let (At::Open { until } | At::HalfOpen { until }) = position.at else {
            return Ok(self.permit(&position, false));
        };
        let now = self.clock.monotonic();
        if now < until {
            return Err(self.refusal(&position));
        }
        let was_open = position.state() == BreakerState::Open;
        position.at = At::HalfOpen {
            until: now + self.limits.max_open,
        };
        // One that joins a probe which its caller has stopped polling, or which is slow, is of the same generation:
        // whichever of them has an answer first decides.
        position.generation += u64::from(was_open);
        let permit = self.permit(&position, true);
        drop(position);
        if was_open {
            self.listener.tell(BreakerState::HalfOpen);
        }
        Ok(permit)
    }

    fn permit(&self, position: &Position, is_probe: bool) -> Permit<'_> {
        Permit {
            circuit: self,
            generation: position.generation,
            is_probe,
        }
    }

    #[cold]
    fn refusal(&self, position: &Position) -> Error {
        let since = self.clock.monotonic().saturating_sub(position.since);
        let error = Error::new(
            ErrorKind::Connection,
            format!(
                "the circuit breaker has been open for {since:?}, after {} failures in a row",
                position.failures
            ),
        );
        match &position.reason {
            Some(reason) => error.with_source(reason.clone()),
            None => error,
        }
    }

    fn answered(&self, generation: u64) {
        if self.is_clean.load(Ordering::Acquire) {
            return;
        }
        let mut position = self.position.lock();
        if position.generation != generation {
            return;
        }
        let has_opened = position.at != At::Closed;
        position.at = At::Closed;
        position.failures = 0;
        position.openings = 0;
        position.reason = None;
        if has_opened {
            position.generation += 1;
        }
        self.is_clean.store(true, Ordering::Release);
        drop(position);
        if has_opened {
            self.listener.tell(BreakerState::Closed);
        }
    }

    #[cold]
    fn failed(&self, generation: u64, reason: Option<Error>) {
        let mut position = self.position.lock();
        if position.generation != generation {
            return;
        }
        self.is_clean.store(false, Ordering::Release);
        position.failures = position.failures.saturating_add(1);
        if position.at == At::Closed && position.failures < self.limits.failures {
            return;
        }
        let now = self.clock.monotonic();
        if position.openings == 0 {
            position.since = now;
        }
        position.at = At::Open {
            until: now + self.opening(position.openings),
        };
        position.openings = position.openings.saturating_add(1);
        position.reason = reason.or(position.reason.take());
        position.generation += 1;
        drop(position);
        self.listener.tell(BreakerState::Open);
    }

    /// How long the opening lasts that follows `openings` others.
    fn opening(&self, openings: u32) -> Duration {
        let doubled = 2_u32.checked_pow(openings).unwrap_or(u32::MAX);
        let longest = self.limits.open_for.saturating_mul(doubled).min(self.limits.max_open);
        longest.mul_f64(1.0 - self.limits.jitter * random::random::<f64>())
    }

    /// Frees the place of a probe that said nothing: the next call takes it.
    fn pass_on(&self, generation: u64) {
        let mut position = self.position.lock();
        if position.generation == generation && position.state() == BreakerState::HalfOpen {
            position.at = At::Open { until: Duration::ZERO };
            position.generation += 1;
            drop(position);
            self.listener.tell(BreakerState::Open);
        }
    }
}

impl Position {
    fn state(&self) -> BreakerState {
        match self.at {
            At::Closed => BreakerState::Closed,
            At::Open { .. } => BreakerState::Open,
            At::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

/// A call that was let through.
#[derive(Debug)]
#[must_use]
pub(super) struct Permit<'a> {
    circuit: &'a Circuit,
    generation: u64,
    is_probe: bool,
}

impl Permit<'_> {
    /// Counts what the call said. `reason` is asked for where the breaker may open for it.
    pub(super) fn settle(mut self, verdict: Verdict, reason: impl FnOnce() -> Option<Error>) {
        match verdict {
            Verdict::Answered => self.circuit.answered(self.generation),
            Verdict::Away => self.circuit.failed(self.generation, reason()),
            Verdict::Silent => return,
        }
        self.is_probe = false;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.circuit.pass_on(self.generation);
        }
    }
}
