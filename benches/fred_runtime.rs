//! What a thread of its own costs the client of larder-fred, against the runtime of its callers:
//! `cargo bench --bench fred_runtime`.
//!
//! Reads 100 bytes over loopback from as many tasks as said, and prints the medians of five rounds that alternate
//! between the two. Only the ratios say anything on another machine.

use std::time::{Duration, Instant};

use larder::{CacheBackend, Expiry, SetOptions};
use larder_fred::{ConnectionManager, FredBackend, RedisConfig};
use testkit::RedisServer;
use tokio::runtime::{Builder, Runtime};

const KEYS: usize = 1_000;
const ROUNDS: usize = 5;

fn main() {
    let server = RedisServer::start();
    println!("workers  tasks  shared calls/s   p99        own calls/s   p99        own/shared");
    for workers in [1, 2, 4] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let [shared, own] = [true, false].map(|shared| runtime.block_on(connected(&server, shared)));
        for tasks in [1, 16, 128] {
            compare(&runtime, &shared, &own, workers, tasks);
        }
    }
}

async fn connected(server: &RedisServer, shared: bool) -> FredBackend {
    let config = RedisConfig::from_url(&server.url()).expect("the URL is well-formed");
    let manager = ConnectionManager::from_config_strict(config.with_shared_runtime(shared)).await;
    let backend = manager.expect("the server is there").backend();
    for key in 0..KEYS {
        let forever = SetOptions::new(Expiry::Never);
        let written = backend.set(&key.to_string(), vec![7; 100].into(), forever).await;
        written.expect("the server takes every write");
    }
    backend
}

fn compare(runtime: &Runtime, shared: &FredBackend, own: &FredBackend, workers: usize, tasks: usize) {
    let calls = if tasks == 1 { 20_000 } else { 100_000 };
    // The first of each warms up.
    let rounds = (0..=ROUNDS).map(|_| [shared, own].map(|backend| measure(runtime, backend, tasks, calls)));
    let rounds: Vec<_> = rounds.skip(1).collect();
    let [(shared, shared_p99), (own, own_p99)] = [0, 1].map(|which| {
        let mut rates: Vec<f64> = rounds.iter().map(|round| round[which].0).collect();
        let mut tails: Vec<Duration> = rounds.iter().map(|round| round[which].1).collect();
        rates.sort_by(f64::total_cmp);
        tails.sort();
        (rates[ROUNDS / 2], tails[ROUNDS / 2])
    });
    let ratio = own / shared;
    println!("{workers:7}  {tasks:5}  {shared:14.0}  {shared_p99:9.1?}  {own:11.0}  {own_p99:9.1?}  {ratio:10.2}");
}

/// The calls per second of one round, and the time within which 99 of 100 were answered.
fn measure(runtime: &Runtime, backend: &FredBackend, tasks: usize, calls: usize) -> (f64, Duration) {
    let began = Instant::now();
    let mut times = runtime.block_on(async {
        let reading: Vec<_> = (0..tasks)
            .map(|task| tokio::spawn(read(backend.clone(), task, calls / tasks)))
            .collect();
        let mut times = Vec::with_capacity(calls);
        for task in reading {
            times.extend(task.await.expect("no read fails"));
        }
        times
    });
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let rate = calls as f64 / began.elapsed().as_secs_f64();
    times.sort();
    (rate, times[times.len() * 99 / 100])
}

async fn read(backend: FredBackend, task: usize, calls: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(calls);
    for call in 0..calls {
        let key = ((task + call) % KEYS).to_string();
        let began = Instant::now();
        let found = backend.get(&key).await.expect("the server answers");
        times.push(began.elapsed());
        assert!(found.is_some());
    }
    times
}
