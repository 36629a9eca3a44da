//! Everybody, each as its own docs show it, with its own first serializer.

pub(crate) mod cached;
pub(crate) mod external;
pub(crate) mod fred;
pub(crate) mod hitbox;
pub(crate) mod larder;
pub(crate) mod locals;
pub(crate) mod multi_tier;
pub(crate) mod redis_rs;

use std::{sync::Arc, time::Duration};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Who has calls to a server; `oxcache` is in a process of its own, and is None where that does not build.
pub(crate) struct Remotes {
    pub(crate) larder: Arc<larder::Larder>,
    pub(crate) larder_shared: Arc<larder::Larder>,
    pub(crate) fred: Arc<fred::Fred>,
    pub(crate) fred_bytes: Arc<fred::FredBytes>,
    pub(crate) redis: Arc<redis_rs::Redis>,
    pub(crate) redis_bytes: Arc<redis_rs::RedisBytes>,
    pub(crate) cached: Arc<cached::Cached>,
    pub(crate) hitbox: Arc<hitbox::Hitbox>,
    pub(crate) multi_tier: Arc<multi_tier::MultiTier>,
    pub(crate) oxcache: Option<Arc<external::External>>,
}

impl Remotes {
    pub(crate) async fn connect(url: &str) -> Self {
        let fred = fred::Fred::connect(url).await;
        let redis = redis_rs::Redis::connect(url).await;
        let oxcache = external::External::start("oxcache", url);
        Self {
            larder: Arc::new(larder::Larder::connect(url).await),
            larder_shared: Arc::new(larder::Larder::connect_shared(url).await),
            fred_bytes: Arc::new(fred.bytes()),
            fred: Arc::new(fred),
            redis_bytes: Arc::new(redis.bytes()),
            redis: Arc::new(redis),
            cached: Arc::new(cached::Cached::connect(url).await),
            hitbox: Arc::new(hitbox::Hitbox::connect(url)),
            multi_tier: Arc::new(multi_tier::MultiTier::connect(url).await),
            oxcache: match oxcache {
                Ok(oxcache) => Some(Arc::new(oxcache)),
                Err(reason) => {
                    eprintln!("oxcache is left out: {reason}");
                    None
                }
            },
        }
    }
}
