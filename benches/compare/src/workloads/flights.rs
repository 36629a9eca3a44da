//! What more loads at the same time cost, each of another key: the table of the flights.
//!
//! A task that waits costs time and memory too; the same number of tasks that only wait stand beside it.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use larder::Cache;
use larder_local::LocalBackend;
use tokio::sync::Barrier;

use super::growth::{in_child, peak_mebibytes};
use crate::{
    measure::Row,
    race::{Results, guarded},
};

/// A process that takes longer is stuck.
const LIMIT: Duration = Duration::from_secs(60);
/// From here on a key's share of the pages that the system hands out is a figure.
const MEASURABLE: usize = 1_000;

/// Microseconds and bytes per key of as many loads at the same time.
pub(crate) async fn measure(size: usize, rounds: usize) -> Results {
    let mut results = Results::default();
    for contender in ["larder", "tasks alone"] {
        let rows = guarded(LIMIT, rows(contender, size, rounds)).await;
        results.take("growth/flights time", size, contender, rows);
    }
    results
}

async fn rows(contender: &str, size: usize, rounds: usize) -> Vec<Row> {
    let mut figures = Vec::new();
    for _ in 0..rounds {
        figures.push(in_child("flights", contender, "-", size).await);
    }
    let per_key = |which: usize, scale: f64| figures.iter().map(|f| f[which] * scale / size as f64).collect();
    let row =
        |part: &str, unit: &str, values| Row::of(&format!("growth/flights {part}"), size, contender, unit, values);
    let mut rows = vec![row("time", "us/key", per_key(0, 1e6))];
    if size >= MEASURABLE {
        rows.push(row("memory", "bytes/key", per_key(1, 1024.0 * 1024.0)));
    }
    rows
}

/// What the child does: prints seconds and MiB.
pub(crate) async fn child(contender: &str, size: usize) {
    let backend = LocalBackend::with_capacity(2 * size + 1_000);
    let cache = Cache::builder(backend).prefix("flights").build();
    let cache = cache.expect("the settings are in range");
    // A load before, so that nothing is counted that is made once.
    let warm = cache.remember("warm", 60, async || Ok::<_, Infallible>(1)).await;
    assert_eq!(warm.ok(), Some(1));
    let idle = peak_mebibytes();
    let together = Arc::new(Barrier::new(size));
    let began = Instant::now();
    let tasks: Vec<_> = (0..size)
        .map(|n| {
            let (cache, together) = (cache.clone(), Arc::clone(&together));
            let remembers = contender == "larder";
            tokio::spawn(async move {
                // No load ends before all have begun.
                let load = async || {
                    together.wait().await;
                    Ok::<_, Infallible>(n)
                };
                if remembers {
                    cache.remember(&format!("key:{n}"), 60, load).await.ok()
                } else {
                    load().await.ok()
                }
            })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.expect("no load panics"), Some(n));
    }
    println!("{} {}", began.elapsed().as_secs_f64(), peak_mebibytes() - idle);
}
