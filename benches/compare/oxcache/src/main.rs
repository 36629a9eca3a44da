//! oxcache as its docs show it: `Cache::redis`, values as JSON.

use std::hint::black_box;

use larder_compare::{
    contender::{Load, Many, Remember, Remote},
    payload::{Document, Payload, Profile},
    serve::serve,
};
use oxcache::Cache;
use std::time::Duration;

struct Oxcache {
    profiles: Cache<String, Profile>,
    documents: Cache<String, Document>,
}

const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

trait Part<P: Payload>: Send + Sync {
    fn part(&self) -> &Cache<String, P>;
}

impl Part<Profile> for Oxcache {
    fn part(&self) -> &Cache<String, Profile> {
        &self.profiles
    }
}

impl Part<Document> for Oxcache {
    fn part(&self) -> &Cache<String, Document> {
        &self.documents
    }
}

impl<P: Payload> Remote<P> for Oxcache
where
    Self: Part<P>,
{
    type Answer = P;

    async fn get(&self, key: &str) -> Option<P> {
        self.part().get(&key.to_owned()).await.expect("the server answers")
    }

    async fn set(&self, key: &str, value: &P) {
        let written = self.part().set_with_ttl(&key.to_owned(), value, HOUR).await;
        written.expect("the server takes every write");
    }
}

impl<P: Payload> Many<P> for Oxcache
where
    Self: Part<P>,
{
    async fn get_many(&self, keys: &[String]) -> usize {
        let found = self.part().get_many(keys).await.expect("the server answers");
        black_box(found).len()
    }

    async fn set_many(&self, items: &[(String, P)]) {
        let written = self
            .part()
            .set_many(items.iter().map(|(key, value)| (key, value)))
            .await;
        written.expect("the server takes every write");
    }
}

impl Remember<Profile> for Oxcache {
    async fn remember(&self, key: &str, load: Load<Profile>) -> Result<Profile, String> {
        let load = || async { Ok(load.run().await) };
        self.profiles
            .get_or(&key.to_owned(), load)
            .await
            .map_err(|error| error.to_string())
    }
}

async fn connect(url: String) -> Oxcache {
    Oxcache {
        profiles: Cache::redis(&url).await.expect("the server is there"),
        documents: Cache::redis(&url).await.expect("the server is there"),
    }
}

fn main() {
    serve("oxcache", connect);
}
