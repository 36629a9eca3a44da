//! Many callers of one key at once.

use std::time::Duration;

use futures::future::join_all;
use larder::Cache;
use testkit::RedisServer;

use super::{
    support::{Database, KEY, cache, connect, is_value, raw, runtime},
    watched::Watched,
};
use crate::support::config;

/// How long a load takes after the last caller has seen that it needs it.
const LOAD: Duration = Duration::from_millis(50);

#[test]
fn scenario_01_herd_on_redis() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache(&server).await;
        let database = Database::new();
        let callers = (0..10_000).map(|_| {
            let (cache, database) = (cache.clone(), database.clone());
            tokio::spawn(async move { cache.remember("key", "1h", async || read(&database).await).await })
        });
        let callers: Vec<_> = callers.collect();
        database.open();
        for answer in join_all(callers).await {
            assert_eq!(answer.unwrap().unwrap(), 1);
        }
        assert_eq!((database.loads(), cache.stats().loads), (1, 1));
        assert!(is_value(raw(&server, KEY).as_ref()));
    });
}

async fn read(database: &Database) -> Result<usize, &'static str> {
    Ok(database.read().await)
}

/// Opens `database` some time after all of `count` callers have had an answer to their first read.
async fn open_after(cache: &Cache<Watched>, count: usize, database: &Database) {
    cache.backend().answered(count).await;
    tokio::time::sleep(LOAD).await;
    database.open();
}

#[test]
fn scenario_01_herd_with_redis_stopped() {
    let mut server = RedisServer::start();
    runtime().block_on(async {
        let cache = watched(&server).await;
        server.stop();
        let database = Database::new();
        let callers = (0..1_000).map(|_| {
            let (cache, database) = (cache.clone(), database.clone());
            tokio::spawn(async move { cache.remember("key", "1h", async || read(&database).await).await })
        });
        let callers: Vec<_> = callers.collect();
        open_after(&cache, 1_000, &database).await;
        for answer in join_all(callers).await {
            assert_eq!(answer.unwrap().unwrap(), 1);
        }
        assert_eq!((database.loads(), cache.stats().loads), (1, 1));
    });
}

#[test]
fn scenario_02_failing_herd_on_redis() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = watched(&server).await;
        let database = Database::new();
        let callers = (0..1_000).map(|_| {
            let (cache, database) = (cache.clone(), database.clone());
            tokio::spawn(async move {
                let fail = async || {
                    database.read().await;
                    Err::<usize, _>("the database is away")
                };
                cache.remember("key", "1h", fail).await
            })
        });
        let callers: Vec<_> = callers.collect();
        open_after(&cache, 1_000, &database).await;
        for answer in join_all(callers).await {
            assert_eq!(answer.unwrap().unwrap_err().loader(), Some(&"the database is away"));
        }
        assert_eq!((database.loads(), cache.stats().loads), (1, 1));
        // Released by the leader itself before it answers, not in the background.
        assert_eq!(raw(&server, KEY), None);

        let next = cache.remember("key", "1h", async || read(&database).await).await;
        assert_eq!(next.unwrap(), 2);
        assert!(is_value(raw(&server, KEY).as_ref()));
    });
}

async fn watched(server: &RedisServer) -> Cache<Watched> {
    let backend = Watched::new(connect(config(server, true)).await);
    Cache::builder(backend).prefix("app").build().unwrap()
}
