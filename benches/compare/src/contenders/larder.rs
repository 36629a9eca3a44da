//! larder with its defaults: Postcard, Snappy from 1 KiB on, the client on a thread of its own.

use std::{convert::Infallible, hint::black_box, time::Duration};

use larder::{Breaker, Cache, CacheBackend};
use larder_fred::{ConnectionManager, FredBackend, RedisConfig};
use larder_redis_rs::RedisRsBackend;

use super::HOUR;
use crate::{
    contender::{Load, Many, Remember, Remote},
    payload::Payload,
};

pub(crate) struct Larder<B> {
    cache: Cache<B>,
}

/// A machine that others use too must not fail a call that is only late.
const PATIENT: Duration = Duration::from_secs(10);

impl Larder<FredBackend> {
    pub(crate) async fn connect(url: &str) -> Self {
        Self::over(backend(config(url).with_deadline(PATIENT)).await)
    }

    /// The client on the runtime of its callers, as `RedisConfig::with_shared_runtime` has it.
    pub(crate) async fn connect_shared(url: &str) -> Self {
        Self::over(backend(config(url).with_deadline(PATIENT).with_shared_runtime(true)).await)
    }

    /// With the deadline every service has that sets none.
    pub(crate) async fn connect_for_outages(url: &str) -> Self {
        Self::over(backend(config(url)).await)
    }
}

impl Larder<RedisRsBackend> {
    pub(crate) async fn connect(url: &str) -> Self {
        Self::over(redis_rs(config(url).with_deadline(PATIENT)).await)
    }

    /// With the deadline every service has that sets none.
    pub(crate) async fn connect_for_outages(url: &str) -> Self {
        Self::over(redis_rs(config(url)).await)
    }
}

impl Larder<Breaker<FredBackend>> {
    pub(crate) async fn connect_with_breaker(url: &str) -> Self {
        Self::over(Breaker::new(backend(config(url)).await))
    }
}

impl<B: CacheBackend> Larder<B> {
    fn over(backend: B) -> Self {
        let cache = Cache::builder(backend).prefix("larder").build();
        Self {
            cache: cache.expect("the settings are in range"),
        }
    }

    pub(crate) fn cache(&self) -> &Cache<B> {
        &self.cache
    }
}

fn config(url: &str) -> RedisConfig {
    RedisConfig::from_url(url).expect("the fixture's own URL")
}

async fn backend(config: RedisConfig) -> FredBackend {
    let manager = ConnectionManager::from_config_strict(config).await;
    manager.expect("the server is there").backend()
}

async fn redis_rs(config: RedisConfig) -> RedisRsBackend {
    let manager = larder_redis_rs::ConnectionManager::from_config_strict(config).await;
    manager.expect("the server is there").backend()
}

impl<P: Payload, B: CacheBackend + 'static> Remote<P> for Larder<B> {
    type Answer = P;

    async fn get(&self, key: &str) -> Option<P> {
        self.cache.get(key).await.expect("the server answers")
    }

    async fn set(&self, key: &str, value: &P) {
        let written = self.cache.set(key, value, HOUR).await;
        written.expect("the server takes every write");
    }
}

impl<P: Payload, B: CacheBackend + 'static> Many<P> for Larder<B> {
    async fn get_many(&self, keys: &[String]) -> usize {
        let found = self.cache.get_many::<P>(keys).await.expect("the server answers");
        black_box(found).len()
    }

    async fn set_many(&self, items: &[(String, P)]) {
        let items = items.iter().map(|(key, value)| (key, value));
        self.cache
            .set_many(items, HOUR)
            .await
            .expect("the server takes every write");
    }
}

impl<P: Payload, B: CacheBackend + 'static> Remember<P> for Larder<B> {
    async fn remember(&self, key: &str, load: Load<P>) -> Result<P, String> {
        let load = || async { Ok::<_, Infallible>(load.run().await) };
        let value = self.cache.remember(key, HOUR, load).await;
        value.map_err(|error| error.to_string())
    }
}
