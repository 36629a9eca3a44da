//! Everybody, each as its own docs show it, with its own first serializer.

pub(crate) mod cached;
pub(crate) mod external;
pub(crate) mod fred;
pub(crate) mod hitbox;
pub(crate) mod larder;
pub(crate) mod locals;
pub(crate) mod multi_tier;
pub(crate) mod redis_rs;

use std::{future::Future, sync::Arc, time::Duration};

use larder_fred::FredBackend;
use larder_redis_rs::RedisRsBackend;

use crate::race::{Connected, guarded};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Who has not connected to a server on loopback by then never will.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);

pub(crate) type LarderFred = larder::Larder<FredBackend>;
pub(crate) type LarderRedisRs = larder::Larder<RedisRsBackend>;

/// Who has calls to a server; `oxcache` is a program of its own.
pub(crate) struct Remotes {
    pub(crate) larder: Connected<LarderFred>,
    pub(crate) larder_shared: Connected<LarderFred>,
    pub(crate) larder_redis_rs: Connected<LarderRedisRs>,
    pub(crate) fred: Connected<fred::Fred>,
    pub(crate) fred_bytes: Connected<fred::FredBytes>,
    pub(crate) fred_nagle: Connected<fred::Fred>,
    pub(crate) fred_nagle_bytes: Connected<fred::FredBytes>,
    pub(crate) redis: Connected<redis_rs::Redis>,
    pub(crate) redis_bytes: Connected<redis_rs::RedisBytes>,
    pub(crate) cached: Connected<cached::Cached>,
    pub(crate) hitbox: Connected<hitbox::Hitbox>,
    pub(crate) multi_tier: Connected<multi_tier::MultiTier>,
    pub(crate) oxcache: Connected<external::Program>,
}

impl Remotes {
    pub(crate) async fn connect(url: &str) -> Self {
        let fred = connected(fred::Fred::connect(url)).await;
        let fred_nagle = connected(fred::Fred::connect_with_nagle(url)).await;
        let redis = connected(redis_rs::Redis::connect(url)).await;
        Self {
            larder: connected(LarderFred::connect(url)).await,
            larder_shared: connected(LarderFred::connect_shared(url)).await,
            larder_redis_rs: connected(LarderRedisRs::connect(url)).await,
            fred_bytes: fred.clone().map(|fred| Arc::new(fred.bytes())),
            fred,
            fred_nagle_bytes: fred_nagle.clone().map(|fred| Arc::new(fred.bytes())),
            fred_nagle,
            redis_bytes: redis.clone().map(|redis| Arc::new(redis.bytes())),
            redis,
            cached: connected(cached::Cached::connect(url)).await,
            hitbox: connected(async { hitbox::Hitbox::connect(url) }).await,
            multi_tier: connected(multi_tier::MultiTier::connect(url)).await,
            oxcache: external::Program::build("oxcache").map(Arc::new),
        }
    }
}

pub(crate) async fn connected<R>(connecting: impl Future<Output = R>) -> Connected<R> {
    guarded(CONNECTS_WITHIN, connecting).await.map(Arc::new)
}
