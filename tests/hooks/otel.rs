//! Spans and metrics through OpenTelemetry's in-memory exporters.

use std::{collections::BTreeMap, time::Duration};

use futures::{FutureExt, poll};
use larder::{Cache, ErrorKind, LoadOptions, Loaded, ManualClock, OpenTelemetryHook};
use larder_memory::MemoryBackend;
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, SpanId, SpanKind, Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData, ScopeMetrics},
    },
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};

use crate::table::{Memory, prepared, rows};

/// The exporters wait with the executor of `futures`, which does not wait inside itself.
fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

struct World {
    backend: MemoryBackend,
    cache: Memory,
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
}

fn world(has_keys: bool) -> World {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let hook = OpenTelemetryHook::builder()
        .tracer_provider(&provider)
        .namespace("3")
        .attribute(KeyValue::new("server.address", "cache.internal"));
    let hook = if has_keys { hook.keys() } else { hook };
    let backend = MemoryBackend::new();
    let cache = Cache::builder(backend.clone())
        .prefix("app")
        .name("users")
        .default_ttl("1m")
        .hook(hook.build())
        .build()
        .unwrap();
    block_on(prepared(&cache));
    exporter.reset();
    World {
        backend,
        cache,
        exporter,
        provider,
    }
}

impl World {
    fn spans(&self) -> Vec<SpanData> {
        let spans = self.exporter.get_finished_spans().unwrap();
        self.exporter.reset();
        spans
    }
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = (span.attributes.iter()).find(|attribute| attribute.key.as_str() == name)?;
    Some(found.value.to_string())
}

/// The spans as the table writes them. Those that follow each other end in that order.
fn tree(spans: &[SpanData], parent: SpanId) -> String {
    let children = spans.iter().filter(|span| span.parent_span_id == parent);
    let texts = children.map(|span| {
        let parts = tree(spans, span.span_context.span_id());
        let outcome = attribute(span, "cache.outcome").unwrap();
        let parts = if parts.is_empty() { parts } else { format!("[{parts}]") };
        format!("{}{parts}:{outcome}", span.name)
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn otel_every_call_is_one_client_span_with_its_parts_below_it() {
    for row in rows() {
        for (is_away, expected) in [(false, row.success), (true, row.failure)] {
            let world = world(false);
            if is_away {
                world.backend.faults().fail_all(ErrorKind::Timeout);
            }
            block_on((row.run)(world.cache.clone()));
            let spans = world.spans();
            assert_eq!(tree(&spans, SpanId::INVALID), expected);
            for span in &spans {
                let is_call = span.parent_span_id == SpanId::INVALID;
                let kind = if is_call { SpanKind::Client } else { SpanKind::Internal };
                assert_eq!(span.span_kind, kind, "{}", span.name);
                assert_eq!(attribute(span, "db.system.name").as_deref(), Some("larder"));
                assert_eq!(attribute(span, "db.namespace").as_deref(), Some("3"));
                assert_eq!(attribute(span, "server.address").as_deref(), Some("cache.internal"));
                assert_eq!(attribute(span, "cache.name").as_deref(), Some("users"));
                let operation = is_call.then(|| row.kind.as_str().to_owned());
                assert_eq!(attribute(span, "db.operation.name"), operation);
                let error = is_away.then_some("timeout");
                assert_eq!(attribute(span, "error.type").as_deref(), error, "{}", span.name);
                assert_eq!(matches!(span.status, Status::Error { .. }), is_away, "{}", span.name);
            }
        }
    }
}

#[test]
fn otel_every_call_whose_future_is_dropped_ends_its_spans_as_cancelled() {
    for row in rows() {
        let world = world(false);
        let gate = world.backend.faults().hold();
        block_on(async {
            let mut call = (row.run)(world.cache.clone());
            assert!(poll!(&mut call).is_pending());
        });
        assert_eq!(tree(&world.spans(), SpanId::INVALID), row.cancelled);
        drop(gate);
    }
}

#[test]
fn otel_a_call_hangs_below_the_span_of_its_caller_and_what_a_loader_does_below_the_load() {
    let world = world(false);
    let tracer = world.provider.tracer("service");
    let request = tracer.start("request");
    let context = Context::new().with_span(request);
    let load = async || {
        // Suspended once, so that it is polled again from outside.
        let mut waits = Box::pin(yield_once());
        std::future::poll_fn(|cx| waits.poll_unpin(cx)).await;
        tracer.start_with_context("query", &Context::current());
        Ok::<u32, ()>(1)
    };
    block_on(
        world
            .cache
            .remember("new", 60, load)
            .with_context(context.clone())
            .map(drop),
    );
    assert!(!Context::current().has_active_span());
    drop(context);
    let spans = world.spans();
    let id = |name: &str| {
        let span = spans.iter().find(|span| span.name == name).unwrap();
        (span.span_context.span_id(), span.parent_span_id)
    };
    assert_eq!(id("remember").1, id("request").0);
    assert_eq!(id("load").1, id("remember").0);
    assert_eq!(id("query").1, id("load").0);
    let traces: Vec<_> = spans.iter().map(|span| span.span_context.trace_id()).collect();
    assert!(traces.iter().all(|trace| *trace == traces[0]));
}

async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn otel_a_key_is_in_no_attribute_unless_it_is_asked_for() {
    for has_keys in [false, true] {
        let world = world(has_keys);
        block_on(world.cache.get::<u32>("secret-key")).unwrap();
        let spans = world.spans();
        assert_eq!(format!("{spans:?}").contains("secret-key"), has_keys);
        let keys: Vec<_> = spans.iter().filter_map(|span| attribute(span, "cache.key")).collect();
        assert_eq!(keys.len(), if has_keys { 2 } else { 0 });
    }
}

#[test]
fn otel_a_batch_says_how_many_keys_it_has_and_how_they_ended() {
    let world = world(false);
    block_on(world.cache.get_many::<u32>(["k", "a", "b"])).unwrap();
    block_on(world.cache.get_many::<u32>(["k"])).unwrap();
    let spans = world.spans();
    let of = |at: usize, name: &str| attribute(&spans[at], name);
    assert_eq!(of(1, "db.operation.batch.size").as_deref(), Some("3"));
    assert_eq!(of(1, "cache.keys.hit").as_deref(), Some("1"));
    assert_eq!(of(1, "cache.keys.miss").as_deref(), Some("2"));
    assert_eq!(
        of(3, "db.operation.batch.size"),
        None,
        "one is no batch to the convention"
    );
}

#[test]
fn otel_a_stale_answer_says_how_old_it_is_and_a_value_how_long() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let clock = ManualClock::new();
    let cache = Cache::builder(MemoryBackend::with_clock(clock.clone()))
        .clock(clock.clone())
        .load_options(LoadOptions::new().stale_if_error("10m"))
        .hook(OpenTelemetryHook::builder().tracer_provider(&provider).build())
        .build()
        .unwrap();
    block_on(async {
        cache.remember("k", 60, async || Ok::<_, ()>(1_u32)).await.unwrap();
        clock.advance(Duration::from_secs(65));
        cache.remember("k", 60, async || Err::<u32, _>(())).await.unwrap();
    });
    let spans = exporter.get_finished_spans().unwrap();
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "remember").collect();
    assert_eq!(attribute(calls[0], "cache.serialized_bytes").as_deref(), Some("1"));
    assert!(attribute(calls[0], "cache.stored_bytes").is_some());
    assert_eq!(attribute(calls[1], "cache.outcome").as_deref(), Some("stale"));
    assert_eq!(attribute(calls[1], "cache.stale_age").as_deref(), Some("5"));
}

#[test]
fn otel_metrics_have_the_names_the_units_and_the_attributes_of_the_conventions() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.clone())
        .build();
    let hook = OpenTelemetryHook::builder()
        .meter_provider(&provider)
        .namespace("3")
        .build();
    let backend = MemoryBackend::new();
    let cache = Cache::builder(backend.clone())
        .name("users")
        .hook(hook)
        .build()
        .unwrap();
    let options = LoadOptions::new();
    block_on(async {
        cache.set("k", &1, 60).await.unwrap();
        cache.get::<u32>("k").await.unwrap();
        let load = || async { Ok::<_, ()>(Loaded::value(2_u32)) };
        cache.remember_with("new", 60, &options, load).await.unwrap();
        backend.faults().fail_all(ErrorKind::Connection);
        cache.get::<u32>("k").await.unwrap_err();
    });
    provider.force_flush().unwrap();
    let mut units = BTreeMap::new();
    let mut durations = Vec::new();
    for resource in exporter.get_finished_metrics().unwrap() {
        for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
            units.insert(metric.name().to_owned(), metric.unit().to_owned());
            if metric.name() != "db.client.operation.duration" {
                continue;
            }
            let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else {
                panic!("it is a histogram of seconds");
            };
            for point in histogram.data_points() {
                let mut attributes: Vec<_> = (point.attributes())
                    .map(|attribute| format!("{}={}", attribute.key, attribute.value))
                    .collect();
                attributes.sort();
                durations.push(format!("{} {}", point.count(), attributes.join(" ")));
            }
        }
    }
    durations.sort();
    let common = "db.namespace=3 db.operation.name";
    assert_eq!(
        durations,
        [
            format!("1 cache.name=users cache.outcome=done {common}=set db.system.name=larder"),
            format!("1 cache.name=users cache.outcome=failed {common}=get db.system.name=larder error.type=connection"),
            format!("1 cache.name=users cache.outcome=hit {common}=get db.system.name=larder"),
            format!("1 cache.name=users cache.outcome=loaded {common}=remember db.system.name=larder"),
        ]
    );
    let units: Vec<_> = units.iter().map(|(name, unit)| format!("{name} {unit}")).collect();
    assert_eq!(
        units,
        [
            "cache.keys {key}",
            "cache.load.duration s",
            "cache.value_bytes By",
            "db.client.operation.duration s",
        ]
    );
}
