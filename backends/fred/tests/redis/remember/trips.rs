//! What each call sends, counted by the server itself.

use std::{collections::HashMap, pin::pin};

use futures::{future::join_all, poll};
use larder::{Cache, LoadError};
use testkit::RedisServer;

use super::{
    support::{Database, RedisCache, cache, calls, connect, reset_calls, runtime},
    watched::Watched,
};
use crate::support::config;

const IDS: u64 = 100;

/// Leaves the scripts of fill and release with the server, as any use of the cache soon does.
async fn warm(cache: &RedisCache) {
    cache.remember("warm", "1h", async || Ok::<_, &str>(1)).await.unwrap();
    cache
        .remember("cold", "1h", async || Err::<u8, _>("away"))
        .await
        .unwrap_err();
}

fn assert_calls(server: &RedisServer, expected: &[(&str, u64)]) {
    let expected: Vec<_> = expected.iter().map(|&(name, calls)| (name.to_owned(), calls)).collect();
    assert_eq!(calls(server), expected);
}

#[test]
fn a_miss_is_a_get_a_marker_and_a_fill_and_a_hit_is_a_get() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache(&server).await;
        warm(&cache).await;

        reset_calls(&server);
        assert_eq!(cache.remember("key", "1h", async || Ok::<_, &str>(1)).await.unwrap(), 1);
        // GET, SET NX of the marker, EVALSHA of the fill with three commands of its own.
        let miss = [("evalsha", 1), ("get", 1), ("getrange", 1), ("set", 2), ("strlen", 1)];
        assert_calls(&server, &miss);

        reset_calls(&server);
        assert_eq!(cache.remember("key", "1h", async || Ok::<_, &str>(2)).await.unwrap(), 1);
        assert_calls(&server, &[("get", 1)]);

        reset_calls(&server);
        cache
            .remember("failing", "1h", async || Err::<u8, _>("away"))
            .await
            .unwrap_err();
        let failure = [
            ("evalsha", 1),
            ("get", 1),
            ("getrange", 1),
            ("set", 1),
            ("strlen", 1),
            ("unlink", 1),
        ];
        assert_calls(&server, &failure);
    });
}

#[test]
fn an_unfenced_miss_is_a_get_and_a_set() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = super::support::cache_with(&server, larder::LoadOptions::new().unfenced()).await;
        reset_calls(&server);
        assert_eq!(cache.remember("key", "1h", async || Ok::<_, &str>(1)).await.unwrap(), 1);
        assert_calls(&server, &[("get", 1), ("set", 1)]);
    });
}

#[test]
fn a_shared_miss_of_500_callers_is_500_gets_one_marker_and_one_fill() {
    const CALLERS: usize = 500;
    let server = RedisServer::start();
    // On one thread, a caller that has had its answer is on its flight before anything else runs.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        warm(&cache(&server).await).await;
        // Each by itself, so that they can be counted.
        let backend = Watched::new(connect(config(&server, true)).await.unbatched());
        let cache = Cache::builder(backend.clone()).prefix("app").build().unwrap();
        reset_calls(&server);
        let database = Database::new();
        let callers = (0..CALLERS).map(|_| {
            let (cache, database) = (cache.clone(), database.clone());
            tokio::spawn(async move {
                let load = async || Ok(database.read().await);
                cache.remember("key", "1h", load).await
            })
        });
        let callers: Vec<_> = callers.collect();
        backend.answered(CALLERS).await;
        database.open();
        for answer in join_all(callers).await {
            let answer: Result<usize, LoadError<&str>> = answer.unwrap();
            assert_eq!(answer.unwrap(), 1);
        }
        let callers = CALLERS as u64;
        let shared = [
            ("evalsha", 1),
            ("get", callers),
            ("getrange", 1),
            ("set", 2),
            ("strlen", 1),
        ];
        assert_calls(&server, &shared);
        assert_eq!(database.loads(), 1);
    });
}

#[test]
fn concurrent_reads_go_together_and_the_first_few_are_gets() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let cache = cache(&server).await;
        cache.set("key", &1, "1h").await.unwrap();
        reset_calls(&server);
        assert_eq!(cache.get("key").await.unwrap(), Some(1));
        assert_calls(&server, &[("get", 1)]);

        reset_calls(&server);
        // All are begun while the server stands still: four go alone, the fifth by itself in the first batch, and the
        // batches after it take up their share of what there is when they are sent.
        server.freeze();
        let mut reads = pin!(join_all((0..500).map(|_| cache.get::<i32>("key"))));
        assert!(poll!(reads.as_mut()).is_pending());
        server.thaw();
        for found in reads.await {
            assert_eq!(found.unwrap(), Some(1));
        }
        let calls = calls(&server);
        assert_eq!(calls[0], ("get".to_owned(), 4));
        let (name, batches) = &calls[1];
        assert_eq!((name.as_str(), calls.len()), ("mget", 2));
        assert!((2..=20).contains(batches), "{batches} batches of 496 reads");
    });
}

#[test]
fn remember_many_of_100_ids_is_one_mget_one_batch_of_markers_and_one_of_fills() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache(&server).await;
        warm(&cache).await;
        let all = async |expected_loads: u64| {
            let mut loads = 0;
            let load = |missing: Vec<u64>| {
                loads += 1;
                assert_eq!(missing.len(), 100);
                async move { Ok::<_, &str>(missing.into_iter().map(|id| (id, id * 2)).collect::<Vec<_>>()) }
            };
            let found: HashMap<u64, u64> = cache
                .remember_many(0..IDS, |id| format!("user:{id}"), "1h", load)
                .await
                .unwrap();
            assert_eq!(found.len(), 100);
            assert!(found.iter().all(|(id, value)| *value == id * 2));
            assert_eq!(loads, expected_loads);
        };

        reset_calls(&server);
        all(1).await;
        let expected = [
            ("evalsha", IDS),
            ("getrange", IDS),
            ("mget", 1),
            ("set", 2 * IDS),
            ("strlen", IDS),
        ];
        assert_calls(&server, &expected);

        reset_calls(&server);
        all(0).await;
        assert_calls(&server, &[("mget", 1)]);
    });
}
