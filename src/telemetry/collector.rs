use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use histogram::AtomicHistogram;

use super::{
    signal::{Signal, SignalKind},
    snapshot::{KeyStats, MetricsSnapshot, OperationStats, SignalStats, ValueStats},
};
use crate::hook::{Ending, Event, Hook, Operation, OperationKind, OperationOutcome};

/// Counts in the process what caches do, and how long it takes.
///
/// A handle: clones count into the same numbers, so one goes to
/// [`CacheBuilder::hook`](crate::CacheBuilder::hook) and one stays with whoever reads them. Give each cache a collector
/// of its own to tell them apart.
///
/// Counting takes no lock. Durations go into histograms whose buckets are at most 3.2 % wide, up to 18 minutes, with
/// 9 KiB for each operation and outcome that there was.
///
/// # Examples
///
/// ```
/// use larder::{Cache, MetricsCollector};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let metrics = MetricsCollector::new();
/// let cache = Cache::builder(MemoryBackend::new()).hook(metrics.clone()).build()?;
/// cache.set("a", &1, 60).await?;
/// cache.get::<u32>("a").await?;
/// cache.get_many::<u32>(["a", "b", "c"]).await?;
///
/// let snapshot = metrics.snapshot();
/// assert_eq!(snapshot.hit_ratio(), Some(0.5));
/// assert_eq!(snapshot.operations("get", "hit"), 1);
/// assert_eq!(snapshot.keys("get_many", "miss"), 2);
/// println!("{snapshot}");
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct MetricsCollector {
    inner: Arc<Inner>,
}

struct Inner {
    counts_backend_calls: bool,
    /// By kind and outcome.
    durations: Box<[OnceLock<Durations>]>,
    /// By kind and outcome.
    keys: Box<[AtomicU64]>,
    /// By kind.
    values: Box<[Values]>,
    /// By signal and value of its label.
    signals: Vec<(SignalKind, &'static str, AtomicU64)>,
}

struct Durations {
    nanos: AtomicU64,
    histogram: AtomicHistogram,
}

#[derive(Default)]
struct Values {
    serialized: AtomicU64,
    stored: AtomicU64,
    undecodable: AtomicU64,
}

/// The widest bucket is 1/32 of what it counts.
const GROUPING: u8 = 5;
/// The longest duration, in nanoseconds, as a power of two.
const LONGEST: u8 = 40;

const CELLS: usize = OperationKind::ALL.len() * OperationOutcome::COUNT;

impl Durations {
    fn new() -> Self {
        Self {
            nanos: AtomicU64::new(0),
            histogram: AtomicHistogram::new(GROUPING, LONGEST).expect("the powers are in range"),
        }
    }

    fn record(&self, elapsed: Duration) {
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        let _ = self.histogram.increment(nanos.min((1 << LONGEST) - 1));
    }
}

impl MetricsCollector {
    /// A collector of calls and loads.
    #[must_use]
    pub fn new() -> Self {
        Self::counting(false)
    }

    /// A collector of calls, of loads, and of what is asked of the backend.
    #[must_use]
    pub fn with_backend_calls() -> Self {
        Self::counting(true)
    }

    fn counting(counts_backend_calls: bool) -> Self {
        let signals = SignalKind::ALL.into_iter().flat_map(|kind| {
            let values = kind.label().map_or(&[""][..], |(_, values)| values);
            values.iter().map(move |value| (kind, *value, AtomicU64::new(0)))
        });
        Self {
            inner: Arc::new(Inner {
                counts_backend_calls,
                durations: (0..CELLS).map(|_| OnceLock::new()).collect(),
                keys: (0..CELLS).map(|_| AtomicU64::new(0)).collect(),
                values: OperationKind::ALL.iter().map(|_| Values::default()).collect(),
                signals: signals.collect(),
            }),
        }
    }

    /// The numbers as they are now, since the collector was made. What is being counted meanwhile may be in one of them
    /// and not yet in another.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let inner = &self.inner;
        let mut snapshot = MetricsSnapshot::default();
        for (at, (durations, keys)) in inner.durations.iter().zip(&inner.keys).enumerate() {
            let (kind, index) = (at / OperationOutcome::COUNT, at % OperationOutcome::COUNT);
            let operation = OperationKind::ALL[kind].as_str();
            let outcome = OperationOutcome::NAMES[index];
            if let Some(durations) = durations.get() {
                let nanos = durations.nanos.load(Ordering::Relaxed);
                snapshot.operations.push(OperationStats::of(
                    operation,
                    outcome,
                    nanos,
                    &durations.histogram.load(),
                ));
            }
            let count = keys.load(Ordering::Relaxed);
            if count > 0 {
                snapshot.keys.push(KeyStats {
                    operation,
                    outcome,
                    count,
                });
            }
        }
        for (kind, values) in OperationKind::ALL.iter().zip(&inner.values) {
            let stats = ValueStats {
                operation: kind.as_str(),
                serialized_bytes: values.serialized.load(Ordering::Relaxed),
                stored_bytes: values.stored.load(Ordering::Relaxed),
                undecodable: values.undecodable.load(Ordering::Relaxed),
            };
            if stats.stored_bytes > 0 || stats.undecodable > 0 {
                snapshot.values.push(stats);
            }
        }
        for (kind, value, count) in &inner.signals {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                snapshot.signals.push(SignalStats {
                    name: kind.as_str(),
                    value,
                    count,
                });
            }
        }
        snapshot
    }

    /// The [`hit_ratio`](MetricsSnapshot::hit_ratio) as it is now.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        self.snapshot().hit_ratio()
    }
}

impl Default for MetricsCollector {
    fn default() -> Self {
        Self::new()
    }
}

impl Hook for MetricsCollector {
    fn wants(&self, kind: OperationKind) -> bool {
        self.inner.counts_backend_calls || !kind.is_backend_call()
    }

    fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
        let inner = &self.inner;
        let kind = operation.kind as usize;
        let first = kind * OperationOutcome::COUNT;
        inner.durations[first + ending.outcome.index()]
            .get_or_init(Durations::new)
            .record(ending.elapsed);
        for (keys, count) in inner.keys[first..].iter().zip(ending.counts.all()) {
            if count > 0 {
                keys.fetch_add(count, Ordering::Relaxed);
            }
        }
        let values = &inner.values[kind];
        for (total, count) in [
            (&values.serialized, ending.serialized_bytes.unwrap_or(0)),
            (&values.stored, ending.stored_bytes.unwrap_or(0)),
            (&values.undecodable, ending.undecodable),
        ] {
            if count > 0 {
                total.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    fn event(&self, event: &Event<'_>) {
        let signal = Signal::of(event);
        for (kind, value, count) in &self.inner.signals {
            if *kind == signal.kind && *value == signal.value {
                count.fetch_add(signal.count, Ordering::Relaxed);
            }
        }
    }
}

impl fmt::Debug for MetricsCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MetricsCollector").field(&self.snapshot()).finish()
    }
}
