//! Hits in the process.

use std::{
    panic::resume_unwind,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use futures::{FutureExt, executor::block_on};
use tokio::runtime::Handle;

use crate::{
    contender::Local,
    measure::{Figure, joined},
    payload::{Payload, User},
    race::{Lane, Turn},
};

const KEYS: usize = 10_000;
/// Twice the keys, so that nothing is evicted.
pub(crate) const CAPACITY: usize = 2 * KEYS;

/// Looks at the time only every so many calls.
const STRIDE: usize = 64;

/// `threads` threads read keys that are all there: nanoseconds a call.
pub(crate) fn lane<L: Local>(contender: &str, map: L, threads: usize) -> Lane {
    let name = contender.to_owned();
    Lane::new(contender, async move { Ok(prepare(&name, map, threads).await) })
}

async fn prepare<L: Local>(contender: &str, map: L, threads: usize) -> Turn {
    let keys: Arc<Vec<String>> = Arc::new((0..KEYS).map(|n| format!("user:{n}")).collect());
    for (n, key) in keys.iter().enumerate() {
        map.set(key, &User::numbered(n)).await;
    }
    for key in keys.iter() {
        assert!(map.get(key).await, "{contender} has lost {key}");
    }
    let map = Arc::new(map);
    Box::new(move |time| {
        let (map, keys) = (Arc::clone(&map), Arc::clone(&keys));
        let turn = move || {
            // The caches hold the maps of others: each key is read once before it counts.
            let (calls, took) = on_threads(threads, KEYS, time, |thread, n| {
                let (map, key) = (&map, &keys[(thread * 5_003 + n * 7_919) % KEYS]);
                async move { assert!(map.get(key).await, "every get is a hit") }
            });
            let time = took.as_secs_f64() * 1e9 / calls as f64;
            vec![Figure::new(time, "ns").of(calls)]
        };
        joined(tokio::task::spawn_blocking(turn)).boxed()
    })
}

/// Makes calls from threads of their own until `time` is over, after some that do not count; how many, and how long the
/// threads took for them, all together.
pub(crate) fn on_threads<F, Fut>(threads: usize, uncounted: usize, time: Duration, call: F) -> (usize, Duration)
where
    F: Fn(usize, usize) -> Fut + Sync,
    Fut: Future<Output = ()>,
{
    let stop = AtomicBool::new(false);
    let start = Barrier::new(threads + 1);
    let runtime = Handle::current();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (stop, start, call, runtime) = (&stop, &start, &call, runtime.clone());
                scope.spawn(move || {
                    let _entered = runtime.enter();
                    block_on(async {
                        for n in 0..uncounted {
                            call(thread, n).await;
                        }
                        start.wait();
                        let began = Instant::now();
                        let mut made = 0;
                        while !stop.load(Ordering::Relaxed) {
                            for n in made..made + STRIDE {
                                call(thread, n).await;
                            }
                            made += STRIDE;
                        }
                        (made, began.elapsed())
                    })
                })
            })
            .collect();
        start.wait();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let ended = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.fold((0, Duration::ZERO), |(calls, sum), (made, took)| {
            (calls + made, sum + took)
        })
    })
}
