use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::signal::{Signal, SignalKind};
use crate::{
    hook::{Ending, Event, Failure, Hook, Operation, OperationKind, OperationOutcome},
    layer::{BreakerState, FallbackState},
};

const OPERATIONS: &str = "larder_operations_total";
const DURATION: &str = "larder_operation_duration_seconds";
const KEYS: &str = "larder_keys_total";
const ERRORS: &str = "larder_errors_total";
const LOADS: &str = "larder_load_duration_seconds";
const BACKEND: &str = "larder_backend_duration_seconds";
const BYTES: &str = "larder_value_bytes_total";
const UNDECODABLE: &str = "larder_undecodable_total";
const STALE_AGE: &str = "larder_stale_age_seconds";
const BREAKER_STATE: &str = "larder_breaker_state";
const FALLBACK_STATE: &str = "larder_fallback_state";

const fn signal_name(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::BackgroundLoads => "larder_background_loads_total",
        SignalKind::LeaseWaits => "larder_lease_waits_total",
        SignalKind::FallbackAnswers => "larder_fallback_answers_total",
        SignalKind::BreakerChanges => "larder_breaker_changes_total",
        SignalKind::FallbackSwitches => "larder_fallback_switches_total",
        SignalKind::JournalReplayed => "larder_journal_replayed_total",
        SignalKind::JournalOverflowed => "larder_journal_overflowed_total",
    }
}

const fn signal_help(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::BackgroundLoads => "Loads that ended without the call that began them.",
        SignalKind::LeaseWaits => "Waits for the load of another process.",
        SignalKind::FallbackAnswers => "Keys that a fallback policy answered.",
        SignalKind::BreakerChanges => "Changes of a circuit breaker, by its new state.",
        SignalKind::FallbackSwitches => "Switches of a fallback layer, by who answers then.",
        SignalKind::JournalReplayed => "Entries that have left the journal of a fallback layer.",
        SignalKind::JournalOverflowed => "Entries that the journal of a fallback layer had no place for.",
    }
}

/// Records through the [`metrics`](https://docs.rs/metrics) facade what caches do, for any of its exporters.
///
/// `docs/metrics.md` lists the names, the units and the labels. Labels hold the name of the cache, the operation and the
/// outcome, and never a key.
///
/// It describes its metrics when it is made: install the recorder first.
///
/// # Examples
///
/// ```
/// use larder::{Cache, MetricsHook};
/// use larder_memory::MemoryBackend;
/// use metrics_exporter_prometheus::PrometheusBuilder;
///
/// # futures::executor::block_on(async {
/// let recorder = PrometheusBuilder::new().build_recorder();
/// let exporter = recorder.handle();
/// metrics::set_global_recorder(recorder).unwrap();
///
/// let cache = Cache::builder(MemoryBackend::new()).name("users").hook(MetricsHook::new()).build()?;
/// cache.get::<String>("user:1").await?;
/// let sample = r#"larder_operations_total{cache="users",operation="get",outcome="miss"} 1"#;
/// assert!(exporter.render().contains(sample));
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MetricsHook {
    records_backend_calls: bool,
}

impl MetricsHook {
    /// A hook that records calls and loads.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            records_backend_calls: false,
        }
    }

    /// A hook that records calls, loads, and what is asked of the backend.
    #[must_use]
    pub fn with_backend_calls() -> Self {
        describe();
        Self {
            records_backend_calls: true,
        }
    }
}

impl Default for MetricsHook {
    fn default() -> Self {
        Self::new()
    }
}

fn describe() {
    describe_counter!(OPERATIONS, Unit::Count, "Calls, by outcome.");
    describe_histogram!(DURATION, Unit::Seconds, "How long calls took.");
    describe_counter!(
        KEYS,
        Unit::Count,
        "Keys of calls, by outcome; a batch counts each of its keys."
    );
    describe_counter!(ERRORS, Unit::Count, "Calls and loads that failed, by class of error.");
    describe_histogram!(LOADS, Unit::Seconds, "How long loaders ran.");
    describe_histogram!(
        BACKEND,
        Unit::Seconds,
        "How long the backend took, by what it was asked."
    );
    describe_counter!(BYTES, Unit::Bytes, "Bytes of values that were read or written.");
    describe_counter!(UNDECODABLE, Unit::Count, "Entries that could not be decoded.");
    describe_histogram!(STALE_AGE, Unit::Seconds, "How far past their ttl stale answers were.");
    for kind in SignalKind::ALL {
        describe_counter!(signal_name(kind), Unit::Count, signal_help(kind));
    }
    describe_gauge!(
        BREAKER_STATE,
        Unit::Count,
        "A circuit breaker: 0 closed, 1 half open, 2 open."
    );
    describe_gauge!(
        FALLBACK_STATE,
        Unit::Count,
        "A fallback layer: 0 the primary answers, 1 replaying, 2 the secondary answers."
    );
}

impl Hook for MetricsHook {
    fn wants(&self, kind: OperationKind) -> bool {
        self.records_backend_calls || !kind.is_backend_call()
    }

    fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
        let cache = || operation.cache.to_owned();
        let (kind, outcome) = (operation.kind.as_str(), ending.outcome.as_str());
        if let Some(error) = ending.failure.as_ref().map(Failure::as_str)
            && !operation.kind.is_backend_call()
        {
            counter!(ERRORS, "cache" => cache(), "operation" => kind, "error" => error).increment(1);
        }
        if operation.kind == OperationKind::Load {
            histogram!(LOADS, "cache" => cache(), "outcome" => outcome).record(ending.elapsed);
        }
        if operation.kind.is_backend_call() {
            histogram!(BACKEND, "cache" => cache(), "operation" => kind, "outcome" => outcome).record(ending.elapsed);
        }
        if !operation.kind.is_call() {
            return;
        }
        counter!(OPERATIONS, "cache" => cache(), "operation" => kind, "outcome" => outcome).increment(1);
        histogram!(DURATION, "cache" => cache(), "operation" => kind, "outcome" => outcome).record(ending.elapsed);
        for (outcome, keys) in ending.counts.iter() {
            counter!(KEYS, "cache" => cache(), "operation" => kind, "outcome" => outcome).increment(keys);
        }
        for (form, bytes) in [("serialized", ending.serialized_bytes), ("stored", ending.stored_bytes)] {
            if let Some(bytes) = bytes {
                counter!(BYTES, "cache" => cache(), "operation" => kind, "form" => form).increment(bytes);
            }
        }
        if ending.undecodable > 0 {
            counter!(UNDECODABLE, "cache" => cache(), "operation" => kind).increment(ending.undecodable);
        }
        if let OperationOutcome::Stale { age } = ending.outcome {
            histogram!(STALE_AGE, "cache" => cache()).record(age);
        }
    }

    fn event(&self, event: &Event<'_>) {
        let signal = Signal::of(event);
        let cache = || event.cache().to_owned();
        let name = signal_name(signal.kind);
        let counter = if let Some((label, _)) = signal.kind.label() {
            counter!(name, "cache" => cache(), label => signal.value)
        } else {
            counter!(name, "cache" => cache())
        };
        counter.increment(signal.count);
        match event {
            Event::BreakerChanged { state, .. } => gauge!(BREAKER_STATE, "cache" => cache()).set(match state {
                BreakerState::Closed => 0.0,
                BreakerState::HalfOpen => 1.0,
                BreakerState::Open => 2.0,
            }),
            Event::FallbackSwitched { state, .. } => gauge!(FALLBACK_STATE, "cache" => cache()).set(match state {
                FallbackState::Primary => 0.0,
                FallbackState::Replaying => 1.0,
                FallbackState::Secondary => 2.0,
            }),
            _ => {}
        }
    }
}
