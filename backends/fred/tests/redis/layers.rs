//! A breaker and a fallback over a server that is killed under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{Breaker, BreakerState, Cache, Fallback, FallbackState, LoadOptions};
use larder_fred::{ConnectionManager, FredBackend};
use larder_local::LocalBackend;
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use redis_suite::{alone, lateness, memory};
use testkit::RedisServer;

use crate::support::{block_on, config, eventually_async};

type Layers = Fallback<Breaker<FredBackend>, LocalBackend>;

const TASKS: usize = 64;
const KEYS: usize = 256;
const DEADLINE: Duration = Duration::from_millis(250);
const OUTAGE: Duration = Duration::from_secs(5);

/// How long the holder of a lease may be silent.
const LEASE: Duration = Duration::from_millis(200);

/// What a call may take beyond its deadlines, and beyond what a bare timer was late, on a machine that runs other
/// tests besides.
const MARGIN: Duration = Duration::from_millis(400);

/// What 99 in 100 calls keep within while the breaker is open, on such a machine; on a quiet one it is below 1 ms.
const OPEN: Duration = Duration::from_millis(50);

/// How long after the restart every key is the server's again, on such a machine; on a quiet one it is below 1 s.
const RECOVERED: Duration = Duration::from_secs(3);

/// How much memory the outage may take.
const MEMORY: u64 = 20 << 20;

/// A database with a generation per key, and the generation that no reader may fall behind.
struct World {
    /// Two that know of each other only by what they leave in the store, as two processes do.
    caches: [Cache<Layers>; 2],
    generations: Vec<AtomicU64>,
    floors: Vec<AtomicU64>,
    checked: AtomicUsize,
    deleted_away: AtomicUsize,
    /// Of the reads, each of which is one command, and of all calls.
    slowest_read: AtomicU64,
    slowest: AtomicU64,
    /// The microseconds of the calls that began and ended while the breaker was open.
    open: Mutex<Vec<u32>>,
    is_over: AtomicBool,
}

impl World {
    fn breaker(&self) -> &Breaker<FredBackend> {
        self.caches[0].backend().primary()
    }

    fn is_open(&self) -> bool {
        self.breaker().state() == BreakerState::Open
    }

    fn check(&self, what: &str, key: usize, floor: u64, value: Option<u64>) {
        let Some(value) = value else { return };
        self.checked.fetch_add(1, Ordering::Relaxed);
        assert!(
            value >= floor,
            "{what} of {key} answered {value}, and the floor was {floor}"
        );
    }

    async fn load(&self, key: usize) -> Result<u64, &'static str> {
        let value = self.generations[key].load(Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(value)
    }

    /// Keys are written by the one task that they belong to, and read by all.
    async fn run(self: Arc<Self>, task: usize, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed + task as u64);
        while !self.is_over.load(Ordering::Relaxed) {
            let (key, own) = (
                rng.random_range(0..KEYS),
                task + TASKS * rng.random_range(0..KEYS / TASKS),
            );
            let cache = &self.caches[task % 2];
            let (was_open, began) = (self.is_open(), Instant::now());
            match rng.random_range(0..10) {
                0..4 => {
                    let floor = self.floors[key].load(Ordering::SeqCst);
                    let value = cache.get(&key.to_string()).await.unwrap();
                    self.slowest_read.fetch_max(micros(began).into(), Ordering::Relaxed);
                    self.check("get", key, floor, value);
                }
                4..7 => {
                    let floor = self.floors[key].load(Ordering::SeqCst);
                    let answer = cache.remember(&key.to_string(), "1h", || self.load(key)).await;
                    self.check("remember", key, floor, Some(answer.unwrap()));
                }
                write => {
                    let generation = self.generations[own].fetch_add(1, Ordering::SeqCst) + 1;
                    if write == 7 {
                        cache.set(&own.to_string(), &generation, "1h").await.unwrap();
                    } else {
                        cache.delete(&own.to_string()).await.unwrap();
                        self.deleted_away.fetch_add(usize::from(was_open), Ordering::Relaxed);
                    }
                    self.floors[own].store(generation, Ordering::SeqCst);
                }
            }
            let took = micros(began);
            if was_open && self.is_open() {
                self.open.lock().push(took);
            }
            self.slowest.fetch_max(took.into(), Ordering::Relaxed);
            // A service does more than ask its cache; and the machine has two cores.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn micros(began: Instant) -> u32 {
    u32::try_from(began.elapsed().as_micros()).unwrap()
}

fn span(micros: impl Into<u64>) -> Duration {
    Duration::from_micros(micros.into())
}

/// Watches the memory of this process for `time`, and answers the most that it had in use.
async fn memory_for(time: Duration) -> Option<u64> {
    let (began, mut most) = (Instant::now(), None);
    while began.elapsed() < time {
        most = most.max(memory());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    most
}

#[test]
fn outage_a_server_killed_under_load_costs_milliseconds_and_no_invalidation() {
    alone(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(killed_under_load());
    });
}

async fn killed_under_load() {
    let seed =
        std::env::var("LARDER_SEED").map_or_else(|_| rand::random_range(0..1 << 32), |seed| seed.parse().unwrap());
    println!("LARDER_SEED={seed}");
    // It comes back with what it held, as after a split of the network.
    let mut server = RedisServer::start_with(&["--appendonly", "yes"]);
    let config = config(&server, true).with_deadline(DEADLINE);
    let redis = ConnectionManager::from_config_strict(config).await.unwrap();
    let breaker = Breaker::new(redis.backend());
    let layers = Fallback::new(breaker, LocalBackend::builder().capacity(10_000).build());
    let caches = [(); 2].map(|()| {
        let waiting = LoadOptions::new().lease(LEASE);
        let cache = Cache::builder(layers.clone()).prefix("app").load_options(waiting);
        cache.build().unwrap()
    });
    let cache = caches[0].clone();
    let world = Arc::new(World {
        caches,
        generations: (0..KEYS).map(|_| AtomicU64::new(0)).collect(),
        floors: (0..KEYS).map(|_| AtomicU64::new(0)).collect(),
        checked: AtomicUsize::new(0),
        deleted_away: AtomicUsize::new(0),
        slowest_read: AtomicU64::new(0),
        slowest: AtomicU64::new(0),
        open: Mutex::default(),
        is_over: AtomicBool::new(false),
    });
    cache
        .set_many((0..KEYS).map(|key| (key.to_string(), 0_u64)), "1h")
        .await
        .unwrap();
    cache
        .set_many((0..100).map(|n| (format!("page:{n}"), n)), "1h")
        .await
        .unwrap();

    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(Arc::clone(&world).run(task, seed)))
        .collect();
    let late = tokio::spawn({
        let world = Arc::clone(&world);
        async move { lateness(|| world.is_over.load(Ordering::Relaxed)).await }
    });
    let before = memory_for(Duration::from_secs(1)).await;
    server.stop();
    eventually_async("the breaker opens", async || world.is_open()).await;
    cache.delete_pattern("page:*").await.unwrap();
    let during = memory_for(OUTAGE).await;
    assert!(cache.backend().journal().keys > 0);

    tokio::task::block_in_place(|| server.restart());
    let up = Instant::now();
    eventually_async("the primary answers for every key", async || {
        cache.backend().state() == FallbackState::Primary
    })
    .await;
    let recovered = up.elapsed();
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.is_over.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    let late = late.await.unwrap();

    // Past all layers: what the server itself holds.
    let direct = Cache::builder(redis.backend()).prefix("app").build().unwrap();
    for key in 0..KEYS {
        let value: Option<u64> = direct.get(&key.to_string()).await.unwrap();
        world.check("the server", key, world.floors[key].load(Ordering::SeqCst), value);
    }
    for n in 0..100 {
        assert!(!direct.exists(&format!("page:{n}")).await.unwrap(), "page:{n} is back");
    }

    let mut open = std::mem::take(&mut *world.open.lock());
    open.sort_unstable();
    let (median, p99) = (span(open[open.len() / 2]), span(open[open.len() * 99 / 100]));
    let [read, slowest] = [&world.slowest_read, &world.slowest].map(|most| span(most.load(Ordering::Relaxed)));
    println!(
        "{} reads checked; {} deletes and {} calls while open: median {median:?}, p99 {p99:?}",
        world.checked.load(Ordering::Relaxed),
        world.deleted_away.load(Ordering::Relaxed),
        open.len(),
    );
    println!("slowest read {read:?}, slowest call {slowest:?}; a bare timer was late by up to {late:?}");
    println!("full service {recovered:?} after the restart");
    assert!(open.len() > 1_000 && world.deleted_away.load(Ordering::Relaxed) > 100);
    assert!(p99 < OPEN, "{p99:?}");
    assert!(read < DEADLINE + MARGIN + late, "{read:?}");
    // A `remember` reads, waits for who has the lease, leaves a fence and fills, each with a deadline of its own.
    assert!(slowest < 4 * DEADLINE + LEASE + MARGIN + late, "{slowest:?}");
    assert!(recovered < RECOVERED, "{recovered:?}");
    if let (Some(before), Some(during)) = (before, during) {
        let grown = during.saturating_sub(before);
        println!("memory: {before} bytes before, at most {during} during the outage");
        assert!(grown < MEMORY, "{grown} bytes more");
    }
}

#[test]
fn outage_a_fallback_alone_answers_for_a_server_that_hangs() {
    let server = RedisServer::start();
    block_on(async {
        let config = config(&server, true).with_deadline(Duration::from_millis(100));
        let redis = ConnectionManager::from_config_strict(config).await.unwrap();
        let layers = Fallback::new(redis.backend(), LocalBackend::builder().capacity(100).build());
        let cache = Cache::new(layers);
        cache.set("k", &1_u8, "1h").await.unwrap();
        server.command::<()>(&["CLIENT", "PAUSE", "700", "ALL"]);
        cache.set("k", &2_u8, "1h").await.unwrap();
        assert_eq!(cache.get::<u8>("k").await.unwrap(), Some(2));
        assert!(cache.delete("k").await.unwrap());
        assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
        eventually_async("the server answers again", async || {
            cache.backend().state() == FallbackState::Primary
        })
        .await;
        assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
        assert_eq!(server.command::<i64>(&["DBSIZE"]), 0);
    });
}
