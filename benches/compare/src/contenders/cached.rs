//! cached: its asynchronous Redis store, on a connection manager, as `MessagePack`.

use cached::{AsyncRedisCache, ConcurrentCachedAsync, SerializeCachedAsync};

use super::HOUR;
use crate::{
    contender::{Load, Remember, Remote},
    payload::{Document, Payload, Profile},
};

pub(crate) struct Cached {
    profiles: AsyncRedisCache<String, Profile>,
    documents: AsyncRedisCache<String, Document>,
}

impl Cached {
    pub(crate) async fn connect(url: &str) -> Self {
        Self {
            profiles: store(url, "profiles").await,
            documents: store(url, "documents").await,
        }
    }
}

async fn store<P: Payload>(url: &str, prefix: &str) -> AsyncRedisCache<String, P> {
    let store = AsyncRedisCache::builder(prefix)
        .ttl(HOUR)
        .connection_string(url)
        // Without it nothing comes back after an outage.
        .connection_manager(true)
        .build();
    store.await.expect("the server is there")
}

trait Part<P: Payload>: Send + Sync + 'static {
    fn part(&self) -> &AsyncRedisCache<String, P>;
}

impl Part<Profile> for Cached {
    fn part(&self) -> &AsyncRedisCache<String, Profile> {
        &self.profiles
    }
}

impl Part<Document> for Cached {
    fn part(&self) -> &AsyncRedisCache<String, Document> {
        &self.documents
    }
}

impl<P: Payload> Remote<P> for Cached
where
    Self: Part<P>,
{
    type Answer = P;

    async fn get(&self, key: &str) -> Option<P> {
        self.part()
            .async_cache_get(&key.to_owned())
            .await
            .expect("the server answers")
    }

    // The write that does not read what was there before.
    async fn set(&self, key: &str, value: &P) {
        let written = self.part().async_cache_set_ref(&key.to_owned(), value).await;
        written.expect("the server takes every write");
    }
}

impl<P: Payload> Remember<P> for Cached
where
    Self: Part<P>,
{
    async fn remember(&self, key: &str, load: Load<P>) -> Result<P, String> {
        let load = || async { Ok::<_, std::convert::Infallible>(load.run().await) };
        match self.part().async_cache_try_get_or_set_with(key.to_owned(), load).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(never)) => match never {},
            Err(error) => Err(error.to_string()),
        }
    }
}
