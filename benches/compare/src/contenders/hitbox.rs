//! hitbox: its Redis backend with bincode, and `#[cached]` functions with one load at a time.

use hitbox::{
    CacheContext, CacheKey, CacheValue, EntityPolicyConfig,
    backend::CacheBackend,
    concurrency::BroadcastConcurrencyManager,
    policy::{ConcurrencyLimit, PolicyConfig},
};
use hitbox_fn::{Cache, cached};
use hitbox_moka::MokaBackend;
use hitbox_redis::{ConnectionMode, RedisBackend};
use std::{hint::black_box, sync::Arc};

use super::HOUR;
use crate::{
    contender::{Load, Local, Remember, Remote},
    payload::{Document, Profile, User},
};

type Coalescing = Arc<BroadcastConcurrencyManager<Profile>>;

pub(crate) struct Hitbox {
    cache: Cache<RedisBackend, Coalescing>,
}

impl Hitbox {
    pub(crate) fn connect(url: &str) -> Self {
        let backend = RedisBackend::builder().connection(ConnectionMode::single(url)).build();
        let one = ConcurrencyLimit::new(1).expect("one is in range");
        let cache = Cache::builder()
            .backend(backend.expect("the fixture's own URL"))
            .policy(PolicyConfig::builder().ttl(HOUR).concurrency(one).build())
            .concurrency_manager(Arc::new(BroadcastConcurrencyManager::new()))
            .build();
        Self { cache }
    }
}

/// Its map in the process, which holds values as JSON.
pub(crate) struct HitboxMoka(MokaBackend);

impl HitboxMoka {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(MokaBackend::builder().max_entries(capacity as u64).build())
    }
}

impl Local for HitboxMoka {
    async fn get(&self, key: &str) -> bool {
        let mut context = CacheContext::default().boxed();
        let found = self.0.get::<User>(&cache_key(key), &mut context).await;
        black_box(found.expect("a local map answers")).is_some()
    }

    async fn set(&self, key: &str, value: &User) {
        let mut context = CacheContext::default().boxed();
        let written = self.0.set::<User>(&cache_key(key), &fresh(value), &mut context).await;
        written.expect("a local map takes every write");
    }
}

fn fresh<P: Clone>(value: &P) -> CacheValue<P> {
    let hour = EntityPolicyConfig {
        ttl: Some(HOUR),
        stale_ttl: None,
    };
    CacheValue::from_config(value.clone(), &hour)
}

fn cache_key(key: &str) -> CacheKey {
    CacheKey::from_str("key", key)
}

macro_rules! remote {
    ($payload:ty) => {
        impl Remote<$payload> for Hitbox {
            type Answer = $payload;

            async fn get(&self, key: &str) -> Option<$payload> {
                let mut context = CacheContext::default().boxed();
                let found = self
                    .cache
                    .backend()
                    .get::<$payload>(&cache_key(key), &mut context)
                    .await;
                found.expect("the server answers").map(CacheValue::into_inner)
            }

            async fn set(&self, key: &str, value: &$payload) {
                let mut context = CacheContext::default().boxed();
                let written = self
                    .cache
                    .backend()
                    .set::<$payload>(&cache_key(key), &fresh(value), &mut context)
                    .await;
                written.expect("the server takes every write");
            }
        }
    };
}

remote!(Profile);
remote!(Document);

#[cached(skip(load))]
async fn remembered(key: String, load: Load<Profile>) -> Profile {
    // The key is for the cache.
    drop(key);
    load.run().await
}

impl Remember<Profile> for Hitbox {
    async fn remember(&self, key: &str, load: Load<Profile>) -> Result<Profile, String> {
        Ok(remembered(key.to_owned(), load).cache(&self.cache).await)
    }
}
