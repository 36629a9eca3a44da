//! Answers that come late: what a leader read is no answer to a call that began after it was read.

use larder::Cache;
use testkit::RedisServer;

use super::{
    support::{cache, connect, runtime},
    watched::Watched,
};
use crate::support::config;

#[test]
fn a_value_that_the_leader_found_is_not_shared_with_calls_that_began_after_an_invalidation_of_it() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let backend = Watched::new(connect(config(&server, true)).await);
        let here = Cache::builder(backend.clone()).prefix("app").build().unwrap();
        let there = cache(&server).await;
        // The leader sees nothing, and by the time it places its marker another process has stored a value.
        backend.hold(1);
        let leader = tokio::spawn({
            let here = here.clone();
            async move { here.remember("key", "1h", async || Ok::<_, &str>(1)).await }
        });
        backend.answered(1).await;
        there.set("key", &1, "1h").await.unwrap();
        // So it reads again, and the answer is slow.
        backend.hold(2);
        backend.answered(2).await;
        there.delete("key").await.unwrap();

        let later = tokio::spawn({
            let here = here.clone();
            async move { here.remember("key", "1h", async || Ok::<_, &str>(2)).await }
        });
        backend.answered(3).await;
        // On this runtime nothing tells that the later call waits, or does not: it has read, and comes to its flight.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        backend.release();
        assert_eq!(leader.await.unwrap().unwrap(), 1);
        assert_eq!(later.await.unwrap().unwrap(), 2, "older than the invalidation");
    });
}

#[test]
fn a_batch_does_not_share_what_it_found_with_calls_that_began_after_an_invalidation_of_it() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let backend = Watched::new(connect(config(&server, true)).await);
        let here = Cache::builder(backend.clone()).prefix("app").build().unwrap();
        let there = cache(&server).await;
        backend.hold(1);
        let leader = tokio::spawn({
            let here = here.clone();
            async move {
                let load =
                    async |missing: Vec<u8>| Ok::<_, &str>(missing.into_iter().map(|id| (id, 1)).collect::<Vec<_>>());
                here.remember_many([1_u8], |_| "key".into(), "1h", load).await
            }
        });
        backend.answered(1).await;
        there.set("key", &1, "1h").await.unwrap();
        backend.hold(2);
        backend.answered(2).await;
        there.delete("key").await.unwrap();

        let later = tokio::spawn({
            let here = here.clone();
            async move { here.remember("key", "1h", async || Ok::<_, &str>(2)).await }
        });
        backend.answered(3).await;
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        backend.release();
        assert_eq!(leader.await.unwrap().unwrap()[&1], 1);
        assert_eq!(later.await.unwrap().unwrap(), 2, "older than the invalidation");
    });
}
