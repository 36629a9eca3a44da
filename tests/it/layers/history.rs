//! Random calls on a fallback whose primary fails at random, checked against a counter that is never wrong.
//!
//! Each key has a generation. Whoever changes it raises the generation, invalidates, and once that has returned raises
//! the key's floor. Whoever reads looks at the floor first: no call may answer a generation below it. Calls overlap:
//! those of the primary take their time, by a clock that the test moves.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use larder::{Cache, ErrorKind};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::support::{Pair, Stores};
use crate::{backends::block_on, remember::support::Tasks};

const KEYS: [&str; 4] = ["d0", "d1", "s0", "s1"];
const DELETED: [&str; 2] = ["d0", "d1"];
const SEEDS: u64 = 300;
const STEPS: usize = 300;
const LATEST: Duration = Duration::from_millis(6);

#[derive(Default)]
struct Truth {
    generations: RefCell<HashMap<&'static str, u64>>,
    floors: RefCell<HashMap<&'static str, u64>>,
    /// Keys that are being set: of two writers nobody could say which is to be last.
    set: RefCell<Vec<&'static str>>,
    checked: Cell<usize>,
}

impl Truth {
    fn generation(&self, key: &str) -> u64 {
        self.generations.borrow().get(key).copied().unwrap_or_default()
    }

    fn change(&self, key: &'static str) -> u64 {
        let mut generations = self.generations.borrow_mut();
        let generation = generations.entry(key).or_default();
        *generation += 1;
        *generation
    }

    fn floor(&self, key: &str) -> u64 {
        self.floors.borrow().get(key).copied().unwrap_or_default()
    }

    fn raise(&self, key: &'static str, generation: u64) {
        let mut floors = self.floors.borrow_mut();
        let floor = floors.entry(key).or_default();
        *floor = generation.max(*floor);
    }

    fn check(&self, what: &str, key: &str, floor: u64, value: Option<u64>) {
        let Some(value) = value else { return };
        self.checked.set(self.checked.get() + 1);
        assert!(
            value >= floor,
            "{what} of {key} answered {value}, and the floor was {floor}"
        );
    }
}

struct Own(Rc<Truth>, &'static str);

impl Drop for Own {
    fn drop(&mut self) {
        self.0.set.borrow_mut().retain(|key| *key != self.1);
    }
}

async fn call(cache: Cache<Pair>, truth: Rc<Truth>, mut rng: StdRng) {
    let key = *KEYS.choose(&mut rng).unwrap();
    match rng.random_range(0..10) {
        0 | 1 => {
            let floor = truth.floor(key);
            truth.check("get", key, floor, cache.get(key).await.unwrap());
        }
        2 => {
            let floors = KEYS.map(|key| truth.floor(key));
            let found: HashMap<String, u64> = cache.get_many(KEYS).await.unwrap();
            for (key, floor) in KEYS.into_iter().zip(floors) {
                truth.check("get_many", key, floor, found.get(key).copied());
            }
        }
        3..6 => {
            let floor = truth.floor(key);
            let waits = rng.random_range(0..8);
            let load = async || {
                let loaded = truth.generation(key);
                for _ in 0..waits {
                    pause().await;
                }
                Ok::<_, &str>(loaded)
            };
            let answer = cache.remember(key, "1h", load).await.unwrap();
            truth.check("remember", key, floor, Some(answer));
        }
        6 => {
            let generations = DELETED.map(|key| truth.change(key));
            if rng.random_bool(0.5) {
                cache.delete_pattern("d*").await.unwrap();
            } else {
                cache.delete_many(DELETED).await.unwrap();
            }
            for (key, generation) in DELETED.into_iter().zip(generations) {
                truth.raise(key, generation);
            }
        }
        7 => {
            let key = *["s0", "s1"].choose(&mut rng).unwrap();
            if truth.set.borrow().contains(&key) {
                return;
            }
            truth.set.borrow_mut().push(key);
            let own = Own(Rc::clone(&truth), key);
            let generation = truth.change(key);
            match rng.random_range(0..3) {
                0 => cache.set(key, &generation, "1h").await.unwrap(),
                1 => cache.set_many([(key, generation)], "1h").await.unwrap(),
                _ => drop(cache.delete(key).await.unwrap()),
            }
            truth.raise(key, generation);
            drop(own);
        }
        _ => {
            let key = *DELETED.choose(&mut rng).unwrap();
            let generation = truth.change(key);
            cache.delete(key).await.unwrap();
            truth.raise(key, generation);
        }
    }
}

/// Comes back at the next turn.
async fn pause() {
    let mut has_waited = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut has_waited, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

fn disturb(rng: &mut StdRng, stores: &Stores) {
    let faults = stores.primary.faults();
    if rng.random_bool(0.2) {
        // As if the secondary were not in this process.
        let delay = Duration::from_millis(rng.random_range(1..5));
        stores.secondary.faults().delay_next(rng.random_range(1..6), delay);
    }
    let kind = *[ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Overloaded]
        .choose(rng)
        .unwrap();
    match rng.random_range(0..6) {
        0 => faults.fail_next(rng.random_range(1..4), kind),
        1 => faults.fail_next_applied(rng.random_range(1..4), ErrorKind::Timeout),
        2 => faults.fail_all(kind),
        3 | 4 => faults.recover(),
        _ => faults.delay_next(rng.random_range(1..6), Duration::from_millis(rng.random_range(1..5))),
    }
}

/// Runs one history and answers how many reads it checked, and how many entries its journal ever held at once.
fn run(seed: u64, capacity: usize) -> (usize, usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    let stores = Stores::new();
    let fallback = stores.builder().journal_capacity(capacity).build().unwrap();
    let cache = Cache::builder(fallback.clone())
        .prefix("app")
        .clock(stores.clock.clone())
        .build()
        .unwrap();
    let truth = Rc::new(Truth::default());
    let mut tasks = Tasks::new();
    let mut most = 0;
    for step in 0..STEPS {
        match rng.random_range(0..10) {
            0..4 => {
                let rng = StdRng::seed_from_u64(seed * 1_000_003 + step as u64);
                let task = tasks.add(call(cache.clone(), Rc::clone(&truth), rng));
                tasks.poll(task);
            }
            4..7 => {
                stores.clock.advance(Duration::from_millis(1));
                tasks.poll_all();
            }
            7 => disturb(&mut rng, &stores),
            8 => {
                let replayed = fallback.clone();
                let task = tasks.add(async move { drop(replayed.replay().await) });
                tasks.poll(task);
            }
            _ if tasks.len() > 0 => tasks.drop_task(rng.random_range(0..tasks.len())),
            _ => {}
        }
        most = most.max(fallback.journal().keys + fallback.journal().patterns);
    }
    // Everything ends, the journal too, and what is then left is no older than it may be.
    stores.primary.faults().recover();
    stores.secondary.faults().recover();
    while tasks.left() > 0 {
        stores.clock.advance(LATEST);
        tasks.poll_all();
    }
    block_on(fallback.replay()).unwrap();
    for key in KEYS {
        let value = block_on(cache.get(key)).unwrap();
        truth.check("the last get", key, truth.floor(key), value);
    }
    (truth.checked.get(), most)
}

#[test]
fn outage_history_never_goes_back_behind_an_invalidation() {
    let first =
        std::env::var("LARDER_SEED").map_or_else(|_| rand::random_range(0..1 << 32), |seed| seed.parse().unwrap());
    println!("LARDER_SEED={first}");
    for (seed, capacity) in (0..SEEDS).map(|n| (first + n, if n % 3 == 0 { 1 } else { 100 })) {
        let outcome = std::panic::catch_unwind(|| run(seed, capacity));
        let (checked, most) = outcome.unwrap_or_else(|_| panic!("seed {seed}, capacity {capacity}: see above"));
        assert!(checked > 0 && most > 0, "seed {seed}: nothing happened");
    }
}
