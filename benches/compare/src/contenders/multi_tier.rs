//! multi-tier-cache: its Redis tier alone, as JSON; with the tier in the process no hit would reach the server.

use std::sync::Arc;

use multi_tier_cache::{CacheStrategy, CacheSystem, CacheSystemBuilder, L2Cache, TierConfig};

use super::HOUR;
use crate::{
    contender::{Load, Remember, Remote},
    payload::Payload,
};

pub(crate) struct MultiTier(CacheSystem);

impl MultiTier {
    pub(crate) async fn connect(url: &str) -> Self {
        let tier = L2Cache::with_url(url).await.expect("the server is there");
        let system = CacheSystemBuilder::new()
            .with_tier(Arc::new(tier), TierConfig::as_l1())
            .build();
        Self(system.await.expect("the settings are in range"))
    }
}

impl<P: Payload> Remote<P> for MultiTier {
    type Answer = P;

    async fn get(&self, key: &str) -> Option<P> {
        self.0.cache_manager().get_typed(key).await.expect("the server answers")
    }

    async fn set(&self, key: &str, value: &P) {
        let bytes = serde_json::to_vec(value).expect("JSON takes every payload");
        let hour = CacheStrategy::Custom(HOUR);
        let written = self.0.cache_manager().set_with_strategy(key, bytes.into(), hour).await;
        written.expect("the server takes every write");
    }
}

impl<P: Payload> Remember<P> for MultiTier {
    async fn remember(&self, key: &str, load: Load<P>) -> Result<P, String> {
        let hour = CacheStrategy::Custom(HOUR);
        let load = || async { Ok(load.run().await) };
        let value = self.0.cache_manager().get_or_compute_typed(key, hour, load).await;
        value.map_err(|error| error.to_string())
    }
}
