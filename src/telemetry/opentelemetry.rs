use std::{any::Any, borrow::Cow, fmt, sync::Arc};

use opentelemetry::{
    Context, KeyValue, Value,
    global::{self, BoxedTracer},
    metrics::{Counter, Histogram, Meter, MeterProvider},
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt, Tracer, TracerProvider},
};

use super::signal::{Signal, SignalKind};
use crate::hook::{Ending, Event, Failure, Hook, HookSpan, Operation, OperationKind, OperationOutcome};

const SCOPE: &str = "larder";

/// Reports what caches do to OpenTelemetry: a span for each call with its loads and what it asks of the backend below
/// it, and metrics, by the semantic conventions for database clients.
///
/// # Behavior
///
/// - The span of a call is of kind `client`, its name and `db.operation.name` are the call's. Its parent is the
///   [`Context`] that is current where the call is first polled. The spans below it are `internal`, so that one call is
///   one client call to whoever counts them. While a loader is polled, its span is current, so what the loader does
///   hangs below it.
/// - `db.system.name`, `db.namespace`, `db.operation.batch.size` and `error.type` are the convention's; `cache.*` are
///   larder's own. `docs/observability.md` lists them all. No attribute holds a key, unless
///   [`keys`](OpenTelemetryBuilder::keys) asks for it, or ever a value.
/// - `db.client.operation.duration` is the histogram of the convention, with an attribute for the outcome.
///
/// The providers are the global ones as they are when the hook is made, or those that the builder is given.
///
/// # Examples
///
/// ```
/// use larder::{Cache, OpenTelemetryHook};
/// use larder_memory::MemoryBackend;
/// use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let spans = InMemorySpanExporter::default();
/// let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
/// let hook = OpenTelemetryHook::builder().tracer_provider(&provider).namespace("0").build();
///
/// let cache = Cache::builder(MemoryBackend::new()).name("users").hook(hook).build()?;
/// cache.get::<String>("user:1").await?;
/// let names: Vec<_> = spans.get_finished_spans().unwrap().into_iter().map(|span| span.name).collect();
/// assert_eq!(names, ["backend_get", "get"]);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct OpenTelemetryHook {
    shared: Arc<Shared>,
}

struct Shared {
    tracer: BoxedTracer,
    attributes: Vec<KeyValue>,
    has_keys: bool,
    duration: Histogram<f64>,
    load: Histogram<f64>,
    keys: Counter<u64>,
    bytes: Counter<u64>,
    signals: Vec<(SignalKind, Counter<u64>)>,
}

/// The settings of an [`OpenTelemetryHook`], each with a default.
#[must_use = "a builder does nothing until `build` is called"]
#[derive(Default)]
pub struct OpenTelemetryBuilder {
    tracer: Option<BoxedTracer>,
    meter: Option<Meter>,
    attributes: Vec<KeyValue>,
    has_keys: bool,
}

impl OpenTelemetryBuilder {
    /// Makes spans with a tracer of `provider`. Default: the global one.
    pub fn tracer_provider<P>(mut self, provider: &P) -> Self
    where
        P: TracerProvider<Tracer: Send + Sync + 'static>,
        <P::Tracer as Tracer>::Span: Send + Sync + 'static,
    {
        self.tracer = Some(BoxedTracer::new(Box::new(provider.tracer(SCOPE))));
        self
    }

    /// Makes metrics with a meter of `provider`. Default: the global one.
    pub fn meter_provider(mut self, provider: &impl MeterProvider) -> Self {
        self.meter = Some(provider.meter(SCOPE));
        self
    }

    /// `db.namespace`: the number of the database, where the backend is Redis. Default: none.
    pub fn namespace(self, namespace: impl Into<Cow<'static, str>>) -> Self {
        self.attribute(KeyValue::new("db.namespace", namespace.into()))
    }

    /// An attribute for every span and every metric, such as `server.address`.
    pub fn attribute(mut self, attribute: KeyValue) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Puts keys and patterns into spans, as `cache.key`. Default: they are left out.
    pub fn keys(mut self) -> Self {
        self.has_keys = true;
        self
    }

    /// Makes the hook.
    #[must_use]
    pub fn build(self) -> OpenTelemetryHook {
        let meter = self.meter.unwrap_or_else(|| global::meter(SCOPE));
        let seconds = |name: &'static str, what: &'static str| {
            // The convention's own boundaries.
            let bounds = vec![0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(what);
            histogram.with_boundaries(bounds).build()
        };
        let counter = |name: &'static str, unit: &'static str, what: &'static str| {
            (meter.u64_counter(name).with_unit(unit).with_description(what)).build()
        };
        let signals = SignalKind::ALL.into_iter().map(|kind| {
            let (name, unit, what) = match kind {
                SignalKind::BackgroundLoads => ("cache.background_loads", "{load}", "Loads without a caller"),
                SignalKind::LeaseWaits => ("cache.lease_waits", "{wait}", "Waits for another process's load"),
                SignalKind::FallbackAnswers => ("cache.fallback_answers", "{key}", "Keys that a policy answered"),
                SignalKind::BreakerChanges => ("cache.breaker_changes", "{change}", "Changes of a breaker"),
                SignalKind::FallbackSwitches => ("cache.fallback_switches", "{switch}", "Switches of a fallback"),
                SignalKind::JournalReplayed => ("cache.journal_replayed", "{entry}", "Entries replayed"),
                SignalKind::JournalOverflowed => ("cache.journal_overflowed", "{entry}", "Entries without a place"),
            };
            (kind, counter(name, unit, what))
        });
        OpenTelemetryHook {
            shared: Arc::new(Shared {
                tracer: self.tracer.unwrap_or_else(|| global::tracer(SCOPE)),
                attributes: self.attributes,
                has_keys: self.has_keys,
                duration: seconds(
                    "db.client.operation.duration",
                    "Duration of database client operations.",
                ),
                load: seconds("cache.load.duration", "How long loaders ran"),
                keys: counter("cache.keys", "{key}", "Keys of calls, by outcome"),
                bytes: counter("cache.value_bytes", "By", "Bytes of values that were read or written"),
                signals: signals.collect(),
            }),
        }
    }
}

impl OpenTelemetryHook {
    /// A hook of the global providers, with every default.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Starts to configure a hook.
    pub fn builder() -> OpenTelemetryBuilder {
        OpenTelemetryBuilder::default()
    }
}

impl Default for OpenTelemetryHook {
    fn default() -> Self {
        Self::new()
    }
}

impl Hook for OpenTelemetryHook {
    fn start(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        let parent = Context::current();
        Some(OpenSpan::start(&self.shared, &parent, SpanKind::Client, operation))
    }

    fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
        let shared = &self.shared;
        let elapsed = ending.elapsed.as_secs_f64();
        let outcome = KeyValue::new("cache.outcome", ending.outcome.as_str());
        let mut attributes = shared.attributes.clone();
        attributes.push(KeyValue::new("db.system.name", operation.system));
        attributes.push(KeyValue::new("cache.name", operation.cache.to_owned()));
        if operation.kind == OperationKind::Load {
            attributes.push(outcome);
            push_error(&mut attributes, ending);
            return shared.load.record(elapsed, &attributes);
        }
        if !operation.kind.is_call() {
            return;
        }
        attributes.push(KeyValue::new("db.operation.name", operation.kind.as_str()));
        let common = attributes.len();
        for (outcome, keys) in ending.counts.iter() {
            attributes.push(KeyValue::new("cache.outcome", outcome));
            shared.keys.add(keys, &attributes);
            attributes.truncate(common);
        }
        for (form, bytes) in [("serialized", ending.serialized_bytes), ("stored", ending.stored_bytes)] {
            if let Some(bytes) = bytes {
                attributes.push(KeyValue::new("cache.form", form));
                shared.bytes.add(bytes, &attributes);
                attributes.truncate(common);
            }
        }
        attributes.push(outcome);
        push_error(&mut attributes, ending);
        shared.duration.record(elapsed, &attributes);
    }

    fn event(&self, event: &Event<'_>) {
        let signal = Signal::of(event);
        let mut attributes = self.shared.attributes.clone();
        attributes.push(KeyValue::new("cache.name", event.cache().to_owned()));
        if let Some((label, _)) = signal.kind.label() {
            let label = if label == "state" {
                "cache.state"
            } else {
                "cache.outcome"
            };
            attributes.push(KeyValue::new(label, signal.value));
        }
        for (kind, counter) in &self.shared.signals {
            if *kind == signal.kind {
                counter.add(signal.count, &attributes);
            }
        }
    }
}

fn push_error(attributes: &mut Vec<KeyValue>, ending: &Ending<'_>) {
    if let (OperationOutcome::Failed, Some(failure)) = (ending.outcome, &ending.failure) {
        attributes.push(KeyValue::new("error.type", failure.as_str()));
    }
}

/// One span, as the context that its children are started in.
struct OpenSpan {
    shared: Arc<Shared>,
    context: Context,
}

impl OpenSpan {
    fn start(shared: &Arc<Shared>, parent: &Context, kind: SpanKind, operation: &Operation<'_>) -> Box<dyn HookSpan> {
        let name = operation.kind.as_str();
        let mut attributes = shared.attributes.clone();
        attributes.push(KeyValue::new("db.system.name", operation.system));
        attributes.push(KeyValue::new("cache.name", operation.cache.to_owned()));
        if operation.kind.is_call() {
            attributes.push(KeyValue::new("db.operation.name", name));
        }
        // One is no batch to the convention.
        if let Some(size @ 2..) = operation.batch_size {
            attributes.push(KeyValue::new("db.operation.batch.size", int(size as u64)));
        }
        if operation.attempt > 1 {
            attributes.push(KeyValue::new("cache.attempt", i64::from(operation.attempt)));
        }
        if let (true, Some(key)) = (shared.has_keys, operation.key) {
            attributes.push(KeyValue::new("cache.key", key.to_owned()));
        }
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
        let span = shared.tracer.build_with_context(builder, parent);
        Box::new(Self {
            shared: Arc::clone(shared),
            context: parent.with_span(span),
        })
    }
}

impl HookSpan for OpenSpan {
    fn child(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        let kind = SpanKind::Internal;
        Some(Self::start(&self.shared, &self.context, kind, operation))
    }

    fn enter(&self) -> Option<Box<dyn Any>> {
        Some(Box::new(self.context.clone().attach()))
    }

    fn finish(self: Box<Self>, ending: &Ending<'_>) {
        let span = self.context.span();
        if span.is_recording() {
            span.set_attribute(KeyValue::new("cache.outcome", ending.outcome.as_str()));
            if let OperationOutcome::Stale { age } = ending.outcome {
                span.set_attribute(KeyValue::new("cache.stale_age", age.as_secs_f64()));
            }
            for (name, bytes) in [
                ("cache.serialized_bytes", ending.serialized_bytes),
                ("cache.stored_bytes", ending.stored_bytes),
            ] {
                if let Some(bytes) = bytes {
                    span.set_attribute(KeyValue::new(name, int(bytes)));
                }
            }
            if ending.counts.total() > 1 {
                for (outcome, keys) in ending.counts.iter() {
                    span.set_attribute(KeyValue::new(format!("cache.keys.{outcome}"), int(keys)));
                }
            }
            if let (OperationOutcome::Failed, Some(failure)) = (ending.outcome, &ending.failure) {
                span.set_attribute(KeyValue::new("error.type", failure.as_str()));
                span.set_status(Status::error(match failure {
                    Failure::Cache(error) => error.to_string(),
                    failure => failure.as_str().to_owned(),
                }));
            }
        }
        span.end();
    }
}

fn int(number: u64) -> Value {
    Value::I64(i64::try_from(number).unwrap_or(i64::MAX))
}

impl fmt::Debug for OpenTelemetryHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("OpenTelemetryHook").field("keys", &self.shared.has_keys)).finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenTelemetryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("OpenTelemetryBuilder").field("keys", &self.has_keys)).finish_non_exhaustive()
    }
}
