//! Whether reads of a cluster should be put together: `cargo bench --bench cluster`.
//!
//! Prints how many values of 100 bytes a second are read from three primaries over loopback, each by a GET of its own, as
//! the clients do; with a `Batched` for each slot, whose batches are one MGET; and with one `Batched` for all, whose
//! batches are an MGET for each slot they hold keys of. The keys are spread over all slots, or share a tag and so a slot.
//! Medians of rounds that alternate; only the ratios say anything on another machine.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larder::{Batched, CacheBackend, Expiry, Result, SetItem, SetOptions};
use testkit::RedisCluster;
use tokio::{runtime::Builder, task::JoinHandle};

const KEYS: usize = 1_000;
const CALLS: usize = 20_480;
const ROUNDS: usize = 7;

/// A deadline that a machine that stalls meets.
const PATIENT: Duration = Duration::from_secs(5);

/// Keys, each with the reader it is read by.
type Keys<B> = Arc<Vec<(String, Arc<B>)>>;

fn main() {
    let cluster = RedisCluster::start();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    println!("  client  keys    tasks  single calls/s  a batch per slot  one batch");
    runtime.block_on(async {
        let url = cluster.url();
        let (fred, redis_rs) = futures::try_join!(fred(&url), redis_rs(&url)).expect("the fixture runs");
        for (named, name) in [("spread", "key:"), ("tagged", "{tag}:")] {
            let names: Vec<(String, u16)> = (0..KEYS)
                .map(|key| format!("{name}{key}"))
                .map(|key| {
                    let slot = cluster.slot_of(&key);
                    (key, slot)
                })
                .collect();
            fill(&fred, &names).await;
            for tasks in [1, 16, 128] {
                compare("fred", &fred, named, &names, tasks).await;
                compare("redis-rs", &redis_rs, named, &names, tasks).await;
            }
        }
    });
}

async fn fred(url: &str) -> Result<larder_fred::FredBackend> {
    let config = larder_fred::RedisConfig::from_url(url)?.with_deadline(PATIENT);
    let manager = larder_fred::ConnectionManager::from_config_strict(config).await?;
    Ok(manager.backend())
}

async fn redis_rs(url: &str) -> Result<larder_redis_rs::RedisRsBackend> {
    let config = larder_redis_rs::RedisConfig::from_url(url)?.with_deadline(PATIENT);
    let manager = larder_redis_rs::ConnectionManager::from_config_strict(config).await?;
    Ok(manager.backend())
}

async fn fill(backend: &impl CacheBackend, names: &[(String, u16)]) {
    let forever = SetOptions::new(Expiry::Never);
    let items = names
        .iter()
        .map(|(key, _)| SetItem::new(key, vec![7; 100], forever.clone()));
    for written in backend.set_many(items.collect()).await {
        written.expect("the cluster takes every write");
    }
}

async fn compare<B>(client: &str, backend: &B, named: &str, names: &[(String, u16)], tasks: usize)
where
    B: CacheBackend + Clone + 'static,
{
    let batched = || {
        let batched = Batched::builder(backend.clone()).deadline(PATIENT).build();
        Arc::new(batched.expect("the settings are sound"))
    };
    let single = Arc::new(backend.clone());
    let by_itself: Keys<B> = Arc::new(
        names
            .iter()
            .map(|(key, _)| (key.clone(), Arc::clone(&single)))
            .collect(),
    );

    let mut lanes = std::collections::HashMap::new();
    let mut lane = |slot| Arc::clone(lanes.entry(slot).or_insert_with(batched));
    let by_slot: Keys<Batched<B>> = Arc::new(names.iter().map(|(key, slot)| (key.clone(), lane(*slot))).collect());

    let one = batched();
    let by_one: Keys<Batched<B>> = Arc::new(names.iter().map(|(key, _)| (key.clone(), Arc::clone(&one))).collect());

    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(rate(&by_itself, tasks).await);
        rates[1].push(rate(&by_slot, tasks).await);
        rates[2].push(rate(&by_one, tasks).await);
    }
    let [single, slot, one] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    println!(
        "{client:>8}  {named}  {tasks:>5}  {single:>14.0}  {slot:>8.0}  {:>5.2}x  {one:>8.0}  {:>5.2}x",
        slot / single,
        one / single
    );
}

/// How many values a second so many tasks read.
async fn rate<B: CacheBackend + 'static>(keys: &Keys<B>, tasks: usize) -> f64 {
    let calls = if tasks == 1 { CALLS / 8 } else { CALLS };
    let began = Instant::now();
    let reading: Vec<JoinHandle<()>> = (0..tasks)
        .map(|task| {
            let keys = Arc::clone(keys);
            tokio::spawn(async move {
                // Far apart, so that no two tasks read the same key at once.
                for call in 0..calls / tasks {
                    let (key, reader) = &keys[(task * KEYS / tasks + call) % KEYS];
                    assert!(reader.get(key).await.expect("the cluster answers").is_some());
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
