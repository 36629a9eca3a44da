use std::any::Any;

use tracing::{Level, Span, debug, debug_span, field::Empty, info, trace_span, warn};

use crate::{
    hook::{BackgroundOutcome, Ending, Event, Failure, Hook, HookSpan, LeaseOutcome, Operation, OperationOutcome},
    layer::{BreakerState, FallbackState},
};

/// Reports what caches do through [`tracing`](https://docs.rs/tracing), with the target `larder`.
///
/// | what | level |
/// |---|---|
/// | a span for each call and each load, with its outcome | `DEBUG` |
/// | a span for what is asked of the backend | `TRACE` |
/// | a call or a load that failed, in its span | `DEBUG`, since its caller is told too |
/// | a breaker opens, a fallback layer switches to its secondary, a journal overflows, a background load fails | `WARN` |
/// | a breaker closes, the primary answers again, a lease is taken over | `INFO` |
/// | all other events | `DEBUG` |
///
/// The span of a loader is current while the loader is polled. Where no subscriber is interested, a call costs two
/// reads of the clock and nothing else. Keys and values are never recorded.
///
/// # Examples
///
/// ```
/// use larder::{Cache, TracingHook};
/// use larder_memory::MemoryBackend;
///
/// let cache = Cache::builder(MemoryBackend::new()).hook(TracingHook::new()).build()?;
/// # let _: Cache<MemoryBackend> = cache;
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TracingHook;

impl TracingHook {
    /// A hook that reports everything.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

struct Entered(Span);

macro_rules! span {
    ($span:ident, $parent:expr, $operation:expr) => {
        $span!(
            target: "larder",
            parent: $parent,
            "cache",
            cache = $operation.cache,
            operation = $operation.kind.as_str(),
            batch_size = $operation.batch_size,
            attempt = ($operation.attempt > 1).then_some($operation.attempt),
            outcome = Empty,
            error = Empty,
            stored_bytes = Empty,
        )
    };
}

impl Hook for TracingHook {
    fn start(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        if !tracing::enabled!(target: "larder", Level::DEBUG) {
            return None;
        }
        Some(Box::new(Entered(span!(debug_span, Span::current().id(), operation))))
    }

    fn event(&self, event: &Event<'_>) {
        let cache = event.cache();
        match event {
            Event::BackgroundLoad { outcome, .. } => match outcome {
                BackgroundOutcome::Loaded => debug!(target: "larder", cache, "a background load has ended"),
                outcome => {
                    let outcome = outcome.as_str();
                    warn!(target: "larder", cache, outcome, "a background load did not load");
                }
            },
            Event::LeaseWaited { waited, outcome, .. } => match outcome {
                LeaseOutcome::TakenOver => {
                    info!(target: "larder", cache, ?waited, "a silent process's lease was taken over");
                }
                outcome => {
                    let outcome = outcome.as_str();
                    debug!(target: "larder", cache, ?waited, outcome, "a call waited for another process");
                }
            },
            Event::FallbackAnswered { kind, error, .. } => {
                let operation = kind.as_str();
                debug!(target: "larder", cache, operation, %error, "the fallback policy has answered");
            }
            Event::BreakerChanged { state, .. } => match state {
                BreakerState::Open => warn!(target: "larder", cache, "the circuit breaker is open"),
                BreakerState::HalfOpen => debug!(target: "larder", cache, "the circuit breaker is half open"),
                BreakerState::Closed => info!(target: "larder", cache, "the circuit breaker is closed"),
            },
            Event::FallbackSwitched { state, .. } => match state {
                FallbackState::Secondary => warn!(target: "larder", cache, "the secondary answers"),
                FallbackState::Replaying => info!(target: "larder", cache, "the primary is back; replaying"),
                FallbackState::Primary => info!(target: "larder", cache, "the primary answers"),
            },
            Event::JournalReplayed { entries, .. } => {
                debug!(target: "larder", cache, entries, "entries have left the journal");
            }
            Event::JournalOverflowed { .. } => {
                warn!(target: "larder", cache, "the journal has no place for an entry; a pattern was widened");
            }
        }
    }
}

impl HookSpan for Entered {
    fn child(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        let span = if operation.kind.is_backend_call() {
            span!(trace_span, self.0.id(), operation)
        } else {
            span!(debug_span, self.0.id(), operation)
        };
        (!span.is_disabled()).then(|| Box::new(Self(span)) as Box<dyn HookSpan>)
    }

    fn enter(&self) -> Option<Box<dyn Any>> {
        Some(Box::new(self.0.clone().entered()))
    }

    fn finish(self: Box<Self>, ending: &Ending<'_>) {
        let span = &self.0;
        span.record("outcome", ending.outcome.as_str());
        if let Some(bytes) = ending.stored_bytes {
            span.record("stored_bytes", bytes);
        }
        if let (OperationOutcome::Failed, Some(failure)) = (ending.outcome, &ending.failure) {
            span.record("error", failure.as_str());
            let _entered = span.enter();
            match failure {
                Failure::Cache(error) => debug!(target: "larder", %error, "failed"),
                failure => debug!(target: "larder", error = failure.as_str(), "failed"),
            }
        }
    }
}
