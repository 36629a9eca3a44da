//! What more loads at the same time cost, each of another key: the table of the flights.
//!
//! A task that waits costs time and memory too; the same number of tasks that only wait stand beside it.

use std::{convert::Infallible, sync::Arc, time::Instant};

use larder::Cache;
use larder_local::LocalBackend;
use tokio::sync::Barrier;

use super::growth::{flights_in_child, peak_mebibytes};
use crate::measure::Row;

const SIZES: [usize; 6] = [1, 10, 100, 1_000, 10_000, 100_000];
/// From here on a key's share of the pages that the system hands out is a figure.
const MEASURABLE: usize = 1_000;

/// Microseconds and bytes per key of as many loads at the same time.
pub(crate) fn race(rounds: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for size in SIZES {
        for (contender, call) in [("larder", "remember"), ("tasks alone", "tasks")] {
            let figures: Vec<[f64; 2]> = (0..rounds).map(|_| flights_in_child(call, size)).collect();
            let per_key = |which: usize, scale: f64| figures.iter().map(|f| f[which] * scale / size as f64).collect();
            rows.push(Row::of(
                "growth/flights time",
                size,
                contender,
                "us/key",
                per_key(0, 1e6),
            ));
            if size >= MEASURABLE {
                let bytes = per_key(1, 1024.0 * 1024.0);
                rows.push(Row::of("growth/flights memory", size, contender, "bytes/key", bytes));
            }
        }
    }
    rows
}

/// What the child does: prints seconds and MiB.
pub(crate) async fn child(call: &str, size: usize) {
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
            let remembers = call == "remember";
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
