//! The two Redis clients side by side: `cargo bench --bench redis_clients`.
//!
//! Prints how many values a second each reads over loopback, in the best of rounds that alternate between the two (what
//! else the machine does only ever slows a round down); what redis-rs gains by sending `set`s together; and what each answers
//! while one primary of a cluster is killed and its replica takes over, both watching the same cluster. Only the ratios say
//! anything on another machine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{CacheBackend, Expiry, Result, SetItem, SetOptions};
use testkit::{RedisCluster, RedisServer};
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

const KEYS: usize = 1_000;
const ROUNDS: usize = 12;

/// The deadline where throughput is measured, which a machine that stalls meets, and the default one.
const PATIENT: Duration = Duration::from_secs(5);
const BRIEF: Duration = Duration::from_millis(250);

/// How long the nodes of the cluster wait for one that is silent.
const NODE_TIMEOUT: Duration = Duration::from_secs(1);

/// The primary that is killed.
const VICTIM: usize = 1;

/// What is counted together, and when the kill comes.
const BUCKET: Duration = Duration::from_millis(250);
const BEFORE: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_secs(5);

fn main() {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    throughput(&runtime);
    writes(&runtime);
    runtime.block_on(failover());
}

async fn fred(url: &str, deadline: Duration) -> Result<larder_fred::FredBackend> {
    let config = larder_fred::RedisConfig::from_url(url)?.with_deadline(deadline);
    let manager = larder_fred::ConnectionManager::from_config_strict(config).await?;
    Ok(manager.backend())
}

async fn redis_rs(url: &str, deadline: Duration, is_shared: bool) -> Result<larder_redis_rs::RedisRsBackend> {
    let config = larder_redis_rs::RedisConfig::from_url(url)?
        .with_deadline(deadline)
        .with_shared_runtime(is_shared);
    let manager = larder_redis_rs::ConnectionManager::from_config_strict(config).await?;
    Ok(manager.backend())
}

fn throughput(runtime: &Runtime) {
    let server = RedisServer::start();
    let (fred, redis_rs) = runtime.block_on(async {
        let url = server.url();
        let connected = futures::try_join!(fred(&url, PATIENT), redis_rs(&url, PATIENT, false));
        connected.expect("the fixture runs")
    });
    println!("   value  tasks  fred calls/s  redis-rs calls/s  redis-rs/fred");
    for size in [100, 10_240] {
        runtime.block_on(fill(&fred, size));
        for tasks in [1, 16, 128, 1_024] {
            let mut rates = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                rates[0].push(runtime.block_on(rate(&fred, tasks)));
                rates[1].push(runtime.block_on(rate(&redis_rs, tasks)));
            }
            let [one, other] = rates.map(|rates| rates.into_iter().fold(0.0, f64::max));
            println!(
                "{size:>6} B  {tasks:>5}  {one:>12.0}  {other:>16.0}  {:>13.2}",
                other / one
            );
        }
    }
}

fn writes(runtime: &Runtime) {
    let server = RedisServer::start();
    println!("\n100 B written, calls/s by themselves, and together to that: median, and the middle half of the rounds");
    println!("runtime  tasks  redis-rs calls/s            together");
    for is_shared in [false, true] {
        let together = runtime.block_on(redis_rs(&server.url(), PATIENT, is_shared));
        let together = together.expect("the fixture runs");
        let alone = together.unbatched();
        for tasks in [16, 32, 128, 1_024] {
            let rounds = (0..ROUNDS).map(|round| pair(runtime, [&alone, &together], tasks, round));
            let (rate, gain) = gains(rounds.collect());
            let name = if is_shared { "shared" } else { "own" };
            println!("{name:>7}  {tasks:>5}  {rate:>16.0}  {gain:>18}");
        }
    }
}

/// The rates of two backends, in an order that changes from round to round: who comes second finds the machine warm.
fn pair<B: CacheBackend + Clone + 'static>(runtime: &Runtime, of: [&B; 2], tasks: usize, round: usize) -> [f64; 2] {
    let mut rates = [0.0; 2];
    for turn in 0..2 {
        let which = (turn + round) % 2;
        rates[which] = runtime.block_on(write_rate(of[which], tasks));
    }
    rates
}

/// The median rate of the first, and what the second makes of it.
fn gains(rounds: Vec<[f64; 2]>) -> (f64, String) {
    let sorted = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures
    };
    let alone = sorted(rounds.iter().map(|[one, _]| *one).collect());
    let ratios = sorted(rounds.into_iter().map(|[one, other]| other / one).collect());
    let at = |quarter: usize| ratios[ratios.len() * quarter / 4];
    let gain = format!("{:.2} x ({:.2} to {:.2})", at(2), at(1), at(3));
    (alone[alone.len() / 2], gain)
}

/// How many values a second so many tasks write.
async fn write_rate<B: CacheBackend + Clone + 'static>(backend: &B, tasks: usize) -> f64 {
    const CALLS: usize = 20_480;
    let began = Instant::now();
    let writing: Vec<JoinHandle<()>> = (0..tasks)
        .map(|task| {
            let backend = backend.clone();
            tokio::spawn(async move {
                let value = vec![7; 100];
                for call in 0..CALLS / tasks {
                    let key = ((task + call) % KEYS).to_string();
                    let forever = SetOptions::new(Expiry::Never);
                    let written = backend.set(&key, value.clone().into(), forever).await;
                    written.expect("the server answers");
                }
            })
        })
        .collect();
    for task in writing {
        task.await.expect("no write fails");
    }
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let calls = CALLS as f64;
    calls / began.elapsed().as_secs_f64()
}

async fn fill(backend: &impl CacheBackend, size: usize) {
    let forever = SetOptions::new(Expiry::Never);
    let items = (0..KEYS).map(|key| SetItem::new(key.to_string(), vec![7; size], forever.clone()));
    for written in backend.set_many(items.collect()).await {
        written.expect("the server takes every write");
    }
}

/// How many values a second so many tasks read.
async fn rate<B: CacheBackend + Clone + 'static>(backend: &B, tasks: usize) -> f64 {
    let calls = if tasks == 1 { 5_000 } else { 40_960 };
    let began = Instant::now();
    let reading: Vec<JoinHandle<()>> = (0..tasks)
        .map(|task| {
            let backend = backend.clone();
            tokio::spawn(async move {
                for call in 0..calls / tasks {
                    let key = ((task + call) % KEYS).to_string();
                    let found = backend.get(&key).await.expect("the server answers");
                    assert!(found.is_some());
                }
            })
        })
        .collect();
    for task in reading {
        task.await.expect("no read fails");
    }
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let calls = calls as f64;
    calls / began.elapsed().as_secs_f64()
}

/// When each call ended, and whether it was answered.
type Calls = Vec<(Duration, bool)>;

async fn failover() {
    let mut cluster = RedisCluster::start_with_replicas(NODE_TIMEOUT);
    let keys = [0, VICTIM].map(|home| cluster.key_at(home));
    let url = cluster.url();
    let connected = futures::try_join!(fred(&url, BRIEF), redis_rs(&url, BRIEF, false));
    let (fred, redis_rs) = connected.expect("the fixture runs");
    let (began, over) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let watching = [
        watch(&fred, &keys[0], began, &over),
        watch(&redis_rs, &keys[0], began, &over),
        watch(&fred, &keys[1], began, &over),
        watch(&redis_rs, &keys[1], began, &over),
    ];
    sleep(BEFORE).await;
    let killing = spawn_blocking(move || {
        cluster.kill(VICTIM);
        let killed = began.elapsed();
        while !cluster.replicas()[VICTIM].is_primary() {
            std::thread::sleep(Duration::from_millis(10));
        }
        (cluster, killed, began.elapsed())
    });
    let (_cluster, killed, taken_over) = killing.await.expect("the replica takes over");
    sleep(WATCHED.saturating_sub(began.elapsed())).await;
    over.store(true, Ordering::Relaxed);
    let mut seen = Vec::new();
    for calls in watching {
        seen.push(calls.await.expect("no call panics"));
    }
    println!("\na primary is killed at {killed:.1?}, its replica takes over at {taken_over:.1?}; answered calls in %");
    println!("             healthy slots        lost slots");
    println!("until       fred  redis-rs     fred  redis-rs");
    let mut from = Duration::ZERO;
    while from < began.elapsed() {
        let until = from + BUCKET;
        let share: Vec<String> = seen.iter().map(|calls| answered(calls, from, until)).collect();
        let [a, b, c, d] = [0, 1, 2, 3].map(|place| &share[place]);
        println!("{:>5.2} s  {a:>7}  {b:>8}  {c:>7}  {d:>8}", until.as_secs_f64());
        from = until;
    }
}

/// Reads and writes in turn, until it is over.
fn watch<B>(backend: &B, key: &str, began: Instant, over: &Arc<AtomicBool>) -> JoinHandle<Calls>
where
    B: CacheBackend + Clone + 'static,
{
    let (backend, key, over) = (backend.clone(), key.to_owned(), Arc::clone(over));
    tokio::spawn(async move {
        let mut calls = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let forever = SetOptions::new(Expiry::Never);
            let answered = backend.set(&key, "v".into(), forever).await.is_ok();
            calls.push((began.elapsed(), answered));
            let answered = backend.get(&key).await.is_ok();
            calls.push((began.elapsed(), answered));
            sleep(Duration::from_millis(5)).await;
        }
        calls
    })
}

fn answered(calls: &Calls, from: Duration, until: Duration) -> String {
    let ended = calls.iter().filter(|(at, _)| (from..until).contains(at));
    let (all, answered) = ended.fold((0, 0), |(all, answered), (_, ok)| {
        (all + 1, answered + usize::from(*ok))
    });
    match all {
        0 => "-".to_owned(),
        all => (answered * 100 / all).to_string(),
    }
}
