//! Counting in the process, and through the facade.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use futures::executor::block_on;
use larder::{
    Cache, ErrorKind, Hook, LoadOptions, ManualClock, MetricsCollector, MetricsHook, OperationKind, OperationOutcome,
};
use larder_memory::MemoryBackend;
use metrics_exporter_prometheus::PrometheusBuilder;
use testkit::RedisServer;

use crate::{
    docs::{Documented, documented, panels},
    table::{prepared, rows},
};

#[path = "../../examples/metrics.rs"]
#[expect(dead_code, reason = "its main is the example's")]
mod example;

fn collected(metrics: &MetricsCollector) -> (MemoryBackend, ManualClock, Cache<MemoryBackend>) {
    let clock = ManualClock::new();
    let backend = MemoryBackend::with_clock(clock.clone());
    let cache = Cache::builder(backend.clone())
        .clock(clock.clone())
        .prefix("app")
        .default_ttl("1m")
        .hook(metrics.clone())
        .build()
        .unwrap();
    (backend, clock, cache)
}

#[test]
fn metrics_of_a_collector_count_every_call_by_its_outcome() {
    for row in rows() {
        let metrics = MetricsCollector::new();
        let (backend, _, cache) = collected(&metrics);
        block_on(prepared(&cache.with_hooks([])));
        block_on((row.run)(cache.clone()));
        backend.faults().fail_all(ErrorKind::Timeout);
        block_on((row.run)(cache));
        let snapshot = metrics.snapshot();
        let outcome = row.success.rsplit(':').next().unwrap();
        assert_eq!(snapshot.operations(row.kind.as_str(), outcome), 1, "{snapshot}");
        assert_eq!(snapshot.operations(row.kind.as_str(), "failed"), 1, "{snapshot}");
        let calls: u64 = (snapshot.operations.iter())
            .filter(|stats| !stats.operation.contains("load"))
            .map(|stats| stats.count)
            .sum();
        assert_eq!(calls, 2, "{snapshot}");
    }
}

#[test]
fn metrics_of_a_collector_have_the_hit_ratio_and_the_quantiles() {
    let metrics = MetricsCollector::new();
    assert_eq!(metrics.hit_ratio(), None);
    let (backend, clock, cache) = collected(&metrics);
    let stale = LoadOptions::new().stale_if_error("10m");
    block_on(async {
        cache.set("k", &1, 600).await.unwrap();
        cache.get_many::<u32>(["k", "a", "b"]).await.unwrap();
        cache.remember("k", 60, async || Ok::<u32, ()>(1)).await.unwrap();
        for _ in 0..2 {
            let load = async || Err::<larder::Loaded<u32>, _>("away");
            let _ = cache.remember_with("new", 60, &stale, load).await;
        }
        assert_eq!(metrics.hit_ratio(), Some(0.5), "two of four; failures do not count");

        for millis in [1_u64; 98].into_iter().chain([100, 200]) {
            let gate = backend.faults().hold();
            let mut call = Box::pin(cache.exists("k"));
            assert!(futures::poll!(&mut call).is_pending());
            clock.advance(Duration::from_millis(millis));
            drop(gate);
            call.await.unwrap();
        }
    });
    let snapshot = metrics.snapshot();
    let exists = (snapshot.operations.iter())
        .find(|stats| stats.operation == "exists")
        .unwrap();
    let is_near = |span: Duration, millis: f64| (span.as_secs_f64() * 1000.0 / millis - 1.0).abs() < 0.033;
    assert_eq!(exists.count, 100);
    assert!(is_near(exists.p50, 1.0), "{exists:?}");
    assert!(is_near(exists.p95, 1.0), "{exists:?}");
    assert!(is_near(exists.p99, 100.0), "{exists:?}");
    assert!(is_near(exists.max, 200.0), "{exists:?}");
    assert!(is_near(exists.mean, 3.98), "{exists:?}");
}

/// Of the collector and of the dashboard.
#[test]
fn metrics_every_call_that_asks_for_values_is_in_the_hit_ratio() {
    let mut asks = BTreeSet::new();
    for row in rows() {
        let metrics = MetricsCollector::new();
        let (_, _, cache) = collected(&metrics);
        block_on(prepared(&cache.with_hooks([])));
        assert!(block_on((row.run)(cache)));
        let answers_values = (metrics.snapshot().keys.iter()).any(|keys| {
            let is_answer = ["hit", "miss", "loaded"].contains(&keys.outcome);
            is_answer && keys.operation == row.kind.as_str()
        });
        let answers_values = answers_values && !matches!(row.kind, OperationKind::Exists | OperationKind::Ttl);
        assert_eq!(metrics.hit_ratio().is_some(), answers_values, "{:?}", row.kind);
        if answers_values {
            asks.insert(row.kind.as_str().to_owned());
        }
    }
    for (title, query) in panels() {
        if title == "Hit ratio" {
            let counted = query.values.into_iter().filter(|(label, _)| label == "operation");
            assert_eq!(counted.map(|(_, value)| value).collect::<BTreeSet<_>>(), asks);
        }
    }
}

#[test]
fn metrics_of_a_collector_print_as_a_table_and_serialize() {
    let metrics = MetricsCollector::with_backend_calls();
    let (_, clock, cache) = collected(&metrics);
    block_on(async {
        cache.set("k", &1, 60).await.unwrap();
        cache.get::<u32>("k").await.unwrap();
    });
    clock.advance(Duration::from_secs(1));
    let snapshot = metrics.snapshot();
    assert_eq!(
        snapshot.to_string(),
        "\
operation              outcome           count       mean        p50        p95        p99        max
get                    hit                   1      0.0ns      0.0ns      0.0ns      0.0ns      0.0ns
set                    done                  1      0.0ns      0.0ns      0.0ns      0.0ns      0.0ns
backend_get            hit                   1      0.0ns      0.0ns      0.0ns      0.0ns      0.0ns
backend_set            done                  1      0.0ns      0.0ns      0.0ns      0.0ns      0.0ns
hit ratio 100.0 %"
    );
    let json = serde_json::to_value(&snapshot).unwrap();
    assert_eq!(json["operations"][0]["operation"], "get");
    assert_eq!(json["operations"][0]["p99"], 0.0);
    assert_eq!(json["keys"][0]["count"], 1);
}

#[test]
fn metrics_of_a_collector_lose_nothing_under_threads() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 1_000;
    let metrics = MetricsCollector::new();
    let (_, _, cache) = collected(&metrics);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..CALLS {
                    cache.blocking().get::<u32>("none").unwrap();
                }
            });
        }
    });
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.operations("get", "miss"), THREADS * CALLS);
    assert_eq!(snapshot.keys("get", "miss"), THREADS * CALLS);
}

/// Those that the dashboard may ask for.
const OUTCOMES: [OperationOutcome; 10] = [
    OperationOutcome::Hit,
    OperationOutcome::Miss,
    OperationOutcome::Negative,
    OperationOutcome::Stale { age: Duration::ZERO },
    OperationOutcome::Coalesced,
    OperationOutcome::Loaded,
    OperationOutcome::FillVoided,
    OperationOutcome::Bypassed,
    OperationOutcome::Undecodable,
    OperationOutcome::Fallback,
];

/// Reads what a scrape says: for each metric its type, and for each sample its labels.
#[derive(Default)]
struct Scraped {
    types: BTreeMap<String, String>,
    labels: BTreeMap<String, BTreeSet<String>>,
}

fn scraped(text: &str) -> Scraped {
    let mut scraped = Scraped::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            scraped.types.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') && !line.is_empty() {
            let (name, rest) = line.split_once('{').unwrap();
            let (labels, _) = rest.rsplit_once('}').unwrap();
            let names = labels
                .split("\",")
                .map(|label| label.split('=').next().unwrap().to_owned());
            scraped.labels.entry(name.to_owned()).or_default().extend(names);
        }
    }
    scraped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_of_the_example_are_scraped_over_http_and_are_those_of_the_docs_and_the_dashboard() {
    let address = SocketAddr::from(([127, 0, 0, 1], RedisServer::reserve_port()));
    example::serve(address).await.unwrap();
    let url = format!("http://{address}/metrics");
    let text =
        tokio::task::spawn_blocking(move || ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap())
            .await
            .unwrap();
    let scraped = scraped(&text);

    let exported: BTreeSet<Documented> = (scraped.types.iter())
        .map(|(name, kind)| {
            let sample = if kind == "histogram" {
                format!("{name}_count")
            } else {
                name.clone()
            };
            Documented {
                name: name.clone(),
                kind: kind.clone(),
                labels: scraped.labels[&sample].clone(),
            }
        })
        .collect();
    let documented: BTreeSet<Documented> = documented().into_iter().map(|(metric, _)| metric).collect();
    assert_eq!(exported, documented, "{text}");

    let panels = panels();
    assert!(panels.len() >= 20, "{panels:?}");
    for (title, query) in &panels {
        for name in &query.metrics {
            let labels = scraped.labels.get(name);
            let labels = labels.unwrap_or_else(|| panic!("{title}: {name} is not exported"));
            for label in &query.labels {
                assert!(
                    labels.contains(label),
                    "{title}: {name} has no label {label}: {labels:?}"
                );
            }
        }
        for (label, value) in &query.values {
            let is_known = match label.as_str() {
                "operation" => OperationKind::ALL.iter().any(|kind| kind.as_str() == value),
                "outcome" => OUTCOMES.iter().any(|outcome| outcome.as_str() == value),
                other => panic!("{title}: {other} is compared to {value}"),
            };
            assert!(is_known, "{title}: no {label} is called {value}");
        }
    }
    let shown: BTreeSet<&str> = (panels.iter())
        .flat_map(|(_, query)| query.metrics.iter())
        .map(|name| name.trim_end_matches("_bucket").trim_end_matches("_count"))
        .collect();
    for name in scraped.types.keys() {
        assert!(shown.contains(name.as_str()), "the dashboard shows nothing of {name}");
    }
}

#[test]
fn metrics_have_the_units_that_the_docs_say() {
    #[derive(Default)]
    struct Units(parking_lot::Mutex<BTreeMap<String, String>>);

    impl Units {
        fn add(&self, name: &metrics::KeyName, unit: Option<metrics::Unit>) {
            let unit = unit.map(|unit| unit.as_str().to_owned());
            self.0.lock().insert(name.as_str().to_owned(), unit.unwrap_or_default());
        }
    }

    impl metrics::Recorder for Units {
        fn describe_counter(&self, name: metrics::KeyName, unit: Option<metrics::Unit>, _: metrics::SharedString) {
            self.add(&name, unit);
        }

        fn describe_gauge(&self, name: metrics::KeyName, unit: Option<metrics::Unit>, _: metrics::SharedString) {
            self.add(&name, unit);
        }

        fn describe_histogram(&self, name: metrics::KeyName, unit: Option<metrics::Unit>, _: metrics::SharedString) {
            self.add(&name, unit);
        }

        fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
            metrics::Counter::noop()
        }

        fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
            metrics::Gauge::noop()
        }

        fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
            metrics::Histogram::noop()
        }
    }

    let units = Units::default();
    metrics::with_local_recorder(&units, MetricsHook::new);
    let documented: BTreeMap<_, _> = (documented().into_iter())
        .map(|(metric, unit)| (metric.name, unit))
        .collect();
    assert_eq!(*units.0.lock(), documented);
}

#[test]
fn metrics_of_the_facade_count_every_call_once_and_name_no_key() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let exporter = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        for row in rows() {
            let backend = MemoryBackend::new();
            let cache = Cache::builder(backend)
                .name("users")
                .prefix("app")
                .default_ttl("1m")
                .build()
                .unwrap();
            block_on(prepared(&cache));
            let cache = cache.with_hooks([Arc::new(MetricsHook::with_backend_calls()) as Arc<dyn Hook>]);
            block_on((row.run)(cache));
        }
    });
    let text = exporter.render();
    for row in rows() {
        let outcome = row.success.rsplit(':').next().unwrap();
        let kind = row.kind.as_str();
        let sample = format!(r#"larder_operations_total{{cache="users",operation="{kind}",outcome="{outcome}"}} 1"#);
        assert!(text.contains(&sample), "{sample}\n{text}");
    }
    assert!(!text.contains("app:") && !text.contains(r#""k""#), "{text}");
}
