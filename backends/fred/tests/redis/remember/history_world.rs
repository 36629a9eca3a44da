//! One process of the history check: its cache, its connection to the truth, and what its tasks do.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fred::{
    clients::Client,
    interfaces::{ClientLike, KeysInterface, LuaInterface},
    types::{Builder, config::Config},
};
use larder::{Cache, LoadError, LoadOptions, Loaded};
use larder_runtimes::TokioRuntime;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tokio::{sync::Mutex, time::Instant};

use super::{support::connect_to, watched::Watched};

/// Those that begin with `s` are also set, each by one process alone and one call at a time: of two writers nobody
/// could say which is to be last. Those that begin with `d` are only ever deleted, by anybody at any time.
pub(super) const KEYS: [&str; 5] = ["d0", "d1", "d2", "s0", "s1"];
const DELETED: [&str; 3] = ["d0", "d1", "d2"];
const VIOLATION: &str = "violation";
const RAISE: &str = "if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or '0') then
    redis.call('SET', KEYS[1], ARGV[1])
end
return 1";

#[derive(Debug, Clone)]
pub(super) struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cache: Cache<Watched>,
    truth: Client,
    /// The key that this process sets, held while it does.
    own: Mutex<&'static str>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    operations: AtomicU64,
    checked: AtomicU64,
    invalidations: AtomicU64,
    cancelled: AtomicU64,
    failed: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A database that takes its time.
async fn pause(longest_micros: u64) {
    let micros = rand::random_range(0..=longest_micros);
    if micros > 0 {
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}

impl World {
    pub(super) async fn new(url: &str, process: u64) -> Self {
        let backend = Watched::slow(connect_to(url).await);
        let cache = Cache::builder(backend).prefix("app").runtime(TokioRuntime::current());
        let cache = cache.build().unwrap();
        let truth = Builder::from_config(Config::from_url(url).unwrap()).build().unwrap();
        truth.init().await.unwrap();
        Self(Arc::new(Inner {
            cache,
            truth,
            own: Mutex::new(if process == 0 { "s0" } else { "s1" }),
            counts: Counts::default(),
        }))
    }

    pub(super) fn counts(&self) -> impl fmt::Display {
        let (counts, stats) = (&self.0.counts, self.0.cache.stats());
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{} operations, {} reads checked, {} invalidations, {} loads, {} voided fills, {} calls cancelled, {} failed",
            of(&counts.operations),
            of(&counts.checked),
            of(&counts.invalidations),
            stats.loads,
            stats.voided_fills,
            of(&counts.cancelled),
            of(&counts.failed),
        )
    }

    /// What went wrong here or in the other process.
    pub(super) async fn violation(&self) -> Option<String> {
        self.0.truth.get(VIOLATION).await.unwrap()
    }

    pub(super) async fn run(self, seed: u64, until: Instant) {
        let mut rng = StdRng::seed_from_u64(seed);
        while Instant::now() < until {
            for _ in 0..20 {
                count(&self.0.counts.operations);
                self.step(&mut rng).await;
            }
            if self.violation().await.is_some() {
                return;
            }
        }
    }

    async fn step(&self, rng: &mut StdRng) {
        let cache = &self.0.cache;
        let key = *KEYS.choose(rng).unwrap();
        match rng.random_range(0..100) {
            0..15 => {
                let floors = self.floors(&[key]).await;
                let value: Option<u64> = cache.get(key).await.unwrap();
                self.check("get", floors, value.map(|value| (key, value))).await;
            }
            15..60 => self.remember(rng, key).await,
            60..75 => self.remember_many(rng).await,
            75..77 => self.delete_pattern().await,
            77..80 => self.delete_many(rng).await,
            80..88 => self.write_own(rng).await,
            _ => {
                let key = *DELETED.choose(rng).unwrap();
                let generation = self.change(key).await;
                cache.delete(key).await.unwrap();
                self.raise(key, generation).await;
            }
        }
    }

    async fn remember(&self, rng: &mut StdRng, key: &'static str) {
        let options = match rng.random_range(0..12) {
            0 => LoadOptions::new().force_refresh(),
            1 => LoadOptions::new().refresh_ahead(0.1),
            2 => LoadOptions::new().early(5.0).stale_if_error("1s").throttle("5ms"),
            3 => LoadOptions::new().wait("1ms"),
            4 => LoadOptions::new().fill_window("5ms"),
            5 => LoadOptions::new().lease("20ms"),
            6 => LoadOptions::new().lease("2ms").refresh_ahead(0.1).throttle("5ms"),
            7 => LoadOptions::new().stale_while_revalidate("1s").throttle("5ms"),
            8 => LoadOptions::new()
                .stale_if_error("1s")
                .soft_timeout("1ms")
                .throttle("5ms"),
            9 => LoadOptions::new()
                .hard_timeout("2ms")
                .stale_while_revalidate("20ms")
                .lease("20ms"),
            _ => LoadOptions::new(),
        };
        let ttl = Duration::from_millis(*[5, 50, 60_000].choose(rng).unwrap());
        let (fails, cancelled_after) = (rng.random_bool(0.1), self.patience(rng));
        let floors = self.floors(&[key]).await;
        let world = self.clone();
        let load = move || async move {
            let loaded = world.load(&[key]).await;
            if fails {
                Err("on purpose")
            } else {
                Ok(Loaded::value(loaded[key]))
            }
        };
        let is_detached = rng.random();
        let cache = &self.0.cache;
        let call = async {
            if is_detached {
                cache.remember_detached(key, ttl, &options, load).await
            } else {
                cache.remember_with(key, ttl, &options, load).await
            }
        };
        let Ok(answer) = tokio::time::timeout(cancelled_after, call).await else {
            return count(&self.0.counts.cancelled);
        };
        match answer {
            Ok(answer) => {
                let operation = format!("remember, detached: {is_detached}, {options:?} {:?}", answer.source);
                self.check(&operation, floors, answer.value.map(|value| (key, value)))
                    .await;
            }
            Err(LoadError::Loader(_) | LoadError::TimedOut) => count(&self.0.counts.failed),
            Err(error) => panic!("{error}"),
        }
    }

    async fn remember_many(&self, rng: &mut StdRng) {
        let keys: Vec<&'static str> = KEYS.into_iter().filter(|_| rng.random_bool(0.6)).collect();
        let options = match rng.random_range(0..6) {
            0 => LoadOptions::new().force_refresh(),
            1 => LoadOptions::new().refresh_ahead(0.1),
            2 => LoadOptions::new().wait("1ms"),
            _ => LoadOptions::new(),
        };
        let (fails, cancelled_after) = (rng.random_bool(0.1), self.patience(rng));
        let floors = self.floors(&keys).await;
        let load = |missing: Vec<&'static str>| async move {
            let loaded = self.load(&missing).await;
            if fails {
                Err("on purpose")
            } else {
                Ok(loaded.into_iter().map(|(key, value)| (key, Loaded::value(value))))
            }
        };
        let key_of = |key: &&'static str| (*key).to_owned();
        let call = self.0.cache.remember_many_with(keys, key_of, "50ms", &options, load);
        let Ok(answers) = tokio::time::timeout(cancelled_after, call).await else {
            return count(&self.0.counts.cancelled);
        };
        let mut values = Vec::new();
        for (key, answer) in answers.unwrap() {
            match answer {
                Ok(answer) => values.extend(answer.value.map(|value| (key, value))),
                Err(LoadError::Loader(_)) => count(&self.0.counts.failed),
                Err(error) => panic!("{error}"),
            }
        }
        self.check(&format!("remember_many {options:?}"), floors, values).await;
    }

    async fn delete_pattern(&self) {
        let mut generations = Vec::new();
        for key in DELETED {
            generations.push((key, self.change(key).await));
        }
        self.0.cache.delete_pattern("d*").await.unwrap();
        for (key, generation) in generations {
            self.raise(key, generation).await;
        }
    }

    async fn delete_many(&self, rng: &mut StdRng) {
        let keys: Vec<&str> = DELETED.into_iter().filter(|_| rng.random_bool(0.6)).collect();
        let mut generations = Vec::new();
        for key in &keys {
            generations.push((*key, self.change(key).await));
        }
        self.0.cache.delete_many(keys).await.unwrap();
        for (key, generation) in generations {
            self.raise(key, generation).await;
        }
    }

    async fn write_own(&self, rng: &mut StdRng) {
        let cache = &self.0.cache;
        let key = self.0.own.lock().await;
        let generation = self.change(&key).await;
        match rng.random_range(0..4) {
            0 => cache.set(&key, &generation, 60).await.unwrap(),
            1 => cache.set_many([(*key, generation)], 60).await.unwrap(),
            2 => drop(cache.delete_pattern(&key).await.unwrap()),
            _ => drop(cache.delete(&key).await.unwrap()),
        }
        self.raise(&key, generation).await;
    }

    fn patience(&self, rng: &mut StdRng) -> Duration {
        let _ = self;
        if rng.random_bool(0.15) {
            Duration::from_micros(rng.random_range(0..4_000))
        } else {
            Duration::from_secs(20)
        }
    }

    /// Reads the generations of some keys as they are at one moment, and takes its time before and after.
    async fn load(&self, keys: &[&'static str]) -> HashMap<&'static str, u64> {
        pause(1_000).await;
        let generations = self.numbers("db", keys).await;
        pause(2_000).await;
        generations
    }

    async fn floors(&self, keys: &[&'static str]) -> HashMap<&'static str, u64> {
        self.numbers("floor", keys).await
    }

    async fn numbers(&self, kind: &str, keys: &[&'static str]) -> HashMap<&'static str, u64> {
        if keys.is_empty() {
            return HashMap::new();
        }
        let names: Vec<String> = keys.iter().map(|key| format!("{kind}:{key}")).collect();
        let numbers: Vec<Option<u64>> = self.0.truth.mget(names).await.unwrap();
        keys.iter()
            .copied()
            .zip(numbers.into_iter().map(Option::unwrap_or_default))
            .collect()
    }

    async fn change(&self, key: &str) -> u64 {
        count(&self.0.counts.invalidations);
        self.0.truth.incr(format!("db:{key}")).await.unwrap()
    }

    async fn raise(&self, key: &str, generation: u64) {
        let generation = generation.to_string();
        let raised: Result<i64, _> = self.0.truth.eval(RAISE, format!("floor:{key}"), generation).await;
        raised.unwrap();
    }

    async fn check(
        &self,
        operation: &str,
        floors: HashMap<&'static str, u64>,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) {
        for (key, value) in values {
            count(&self.0.counts.checked);
            let floor = floors[key];
            if value < floor {
                let what = format!("{operation} of {key} answered {value}, and the floor was {floor} before it began");
                println!("VIOLATION: {what}");
                let set: Result<(), _> = self.0.truth.set(VIOLATION, what, None, None, false).await;
                set.unwrap();
            }
        }
    }
}
