//! What hooks cost a hit, in the process and over loopback: `cargo bench --bench hooks`.
//!
//! Needs a `redis-server`. Compare the rows of one group within one run.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use larder::{Cache, CacheBackend, CacheBuilder, MetricsCollector, OpenTelemetryHook, TracingHook};
use larder_fred::ConnectionManager;
use larder_local::LocalBackend;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{SdkMeterProvider, Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use testkit::RedisServer;
use tokio::runtime::{Builder, Runtime};

/// Takes everything and does nothing with it.
#[derive(Debug)]
struct Discard;

impl SpanExporter for Discard {
    async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

impl PushMetricExporter for Discard {
    async fn export(&self, _metrics: &ResourceMetrics) -> OTelSdkResult {
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::default()
    }
}

fn rows<B: CacheBackend + Clone + 'static>(criterion: &mut Criterion, runtime: &Runtime, group: &str, backend: &B) {
    let tracers = SdkTracerProvider::builder().with_batch_exporter(Discard).build();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(Discard).build();
    let otel = OpenTelemetryHook::builder()
        .tracer_provider(&tracers)
        .meter_provider(&meters)
        .build();
    let builder = || Cache::builder(backend.clone()).prefix("bench");
    let built = |builder: CacheBuilder<B>| builder.build().expect("the settings are in range");
    let caches = [
        ("no hooks", built(builder())),
        ("MetricsCollector", built(builder().hook(MetricsCollector::new()))),
        (
            "MetricsCollector with backend calls",
            built(builder().hook(MetricsCollector::with_backend_calls())),
        ),
        (
            "TracingHook without a subscriber",
            built(builder().hook(TracingHook::new())),
        ),
        (
            "OpenTelemetryHook with exporters that discard",
            built(builder().hook(otel)),
        ),
    ];
    let written = runtime.block_on(caches[0].1.set("user:1", "Ada Lovelace", "1h"));
    written.expect("the backend takes every write");
    let mut group = criterion.benchmark_group(group);
    for (name, cache) in &caches {
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let began = std::time::Instant::now();
                    for _ in 0..times {
                        black_box(cache.get::<String>("user:1").await).expect("the backend answers");
                    }
                    began.elapsed()
                })
            });
        });
    }
    group.finish();
}

fn hooks(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    rows(
        criterion,
        &runtime,
        "hooks on a local hit",
        &LocalBackend::with_capacity(1_000),
    );
    let server = RedisServer::start();
    let manager = runtime.block_on(ConnectionManager::connect_strict(&server.url()));
    let manager = manager.expect("the server is there");
    rows(criterion, &runtime, "hooks on a Redis hit", &manager.backend());
}

criterion_group!(benches, hooks);
criterion_main!(benches);
