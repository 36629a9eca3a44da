//! Passwords, keys and values appear nowhere but where they belong. A program of its own, since it listens to all that is
//! logged in its process.

use std::{
    fmt::{Debug, Write as _},
    io,
    sync::Arc,
    time::Duration,
};

use larder::{
    Batched, Breaker, Cache, CacheBackend, Ending, Error, Event, Fallback, Hook, Json, LoadOptions, Loaded,
    MessagePack, MetricsCollector, MetricsHook, NoCompression, OnError, OnUndecodable, OpenTelemetryHook, Operation,
    Serializer, TracingHook,
};
use larder_local::LocalBackend;
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry_sdk::{
    metrics::{InMemoryMetricExporter, SdkMeterProvider},
    trace::{InMemorySpanExporter, SdkTracerProvider},
};
use parking_lot::Mutex;
use testkit::RedisServer;

const PASSWORD: &str = "opensesame";
const KEY: &str = "hidden-key";
const VALUE: &str = "private-value";

/// All that anybody could read.
#[derive(Clone, Default)]
struct Emitted(Arc<Mutex<String>>);

impl Emitted {
    fn note(&self, text: impl Debug) {
        writeln!(self.0.lock(), "{text:?}").unwrap();
    }

    /// The text of an error, with those of all its causes.
    fn error(&self, error: &Error) {
        self.note(error);
        let mut next: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = next {
            writeln!(self.0.lock(), "{error}\n{error:?}").unwrap();
            next = error.source();
        }
    }
}

impl io::Write for Emitted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Notes all that hooks are told, as it prints.
#[derive(Clone)]
struct Told(Emitted);

impl Hook for Told {
    fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
        self.0.note((operation, ending));
    }

    fn event(&self, event: &Event<'_>) {
        self.0.note(event);
    }
}

/// URLs with the password in them that lead nowhere: one whose server refuses it, others that can not be read, and
/// some of servers of another kind than the one at `port`.
fn useless(port: u16) -> Vec<String> {
    vec![
        format!("redis://:{PASSWORD}-not@127.0.0.1:{port}/0"),
        format!("redis://{PASSWORD}@127.0.0.1:{port}/0"),
        format!("redis://:{PASSWORD}@[{PASSWORD}"),
        format!("redis://:{PASSWORD}@"),
        format!("redis://:{PASSWORD}/0@127.0.0.1:{port}/0"),
        format!("redis://127.0.0.1:{PASSWORD}"),
        format!("redis://127.0.0.1:{port}/{PASSWORD}"),
        format!("redis://127.0.0.1:{port}/0?password={PASSWORD}"),
        format!("rediss://:{PASSWORD}@127.0.0.1:{port}/0"),
        format!("redis-cluster://:{PASSWORD}@127.0.0.1:{port}"),
        format!("redis-sentinel://:{PASSWORD}@127.0.0.1:{port}/0?sentinelPassword={PASSWORD}"),
        format!("redis-sentinel://:{PASSWORD}@127.0.0.1/0?sentinelServiceName=x&node={PASSWORD}@localhost"),
        format!(
            "redis-sentinel://:{PASSWORD}@127.0.0.1:{port}/0?sentinelServiceName=x&sentinelUsername={PASSWORD}\
             &sentinelPassword={PASSWORD}"
        ),
    ]
}

/// What a client says of servers that it can not use, and of one that does not know its commands.
macro_rules! refusals {
    ($client:ident, $emitted:expr, $runtime:expr, $port:expr) => {
        for url in useless($port) {
            let refused = $client::ConnectionManager::connect_strict(&url);
            $emitted.error(&$runtime.block_on(refused).expect_err(&url));
            match $client::RedisConfig::from_url(&url) {
                Ok(config) => $emitted.note(config),
                Err(error) => $emitted.error(&error),
            }
        }
        // Such a server quotes the arguments of what it does not know.
        let strange = RedisServer::start_with(&[
            "--requirepass",
            PASSWORD,
            "--rename-command",
            "GET",
            "",
            "--rename-command",
            "SET",
            "",
            "--rename-command",
            "MGET",
            "",
        ]);
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/0", strange.port());
        let manager = $runtime.block_on($client::ConnectionManager::connect(&url)).unwrap();
        let cache = Cache::builder(manager.backend())
            .hook(TracingHook::new())
            .hook(Told($emitted.clone()))
            .build()
            .unwrap();
        $runtime.block_on(use_all(&$emitted, &cache));
        $runtime.block_on(manager.close());
    };
}

/// What is said of a value that is none of the type that was asked for.
async fn misread(
    emitted: &Emitted,
    backend: impl CacheBackend + Clone + 'static,
    serializer: impl Serializer + 'static,
) {
    let cache = Cache::builder(backend)
        .serializer(serializer)
        .compressor(NoCompression)
        .on_undecodable(OnUndecodable::Raise)
        .hook(TracingHook::new())
        .hook(Told(emitted.clone()))
        .build()
        .unwrap();
    cache.set(KEY, VALUE, 60).await.unwrap();
    emitted.error(&cache.get::<u64>(KEY).await.unwrap_err());
    emitted.error(&cache.get_shared::<u64>(KEY).await.unwrap_err());
    emitted.error(&cache.get_many::<u64>([KEY]).await.unwrap_err());
    emitted.error(&cache.pull::<u64>(KEY).await.unwrap_err());
    let unkeyed = std::collections::HashMap::from([((VALUE, 1), 1)]);
    if let Err(error) = cache.set(KEY, &unkeyed, 60).await {
        emitted.error(&error);
    }
}

/// Everything that there is to read of a use of the cache by a server that is there, refuses, and goes away.
#[test]
#[expect(clippy::too_many_lines, reason = "all that is emitted comes together in one text")]
fn secrets_are_in_no_debug_text_error_log_span_or_label() {
    let emitted = Emitted::default();
    let writer = emitted.clone();
    // For this process and all its threads, since clients log from theirs; `log` records too.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();

    let recorder = PrometheusBuilder::new().build_recorder();
    let exporter = recorder.handle();
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let points = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(points.clone())
        .build();
    let (collector, record) = (MetricsCollector::with_backend_calls(), Told(emitted.clone()));
    let otel = OpenTelemetryHook::builder()
        .tracer_provider(&tracers)
        .meter_provider(&meters)
        .build();

    let mut server = RedisServer::start_with(&["--requirepass", PASSWORD]);
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/0", server.port());
    metrics::with_local_recorder(&recorder, || {
        let facade = MetricsHook::with_backend_calls();
        emitted.note((&collector, &otel, facade, TracingHook::new()));
        refusals!(larder_fred, emitted, runtime, server.port());
        refusals!(larder_redis_rs, emitted, runtime, server.port());

        let manager = runtime.block_on(larder_fred::ConnectionManager::connect(&url)).unwrap();
        let other = runtime
            .block_on(larder_redis_rs::ConnectionManager::connect(&url))
            .unwrap();
        emitted.note((&manager, &other));
        let breaker = Breaker::builder(manager.backend())
            .failures(2)
            .name("b")
            .hook(record.clone())
            .build()
            .unwrap();
        let local = LocalBackend::builder().capacity(100).build();
        let layers = Fallback::builder(breaker, local.clone())
            .hook(record.clone())
            .hook(TracingHook::new())
            .build()
            .unwrap();
        let plain = Cache::builder(manager.backend())
            .prefix("app")
            .default_ttl("1m")
            .hook(collector.clone())
            .hook(facade)
            .hook(otel.clone())
            .hook(TracingHook::new())
            .hook(record.clone())
            .build()
            .unwrap();
        let of_other = Cache::builder(Batched::new(other.backend()))
            .hook(collector.clone())
            .hook(facade)
            .hook(otel)
            .hook(TracingHook::new())
            .hook(record.clone())
            .build()
            .unwrap();
        let layered = Cache::builder(layers)
            .prefix("app")
            .hook(TracingHook::new())
            .hook(record.clone())
            .build()
            .unwrap();
        emitted.note((&plain, &of_other, &layered, plain.bind::<String>(KEY), plain.blocking()));
        runtime.block_on(async {
            misread(&emitted, local.clone(), Json).await;
            misread(&emitted, local.clone(), MessagePack).await;
            misread(&emitted, local, larder::Postcard).await;
        });
        for is_down in [false, true] {
            if is_down {
                server.stop();
            }
            runtime.block_on(async {
                use_all(&emitted, &plain).await;
                use_all(&emitted, &of_other).await;
                use_all(&emitted, &layered).await;
            });
        }
    });
    meters.force_flush().unwrap();
    let snapshot = collector.snapshot();
    emitted.note((spans.get_finished_spans(), points.get_finished_metrics(), &snapshot));
    emitted.note((
        exporter.render(),
        snapshot.to_string(),
        serde_json::to_string(&snapshot).unwrap(),
    ));

    let text = emitted.0.lock().clone();
    for expected in [
        "backend_get",
        "cache.outcome",
        "larder_operations_total",
        "fred",
        "unknown command",
        "connection",
    ] {
        assert!(text.contains(expected), "nothing was emitted of {expected}");
    }
    for secret in [PASSWORD, KEY, VALUE] {
        let lines: Vec<_> = text.lines().filter(|line| line.contains(secret)).take(5).collect();
        assert!(lines.is_empty(), "{secret} is in {lines:#?}");
    }
}

async fn use_all<B: CacheBackend + 'static>(emitted: &Emitted, cache: &Cache<B>) {
    let note = |error: Option<Error>| error.iter().for_each(|error| emitted.error(error));
    let value = VALUE.to_owned();
    note(cache.set(KEY, &value, 60).await.err());
    note(cache.get::<String>(KEY).await.err());
    note(cache.get::<u64>(KEY).await.err());
    note(cache.get_shared::<String>(KEY).await.err());
    note(cache.add(KEY, &value, 60).await.err());
    note(cache.set_many([(KEY, &value)], 60).await.err());
    note(cache.get_many::<String>([KEY, "other"]).await.err());
    note(cache.expire(KEY, 30).await.err());
    note(cache.delete_pattern(&format!("{KEY}*")).await.err());
    let options = LoadOptions::new().on_error(OnError::Raise).hard_timeout("5s");
    let load = || async { Ok::<_, String>(Loaded::value(VALUE.to_owned())) };
    let answer = cache.remember_with(KEY, 60, &options, load).await;
    if let Err(error) = answer {
        emitted.note(format!("{error} {error:?}"));
    }
    let fails = || async { Err::<Loaded<String>, _>("the database is away") };
    let failed = cache.remember_detached("failing", 60, &options, fails).await;
    emitted.note(failed.map(drop).map_err(|error| error.to_string()));
    let _ = tokio::time::timeout(Duration::from_secs(5), cache.close()).await;
}
