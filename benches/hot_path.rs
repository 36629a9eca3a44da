//! What a `get` costs against the client beneath it: `cargo bench --bench hot_path [-- filter]`.
//!
//! Each line compares within one run: rounds alternate between the contenders, and the medians are compared. Only the
//! ratios say anything on another machine.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use fred::{
    clients::Client,
    interfaces::{ClientLike, KeysInterface},
    types::config::Config as FredConfig,
};
use larder::{Cache, CacheBackend};
use larder_fred::{ConnectionManager, FredBackend, RedisConfig, fred};
use serde::{Deserialize, Serialize};
use testkit::RedisServer;
use tokio::runtime::{Builder, Runtime};

const KEYS: usize = 1_000;
const ROUNDS: usize = 5;

/// 42 bytes in postcard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: String,
    active: bool,
    score: f64,
}

fn user(id: usize) -> User {
    User {
        id: id as u64,
        name: "Ada Lovelace".into(),
        email: "ada@example.com".into(),
        active: true,
        score: 0.5,
    }
}

struct World {
    raw: Client,
    keys: Vec<String>,
    caches: Vec<(&'static str, Cache<FredBackend>)>,
}

fn main() {
    let server = RedisServer::start();
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new(&server));
    let world: &'static World = Box::leak(Box::new(world));
    let tasks: Vec<usize> = std::env::var("TASKS").map_or(vec![1, 16, 32, 64, 128, 1024], |tasks| {
        tasks.split(',').map(|n| n.parse().unwrap()).collect()
    });
    for tasks in tasks {
        gets(&runtime, world, tasks);
    }
}

impl World {
    async fn new(server: &RedisServer) -> Self {
        let raw = Client::new(FredConfig::from_url(&server.url()).unwrap(), None, None, None);
        raw.init().await.unwrap();
        let mut caches = Vec::new();
        for (name, shared) in [("own", false), ("shared", true)] {
            let config = RedisConfig::from_url(&server.url())
                .unwrap()
                .with_shared_runtime(shared)
                .with_deadline(Duration::from_secs(5));
            let backend = ConnectionManager::from_config_strict(config).await.unwrap().backend();
            caches.push((name, Cache::builder(backend).prefix("bench").build().unwrap()));
        }
        let keys: Vec<String> = (0..KEYS).map(|key| format!("user:{key}")).collect();
        for (id, key) in keys.iter().enumerate() {
            caches[0].1.set(key, &user(id), "1h").await.unwrap();
        }
        Self { raw, keys, caches }
    }
}

fn gets(runtime: &Runtime, world: &'static World, tasks: usize) {
    let calls = if tasks == 1 { 10_000 } else { 100_000 + tasks * 100 };
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); 1 + world.caches.len()];
    for round in 0..=ROUNDS {
        let mut one = vec![];
        one.push(measure(runtime, tasks, calls, move |i| async move {
            let key = format!("bench:{}", world.keys[i % KEYS]);
            black_box(world.raw.get::<Option<bytes::Bytes>, _>(key).await.unwrap());
        }));
        for (_, cache) in &world.caches {
            one.push(measure(runtime, tasks, calls, move |i| async move {
                black_box(cache.get::<User>(&world.keys[i % KEYS]).await.unwrap());
            }));
        }
        if round > 0 {
            for (rates, rate) in rates.iter_mut().zip(one) {
                rates.push(rate);
            }
        }
    }
    let medians: Vec<f64> = rates
        .into_iter()
        .map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        })
        .collect();
    print!("get {tasks:5} tasks: raw {:9.0}", medians[0]);
    for ((name, cache), rate) in world.caches.iter().zip(&medians[1..]) {
        let _ = cache.backend().capabilities();
        print!("  {name} {rate:9.0} ({:.2}x)", rate / medians[0]);
    }
    println!();
}

fn measure<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    tasks: usize,
    calls: usize,
    call: impl Fn(usize) -> F + Send + Sync + Copy + 'static,
) -> f64 {
    runtime.block_on(async {
        let began = Instant::now();
        let running: Vec<_> = (0..tasks)
            .map(|task| {
                tokio::spawn(async move {
                    for turn in 0..calls / tasks {
                        call(task * 31 + turn).await;
                    }
                })
            })
            .collect();
        for task in running {
            task.await.unwrap();
        }
        calls as f64 / began.elapsed().as_secs_f64()
    })
}
