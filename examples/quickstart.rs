//! A tour of larder with every result asserted: `cargo run --example quickstart`.
//!
//! Runs on the embedded backend; with `REDIS_URL=redis://localhost:6379/0` the same tour runs on that server, under the
//! prefix `larder-quickstart`.

use std::{collections::HashMap, env, time::Duration};

use futures::TryStreamExt;
use larder::{Cache, CacheBackend, Json, KeyTtl, Lookup, Result, Ttl, Zstd};
use larder_fred::ConnectionManager;
use larder_local::LocalBackend;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

fn main() -> Result<()> {
    // Any executor will do; larder brings none.
    futures::executor::block_on(async {
        if let Ok(url) = env::var("REDIS_URL") {
            let redis = ConnectionManager::connect_strict(&url).await?;
            tour(redis.backend()).await?;
            redis.close().await;
            println!("the tour is done, on Redis");
        } else {
            tour(LocalBackend::with_capacity(10_000)).await?;
            println!("the tour is done, on the embedded backend; set REDIS_URL to take it on Redis");
        }
        Ok(())
    })
}

async fn tour(backend: impl CacheBackend + Clone) -> Result<()> {
    let cache = Cache::builder(backend.clone())
        .prefix("larder-quickstart")
        .default_ttl("1h")
        .ttl_jitter(0.1)
        .build()?;
    cache.clear().await?;

    // Values are anything serde serializes; a ttl is "2h30m", a number of seconds, a Duration or Ttl::FOREVER.
    let alice = User {
        id: 1,
        name: "Alice".into(),
    };
    cache.set("user:1", &alice, "2h30m").await?;
    assert_eq!(cache.get("user:1").await?, Some(alice.clone()));
    assert_eq!(cache.get::<User>("user:2").await?, None);

    // A life is exact to the millisecond and can be read, changed and taken off.
    cache.expire("user:1", 600).await?;
    assert!(matches!(cache.ttl("user:1").await?, KeyTtl::Expires(left) if left <= Duration::from_secs(600)));
    cache.persist("user:1").await?;
    assert_eq!(cache.ttl("user:1").await?, KeyTtl::Persistent);
    assert_eq!(cache.ttl("user:2").await?, KeyTtl::Missing);

    // That there is no such user is worth caching too, and is told apart from not knowing.
    cache.set("user:999", &None::<User>, 60).await?;
    assert_eq!(cache.lookup::<User>("user:999").await?, Lookup::Absent);
    assert_eq!(cache.lookup::<User>("user:2").await?, Lookup::Miss);

    // Conditional writes are one atomic step.
    assert!(cache.add("lock", "me", Ttl::DEFAULT).await?);
    assert!(!cache.add("lock", "you", Ttl::DEFAULT).await?);
    assert_eq!(cache.pull::<String>("lock").await?.as_deref(), Some("me"));

    // Batches take one round trip.
    cache.set_many([("a", 1), ("b", 2), ("c", 3)], 3600).await?;
    let found: HashMap<String, i32> = cache.get_many(["a", "b", "x"]).await?;
    assert_eq!(found, HashMap::from([("a".into(), 1), ("b".into(), 2)]));
    assert_eq!(cache.delete_many(["a", "b", "x"]).await?, 2);

    // A key and its type, bound once.
    let visits = cache.bind::<u64>("visits");
    visits.set(&41, "1d").await?;
    assert_eq!(visits.get().await?, Some(41));

    // Patterns stay inside the prefix.
    let mut users: Vec<String> = cache.keys("user:*").try_collect().await?;
    users.sort();
    assert_eq!(users, ["user:1", "user:999"]);
    assert_eq!(cache.delete_pattern("user:*").await?, 2);

    // Another codec is another type, chosen at compile time; its entries and ours never mix.
    let archive = Cache::builder(backend)
        .prefix("larder-quickstart:archive")
        .serializer(Json)
        .compressor(Zstd::default())
        .build()?;
    archive.set("user:1", &alice, Ttl::FOREVER).await?;
    assert_eq!(archive.get("user:1").await?, Some(alice));
    assert_eq!(cache.get::<User>("archive:user:1").await?, None);
    assert_eq!(cache.stats().undecodable, 1);

    cache.clear().await?;
    assert_eq!(archive.get::<User>("user:1").await?, None);
    Ok(())
}
