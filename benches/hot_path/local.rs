//! Hits in the process.

use std::{hint::black_box, sync::Arc, time::Instant};

use bytes::Bytes;
use futures::executor::block_on;
use larder::Cache;
use larder_local::LocalBackend;

use super::{KEYS, SHORT_ROUNDS, User, compare, user};

/// A hit on the local map against the map and the format it is made of.
pub(super) fn run() {
    const TURNS: usize = 10_000;
    let keys: Vec<String> = (0..KEYS).map(|key| format!("user:{key}")).collect();
    let cache = Cache::builder(LocalBackend::with_capacity(20 * KEYS))
        .prefix("bench")
        .build();
    let cache = cache.expect("the settings are in range");
    let bytes = quick_cache::sync::Cache::<String, Bytes>::new(20 * KEYS);
    let shared = quick_cache::sync::Cache::<String, Arc<User>>::new(20 * KEYS);
    for (id, key) in keys.iter().enumerate() {
        block_on(cache.set(key, &user(id), "1h")).expect("a local map takes every write");
        let encoded = postcard::to_allocvec(&user(id)).expect("a user can be encoded");
        bytes.insert(key.clone(), encoded.into());
        shared.insert(key.clone(), Arc::new(user(id)));
    }
    let cycle = || keys.iter().cycle().step_by(7).take(TURNS);
    let nanos = |began: Instant| {
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        let turns = TURNS as f64;
        began.elapsed().as_secs_f64() * 1e9 / turns
    };
    compare(
        "local get, ns",
        SHORT_ROUNDS,
        &mut [
            ("quick_cache and postcard", &mut || {
                let began = Instant::now();
                for key in cycle() {
                    let found = bytes.get(key).expect("it was put there");
                    black_box(postcard::from_bytes::<User>(&found).expect("what was encoded is decoded"));
                }
                nanos(began)
            }),
            ("larder", &mut || {
                let began = Instant::now();
                block_on(async {
                    for key in cycle() {
                        black_box(cache.get::<User>(key).await.expect("a local map is never away"));
                    }
                });
                nanos(began)
            }),
        ],
    );
    compare(
        "local get_shared, ns",
        SHORT_ROUNDS,
        &mut [
            ("quick_cache", &mut || {
                let began = Instant::now();
                for key in cycle() {
                    black_box(shared.get(key).expect("it was put there"));
                }
                nanos(began)
            }),
            ("larder", &mut || {
                let began = Instant::now();
                block_on(async {
                    for key in cycle() {
                        black_box(cache.get_shared::<User>(key).await.expect("a local map is never away"));
                    }
                });
                nanos(began)
            }),
        ],
    );
}
