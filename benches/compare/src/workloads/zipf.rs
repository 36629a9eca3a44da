//! Ninety reads to ten writes over keys as popular as Zipf has it, on a map that holds a tenth of them.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::FutureExt;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::local::on_threads;
use crate::{
    contender::Local,
    measure::{Figure, joined},
    payload::{Payload, User},
    race::{Lane, Turn},
};

const KEYS: usize = 100_000;
/// How many of the keys there is room for.
pub(crate) const CAPACITY: usize = 10_000;
const EXPONENT: f64 = 0.99;
const CALLS: usize = 1 << 20;
const FILL: usize = CALLS / 8;
const SEED: u64 = 8;

/// The calls everybody makes: a key, and whether it is written.
pub(crate) struct Trace {
    keys: Vec<String>,
    calls: Vec<(u32, bool)>,
}

impl Trace {
    pub(crate) fn new() -> Self {
        let mut random = SmallRng::seed_from_u64(SEED);
        let mut sum = 0.0;
        let cumulative: Vec<f64> = (1..=KEYS)
            .map(|rank| {
                sum += (rank as f64).powf(-EXPONENT);
                sum
            })
            .collect();
        let calls = (0..CALLS).map(|_| {
            let drawn = random.random::<f64>() * sum;
            let rank = cumulative.partition_point(|&up_to| up_to < drawn);
            let rank = u32::try_from(rank.min(KEYS - 1)).expect("there are fewer keys");
            (rank, random.random_ratio(1, 10))
        });
        Self {
            calls: calls.collect(),
            // Scattered, so that popular keys are not neighbours in anybody's shards.
            keys: (0..KEYS)
                .map(|rank| format!("item:{}", rank.wrapping_mul(2_654_435_761) % 1_000_003))
                .collect(),
        }
    }
}

/// `threads` threads follow the trace; a read that misses is filled, as cache-aside does. Calls per second, and the share
/// of the reads that hit.
pub(crate) fn lane<L: Local>(contender: &str, map: L, threads: usize, trace: &Arc<Trace>) -> Lane {
    let trace = Arc::clone(trace);
    Lane::new(contender, async move { Ok(prepare(map, threads, trace).await) })
}

async fn prepare<L: Local>(map: L, threads: usize, trace: Arc<Trace>) -> Turn {
    // The map is as full of popular keys as it will be, however slow its turns are.
    for &(rank, _) in &trace.calls[..FILL] {
        let key = &trace.keys[rank as usize];
        if !map.get(key).await {
            map.set(key, &User::numbered(1)).await;
        }
    }
    let map = Arc::new(map);
    let offset = Arc::new(AtomicUsize::new(FILL));
    Box::new(move |time| {
        let (map, trace, offset) = (Arc::clone(&map), Arc::clone(&trace), Arc::clone(&offset));
        let turn = move || {
            // A turn goes on where the last one ended.
            let begin = offset.load(Ordering::Relaxed);
            let (reads, hits) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let user = User::numbered(1);
            let (calls, took) = on_threads(threads, 0, time, |thread, n| {
                let (rank, write) = trace.calls[(begin + thread * CALLS / threads + n) % CALLS];
                let key = &trace.keys[rank as usize];
                let (map, user, reads, hits) = (&map, &user, &reads, &hits);
                async move {
                    if !write {
                        let hit = black_box(map.get(key).await);
                        // One call in eight is counted: counters that threads share cost more than some maps.
                        if n % 8 == 0 {
                            reads.fetch_add(1, Ordering::Relaxed);
                            hits.fetch_add(usize::from(hit), Ordering::Relaxed);
                        }
                        if hit {
                            return;
                        }
                    }
                    map.set(key, user).await;
                }
            });
            offset.fetch_add(calls / threads, Ordering::Relaxed);
            let ratio = 100.0 * hits.into_inner() as f64 / reads.into_inner().max(1) as f64;
            vec![
                Figure::new((calls * threads) as f64 / took.as_secs_f64(), "calls/s"),
                Figure::new(ratio, "%").part("hits"),
            ]
        };
        joined(tokio::task::spawn_blocking(turn)).boxed()
    })
}
