use std::{fmt, time::Duration};

use histogram::Histogram;
use serde::Serialize;

use crate::hook::OperationKind;

/// What a [`MetricsCollector`](crate::MetricsCollector) has counted up to one moment.
///
/// Prints as a table, and is serialized with all its fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// Operations, by kind and outcome.
    pub operations: Vec<OperationStats>,
    /// Keys of operations, by kind and outcome: a batch counts one for each of its keys.
    pub keys: Vec<KeyStats>,
    /// The bytes of values, by kind of operation.
    pub values: Vec<ValueStats>,
    /// Events.
    pub signals: Vec<SignalStats>,
}

/// The operations of one kind that had one outcome. Durations are in seconds when they are serialized.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OperationStats {
    /// The kind: [`OperationKind::as_str`](crate::OperationKind::as_str).
    pub operation: &'static str,
    /// The outcome: [`OperationOutcome::as_str`](crate::OperationOutcome::as_str).
    pub outcome: &'static str,
    /// How many there were.
    pub count: u64,
    /// How long they took on average.
    #[serde(serialize_with = "seconds")]
    pub mean: Duration,
    /// The median of how long they took.
    #[serde(serialize_with = "seconds")]
    pub p50: Duration,
    /// How long all but the slowest 5 % took at most.
    #[serde(serialize_with = "seconds")]
    pub p95: Duration,
    /// How long all but the slowest 1 % took at most.
    #[serde(serialize_with = "seconds")]
    pub p99: Duration,
    /// How long the slowest took at most.
    #[serde(serialize_with = "seconds")]
    pub max: Duration,
}

/// The keys of the operations of one kind that had one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyStats {
    /// The kind: [`OperationKind::as_str`](crate::OperationKind::as_str).
    pub operation: &'static str,
    /// The outcome: [`OperationOutcome::as_str`](crate::OperationOutcome::as_str).
    pub outcome: &'static str,
    /// How many there were.
    pub count: u64,
}

/// The values that the operations of one kind have read or written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ValueStats {
    /// The kind: [`OperationKind::as_str`](crate::OperationKind::as_str).
    pub operation: &'static str,
    /// Their bytes, serialized and not compressed.
    pub serialized_bytes: u64,
    /// The bytes of their entries, compressed and with headers.
    pub stored_bytes: u64,
    /// Entries that could not be decoded.
    pub undecodable: u64,
}

/// The events of one kind, and of one outcome or state where they have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SignalStats {
    /// The name: `background_loads`, `lease_waits`, `fallback_answers`, `breaker_changes`, `fallback_switches`,
    /// `journal_replayed`, `journal_overflowed`.
    pub name: &'static str,
    /// The outcome or the state; empty where there is none.
    pub value: &'static str,
    /// How many there were.
    pub count: u64,
}

fn seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

impl OperationStats {
    pub(super) fn of(operation: &'static str, outcome: &'static str, nanos: u64, histogram: &Histogram) -> Self {
        let count: u64 = histogram.as_slice().iter().sum();
        let at = |quantile: f64| {
            let bucket = histogram.quantile_bucket(quantile).ok().flatten();
            Duration::from_nanos(bucket.map_or(0, |bucket| bucket.end()))
        };
        Self {
            operation,
            outcome,
            count,
            mean: Duration::from_nanos(nanos.checked_div(count).unwrap_or(0)),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

impl MetricsSnapshot {
    /// The share of the keys asked for that the cache had an answer to, from 0 to 1; `None` where none was asked for.
    ///
    /// Values, cached `None`s and stale values count as answers; what was missing, could not be decoded, or was loaded
    /// does not. Keys that failed, or were answered by a fallback policy, are not counted.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let (mut hits, mut asked) = (0, 0);
        for keys in self.keys.iter().filter(|keys| READS.contains(&keys.operation)) {
            match keys.outcome {
                "hit" | "negative" | "stale" => {
                    hits += keys.count;
                    asked += keys.count;
                }
                "miss" | "undecodable" | "loaded" | "coalesced" | "fill_voided" | "bypassed" => asked += keys.count,
                _ => {}
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more")]
        (asked > 0).then(|| hits as f64 / asked as f64)
    }

    /// How many operations of this name had this outcome.
    #[must_use]
    pub fn operations(&self, operation: &str, outcome: &str) -> u64 {
        let stats = (self.operations.iter()).find(|stats| stats.operation == operation && stats.outcome == outcome);
        stats.map_or(0, |stats| stats.count)
    }

    /// How many keys of operations of this name had this outcome.
    #[must_use]
    pub fn keys(&self, operation: &str, outcome: &str) -> u64 {
        let stats = (self.keys.iter()).find(|stats| stats.operation == operation && stats.outcome == outcome);
        stats.map_or(0, |stats| stats.count)
    }
}

/// The calls that ask for values.
const READS: [&str; 10] = [
    OperationKind::Get.as_str(),
    OperationKind::GetShared.as_str(),
    OperationKind::Lookup.as_str(),
    OperationKind::Peek.as_str(),
    OperationKind::GetMany.as_str(),
    OperationKind::GetManyResults.as_str(),
    OperationKind::Pull.as_str(),
    OperationKind::Remember.as_str(),
    OperationKind::RememberMany.as_str(),
    OperationKind::RememberDetached.as_str(),
];

impl fmt::Display for MetricsSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22} {:<12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "operation", "outcome", "count", "mean", "p50", "p95", "p99", "max"
        )?;
        for stats in &self.operations {
            let spans = [stats.mean, stats.p50, stats.p95, stats.p99, stats.max];
            let [mean, p50, p95, p99, max] = spans.map(|span| format!("{span:.1?}"));
            writeln!(
                f,
                "{:<22} {:<12} {:>10} {mean:>10} {p50:>10} {p95:>10} {p99:>10} {max:>10}",
                stats.operation, stats.outcome, stats.count,
            )?;
        }
        for stats in &self.signals {
            writeln!(f, "{:<22} {:<12} {:>10}", stats.name, stats.value, stats.count)?;
        }
        match self.hit_ratio() {
            Some(ratio) => write!(f, "hit ratio {:.1} %", ratio * 100.0),
            None => f.write_str("hit ratio unknown"),
        }
    }
}
