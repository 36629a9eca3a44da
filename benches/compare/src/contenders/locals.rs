//! Maps in the process.

use std::{hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use larder::Cache;
use larder_local::LocalBackend;

use super::HOUR;
use crate::{contender::Local, payload::User};

fn encode(user: &User) -> Bytes {
    postcard::to_stdvec(user).expect("postcard takes every payload").into()
}

fn decode(bytes: &Bytes) -> User {
    postcard::from_bytes(bytes).expect("the bytes are a user")
}

pub(crate) struct Larder(Cache<LocalBackend>);

impl Larder {
    pub(crate) fn new(capacity: usize) -> Self {
        let cache = Cache::builder(LocalBackend::with_capacity(capacity))
            .prefix("larder")
            .build();
        Self(cache.expect("the settings are in range"))
    }
}

impl Local for Larder {
    async fn get(&self, key: &str) -> bool {
        let user = self.0.get::<User>(key).await.expect("a local map answers");
        black_box(user).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        self.0
            .set(key, value, HOUR)
            .await
            .expect("a local map takes every write");
    }
}

/// Reads that share one decoded value.
pub(crate) struct LarderShared(Larder);

impl LarderShared {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Larder::new(capacity))
    }
}

impl Local for LarderShared {
    async fn get(&self, key: &str) -> bool {
        let user = self.0.0.get_shared::<User>(key).await.expect("a local map answers");
        black_box(user).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        self.0.set(key, value).await;
    }
}

pub(crate) struct QuickBytes(pub(crate) quick_cache::sync::Cache<String, Bytes>);

impl Local for QuickBytes {
    async fn get(&self, key: &str) -> bool {
        let user = self.0.get(key).map(|bytes| decode(&bytes));
        black_box(user).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        self.0.insert(key.to_owned(), encode(value));
    }
}

pub(crate) struct QuickShared(pub(crate) quick_cache::sync::Cache<String, Arc<User>>);

impl Local for QuickShared {
    async fn get(&self, key: &str) -> bool {
        black_box(self.0.get(key)).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        self.0.insert(key.to_owned(), Arc::new(value.clone()));
    }
}

pub(crate) struct MokaBytes(pub(crate) moka::sync::Cache<String, Bytes>);

impl Local for MokaBytes {
    async fn get(&self, key: &str) -> bool {
        let user = self.0.get(key).map(|bytes| decode(&bytes));
        black_box(user).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        self.0.insert(key.to_owned(), encode(value));
    }
}

pub(crate) struct MokaShared(moka::sync::Cache<String, Arc<User>>);

impl MokaShared {
    pub(crate) fn new(capacity: usize, ttl: Option<Duration>) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(capacity as u64);
        Self(match ttl {
            Some(ttl) => builder.time_to_live(ttl).build(),
            None => builder.build(),
        })
    }
}

impl Local for MokaShared {
    async fn get(&self, key: &str) -> bool {
        black_box(self.0.get(key)).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        self.0.insert(key.to_owned(), Arc::new(value.clone()));
    }
}

pub(crate) struct Foyer(pub(crate) foyer::Cache<String, User>);

impl Local for Foyer {
    async fn get(&self, key: &str) -> bool {
        black_box(self.0.get(key)).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        drop(self.0.insert(key.to_owned(), value.clone()));
    }
}

pub(crate) struct Cachet(cachet::Cache<String, User>);

impl Cachet {
    /// Within a runtime of tokio, by whose clock it goes.
    pub(crate) fn new(capacity: usize) -> Self {
        let builder = cachet::Cache::builder(tick::Clock::new_tokio());
        Self(
            builder
                .memory_with(|memory| memory.max_capacity(capacity as u64))
                .ttl(HOUR)
                .build(),
        )
    }
}

impl Local for Cachet {
    async fn get(&self, key: &str) -> bool {
        black_box(self.0.get(key).await.expect("a local map answers")).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        let written = self
            .0
            .insert(key.to_owned(), cachet::CacheEntry::new(value.clone()))
            .await;
        written.expect("a local map takes every write");
    }
}

pub(crate) struct Cached(pub(crate) cached::ShardedLruTtlCache<String, Arc<User>>);

impl Cached {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(cached::ShardedLruTtlCache::new(capacity, HOUR))
    }
}

impl Local for Cached {
    async fn get(&self, key: &str) -> bool {
        black_box(self.0.get(key)).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        self.0.set(key.to_owned(), Arc::new(value.clone()));
    }
}
