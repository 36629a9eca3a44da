//! What calls cost against what is beneath them: `cargo bench --bench hot_path [-- filter]`.
//!
//! Each line compares within one run: the contenders take short turns in an order by chance, and the means of the middle
//! half of the turns are compared. Only the ratios say anything on another machine. A filter is a word of the lines wanted:
//! `get`, `batch`, `local`.

mod alone;
mod local;

use std::{
    collections::HashMap,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use fred::{
    clients::Client,
    interfaces::{ClientLike, KeysInterface},
    types::{
        Expiration,
        config::{Config, ConnectionConfig, TcpConfig},
    },
};
use futures::future::join_all;
use larder::Cache;
use larder_fred::{ConnectionManager, FredBackend, RedisConfig, fred};
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};
use testkit::RedisServer;
use tokio::runtime::{Builder, Runtime};

const KEYS: usize = 1_000;
const BATCH: usize = 100;
/// How many turns each contender takes that are as long as `TURN`, and how many that are shorter.
const ROUNDS: usize = 60;
const SHORT_ROUNDS: usize = 300;
/// How long a contender is measured in a round.
const TURN: Duration = Duration::from_millis(50);

/// 100 bytes with its envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: String,
    about: String,
    active: bool,
    score: f64,
}

fn user(id: usize) -> User {
    User {
        id: id as u64,
        name: "Ada Lovelace".into(),
        email: "ada@example.com".into(),
        about: "Wrote the first program, in 1843.".into(),
        active: true,
        score: 0.5,
    }
}

/// Values under keys, in Redis and beside it, and every way to them.
struct World {
    /// As fred's README shows it, and as larder sets it up: without Nagle's algorithm.
    raw: Client,
    /// With it, as fred is where nobody says anything: on loopback the system then sends together what is written while an
    /// answer is out.
    nagle: Client,
    keys: Vec<String>,
    /// The same as Redis has them, for the client alone: joining them is larder's work.
    physical: Vec<String>,
    /// On the runtime of the callers, as the raw client is; on a thread of its own, as is the default; and without
    /// batches.
    shared: Cache<FredBackend>,
    own: Cache<FredBackend>,
    unbatched: Cache<FredBackend>,
}

fn main() {
    let filter = std::env::args()
        .skip(1)
        .find(|arg| !arg.starts_with('-'))
        .unwrap_or_default();
    if "local".contains(&filter) {
        local::run();
    }
    if !"local".contains(&filter) || filter.is_empty() {
        let server = RedisServer::start();
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        let world: &'static World = Box::leak(Box::new(runtime.block_on(World::new(&server))));
        if "batch".contains(&filter) {
            batches(&runtime, world);
        }
        if "get".contains(&filter) {
            alone::run(&runtime, world);
            for tasks in [4, 16, 64, 128, 1024] {
                gets(&runtime, world, tasks);
            }
        }
    }
}

impl World {
    async fn new(server: &RedisServer) -> Self {
        let raw = client(server, Some(true)).await;
        let nagle = client(server, None).await;
        let shared = connected(server, true).await;
        let own = connected(server, false).await;
        let unbatched = cache(shared.backend().unbatched());
        let keys: Vec<String> = (0..KEYS).map(|key| format!("user:{key}")).collect();
        for (id, key) in keys.iter().enumerate() {
            own.set(key, &user(id), "1h")
                .await
                .expect("the server takes every write");
        }
        let physical: Vec<String> = keys.iter().map(|key| format!("bench:{key}")).collect();
        let stored: u64 = raw.strlen(physical[0].as_str()).await.expect("the server answers");
        assert_eq!(stored, 100, "the value with its envelope");
        Self {
            raw,
            nagle,
            keys,
            physical,
            shared,
            own,
            unbatched,
        }
    }
}

fn cache(backend: FredBackend) -> Cache<FredBackend> {
    let cache = Cache::builder(backend).prefix("bench").build();
    cache.expect("the settings are in range")
}

async fn client(server: &RedisServer, nodelay: Option<bool>) -> Client {
    let config = Config::from_url(&server.url()).expect("the fixture's own URL");
    let connection = ConnectionConfig {
        tcp: TcpConfig {
            nodelay,
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    };
    let client = Client::new(config, None, Some(connection), None);
    client.init().await.expect("the fixture runs");
    client
}

async fn connected(server: &RedisServer, shared: bool) -> Cache<FredBackend> {
    let config = RedisConfig::from_url(&server.url()).expect("the fixture's own URL");
    // A machine that is busy with other things misses the default now and then.
    let config = config.with_shared_runtime(shared).with_deadline(Duration::from_secs(5));
    let manager = ConnectionManager::from_config_strict(config).await;
    cache(manager.expect("the fixture runs").backend())
}

/// Lets the contenders take turns, and prints the mean of the middle half of each one's, and its ratio to that of the first.
///
/// A turn may be twice as long as the next by where the threads are. A median says which of both was the more frequent by
/// chance, and a mean of all how often the machine did something else.
fn compare(what: &str, rounds: usize, contenders: &mut [(&str, &mut dyn FnMut() -> f64)]) {
    let mut turns: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    // Whoever comes before leaves the threads where they are: always the same one would be a handicap.
    let (mut order, mut random): (Vec<usize>, _) = ((0..contenders.len()).collect(), SmallRng::seed_from_u64(8));
    // The first round warms up.
    for round in 0..=rounds {
        order.shuffle(&mut random);
        for &which in &order {
            let figure = contenders[which].1();
            if round > 0 {
                turns[which].push(figure);
            }
        }
    }
    let means: Vec<f64> = turns.into_iter().map(middle_mean).collect();
    print!("{what}:");
    for ((name, _), mean) in contenders.iter().zip(&means) {
        print!("  {name} {mean:.0} ({:.2}x)", mean / means[0]);
    }
    println!();
}

fn middle_mean(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = &figures[figures.len() / 4..figures.len() - figures.len() / 4];
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let many = middle.len() as f64;
    middle.iter().sum::<f64>() / many
}

/// `get` with its decoding against GET without, from as many tasks as said.
fn gets(runtime: &Runtime, world: &'static World, tasks: usize) {
    let key = move |i: usize| world.keys[i % KEYS].as_str();
    let of = move |cache: &'static Cache<FredBackend>| {
        move || {
            rate(runtime, tasks, move |i| async move {
                let found: Option<User> = cache.get(key(i)).await.expect("the server answers");
                assert!(found.is_some());
            })
        }
    };
    let raw = |client: &'static Client| {
        move || {
            rate(runtime, tasks, move |i| async move {
                let key = world.physical[i % KEYS].as_str();
                let found: Option<Bytes> = client.get(key).await.expect("the server answers");
                assert!(found.is_some());
            })
        }
    };
    compare(
        &format!("get, {tasks} tasks, calls/s"),
        ROUNDS,
        &mut [
            ("fred", &mut raw(&world.raw)),
            ("larder", &mut of(&world.shared)),
            ("on a thread of its own", &mut of(&world.own)),
            ("unbatched", &mut of(&world.unbatched)),
            ("fred with Nagle's algorithm", &mut raw(&world.nagle)),
        ],
    );
}

/// How many calls a second `tasks` tasks get done, all of them for as long as it is measured: where each had so many calls
/// to make, the last ones would be alone, and who serves some sooner than others would be the slower for that.
fn rate<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    tasks: usize,
    call: impl Fn(usize) -> F + Send + Copy + 'static,
) -> f64 {
    let is_over = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let calls = runtime.block_on(async {
        let calling = (0..tasks).map(|task| {
            let is_over = Arc::clone(&is_over);
            tokio::spawn(async move {
                let mut made: u32 = 0;
                while !is_over.load(Ordering::Relaxed) {
                    call(task * 31 + made as usize).await;
                    made += 1;
                }
                made
            })
        });
        let calling: Vec<_> = calling.collect();
        tokio::time::sleep(TURN).await;
        is_over.store(true, Ordering::Relaxed);
        let made = join_all(calling).await.into_iter();
        made.map(|made| f64::from(made.expect("no call fails"))).sum::<f64>()
    });
    calls / began.elapsed().as_secs_f64()
}

/// `get_many` and `set_many` of 100 against the fastest of what the client has: MGET, and SETs that are sent together.
fn batches(runtime: &Runtime, world: &'static World) {
    let keys = &world.keys[..BATCH];
    let physical = &world.physical[..BATCH];
    let users: &'static [User] = (0..BATCH).map(user).collect::<Vec<_>>().leak();
    let raw_get = move || async move {
        let found: Vec<Option<Bytes>> = world.raw.mget(physical.to_vec()).await.expect("the server answers");
        let header = 27;
        let users: Vec<User> = found
            .iter()
            .flatten()
            .map(|entry| postcard::from_bytes(&entry[header..]).expect("what was encoded is decoded"))
            .collect();
        assert_eq!(black_box(users).len(), BATCH);
    };
    let get = move |cache: &'static Cache<FredBackend>| async move {
        let found: HashMap<String, User> = cache.get_many(keys).await.expect("the server answers");
        assert_eq!(found.len(), BATCH);
    };
    compare(
        "batch get_many(100), us",
        SHORT_ROUNDS,
        &mut [
            ("fred MGET and postcard", &mut || micros(runtime, raw_get)),
            ("larder", &mut || micros(runtime, move || get(&world.shared))),
            ("on a thread of its own", &mut || {
                micros(runtime, move || get(&world.own))
            }),
        ],
    );
    // Beside what is read.
    let written: &'static [String] = physical
        .iter()
        .map(|key| format!("raw:{key}"))
        .collect::<Vec<_>>()
        .leak();
    let raw_set = move |client: &'static Client| async move {
        let sets = written.iter().zip(users).map(|(key, user)| {
            let value = Bytes::from(postcard::to_allocvec(user).expect("a user can be encoded"));
            client.set::<(), _, _>(key, value, Some(Expiration::PX(3_600_000)), None, false)
        });
        for written in join_all(sets).await {
            written.expect("the server takes every write");
        }
    };
    let set = move |cache: &'static Cache<FredBackend>| async move {
        let items = keys.iter().zip(users);
        let written = cache.set_many(items, "1h").await;
        written.expect("the server takes every write");
    };
    compare(
        "batch set_many(100), us",
        SHORT_ROUNDS,
        &mut [
            ("fred SETs and postcard", &mut || {
                micros(runtime, move || raw_set(&world.raw))
            }),
            ("larder", &mut || micros(runtime, move || set(&world.shared))),
            ("on a thread of its own", &mut || {
                micros(runtime, move || set(&world.own))
            }),
            ("fred with Nagle's algorithm", &mut || {
                micros(runtime, move || raw_set(&world.nagle))
            }),
        ],
    );
}

/// How long a call takes that a task makes again and again.
fn micros<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    call: impl Fn() -> F + Send + Sync + 'static,
) -> f64 {
    const TURNS: u32 = 20;
    let calling = runtime.spawn(async move {
        // The first ones find the others' code and memory in the caches.
        for _ in 0..4 {
            call().await;
        }
        let began = Instant::now();
        for _ in 0..TURNS {
            call().await;
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(TURNS)
    });
    runtime.block_on(calling).expect("no call fails")
}
