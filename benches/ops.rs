//! What a call costs over the backend beneath it: `cargo bench --bench ops`.
//!
//! Groups compare within one run on one machine; the figures of two runs are not comparable.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use larder::{Cache, CacheBackend, Expiry, LoadOptions, Loaded, SetOptions};
use larder_local::LocalBackend;
use serde::{Deserialize, Serialize};

const KEYS: usize = 10_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
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

fn filled() -> (Cache<LocalBackend>, Vec<String>) {
    let cache = Cache::builder(LocalBackend::with_capacity(2 * KEYS))
        .prefix("bench")
        .build()
        .expect("the settings are in range");
    let keys: Vec<String> = (0..KEYS).map(|i| format!("user:{i}")).collect();
    for (i, key) in keys.iter().enumerate() {
        block_on(cache.set(key, &user(i), "1h")).expect("a local map takes every write");
    }
    (cache, keys)
}

/// `get` against `remember` on a hit, over the local map: what cache-aside adds to a read.
fn hits(criterion: &mut Criterion) {
    let (cache, keys) = filled();
    let refresh = LoadOptions::new().refresh_ahead(0.9);
    let mut next = keys.iter().cycle();
    let mut key = || next.next().expect("a cycle has no end").as_str();
    let mut group = criterion.benchmark_group("local hit");
    group.bench_function("backend get", |bencher| {
        let physical: Vec<String> = keys.iter().map(|key| format!("bench:{key}")).collect();
        let mut next = physical.iter().cycle();
        bencher.iter(|| black_box(block_on(cache.backend().get(next.next().expect("a cycle has no end")))));
    });
    group.bench_function("get", |bencher| {
        bencher.iter(|| black_box(block_on(cache.get::<User>(key()))));
    });
    group.bench_function("remember", |bencher| {
        bencher.iter(|| {
            let load = async || Err::<User, _>("not asked");
            black_box(block_on(cache.remember(key(), "1h", load)))
        });
    });
    group.bench_function("remember with options", |bencher| {
        bencher.iter(|| {
            let load = async || Err::<Loaded<User>, _>("not asked");
            black_box(block_on(cache.remember_with(key(), "1h", &refresh, load)))
        });
    });
    group.finish();
}

/// `set` against the backend's own write of as many bytes.
fn writes(criterion: &mut Criterion) {
    let (cache, keys) = filled();
    let mut next = keys.iter().cycle();
    let mut key = || next.next().expect("a cycle has no end").as_str();
    let mut group = criterion.benchmark_group("local write");
    group.bench_function("backend set", |bencher| {
        let options = SetOptions::new(Expiry::Never);
        bencher.iter_batched(
            || (key(), Bytes::from(vec![7; 70])),
            |(key, value)| black_box(block_on(cache.backend().set(key, value, options.clone()))),
            BatchSize::SmallInput,
        );
    });
    let value = user(1);
    group.bench_function("set", |bencher| {
        bencher.iter(|| black_box(block_on(cache.set(key(), &value, "1h"))));
    });
    group.finish();
}

criterion_group!(benches, hits, writes);
criterion_main!(benches);
