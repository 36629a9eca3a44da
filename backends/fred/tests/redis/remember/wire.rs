//! Bytes under a key that are no entry of this cache's.

use larder::{Cache, CacheBackend, LoadOptions, Loaded, Serializer, Source};
use larder_fred::FredBackend;
use testkit::RedisServer;

use super::support::{KEY, connect, is_value, raw, runtime};
use crate::support::config;

const LONG: &str = "a value that is long enough to be cut and bent in many places";

/// Checks that `bytes` are a miss to `remember`, which loads once and stores over them.
async fn is_loaded_over<S: Serializer + 'static>(
    server: &RedisServer,
    cache: &Cache<FredBackend, S>,
    bytes: &[u8],
    what: &str,
) {
    let set: [&[u8]; 3] = [b"SET", KEY.as_bytes(), bytes];
    server.command::<()>(&set);
    if let Ok(found) = cache.get::<String>("key").await {
        assert_eq!(found, None, "{what}");
    }
    for source in [Source::Loaded, Source::Hit] {
        let load = async || Ok::<_, &str>(Loaded::value(String::from("loaded")));
        let answer = cache
            .remember_with("key", "1h", &LoadOptions::new(), load)
            .await
            .unwrap();
        assert_eq!(
            (answer.value.as_deref(), answer.source),
            (Some("loaded"), source),
            "{what}"
        );
    }
    assert!(is_value(raw(server, KEY).as_ref()), "{what}");

    server.command::<()>(&set);
    for loads in [1, 0] {
        let mut loaded = 0;
        let load = |missing: Vec<u8>| {
            loaded += missing.len();
            async move {
                Ok::<_, &str>(
                    missing
                        .into_iter()
                        .map(|id| (id, String::from("batch")))
                        .collect::<Vec<_>>(),
                )
            }
        };
        let found = cache.remember_many([1], |_| "key".into(), "1h", load).await.unwrap();
        assert_eq!((found[&1].as_str(), loaded), ("batch", loads), "{what}");
    }
}

#[test]
fn scenario_10_wire_foreign_and_damaged_bytes_are_loaded_over() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let backend = connect(config(&server, true)).await;
        let cache = Cache::builder(backend).prefix("app").build().unwrap();
        cache.set("key", LONG, "1h").await.unwrap();
        let entry = raw(&server, KEY).unwrap();
        assert_eq!(cache.get::<String>("key").await.unwrap().as_deref(), Some(LONG));

        for foreign in [
            &b""[..],
            b"0",
            b"plain text",
            b"\xF5",
            b"\xF5L",
            b"\xF5L\x01",
            b"\xF5L\x02V",
            b"\0\0\0\0",
            &[0xFF; 200],
        ] {
            is_loaded_over(&server, &cache, foreign, &format!("{foreign:?}")).await;
        }
        for length in 0..entry.len() {
            is_loaded_over(&server, &cache, &entry[..length], &format!("cut to {length}")).await;
        }
        for at in 0..entry.len() {
            let mut bent = entry.clone();
            bent[at] ^= 0x10;
            // What a lease rewrites is not covered by the checksum, and neither is the fence's use of it.
            if cache_reads(&server, &cache, &bent).await {
                continue;
            }
            is_loaded_over(&server, &cache, &bent, &format!("bit flipped at {at}")).await;
        }
        let mut longer = entry.clone();
        longer.push(0);
        is_loaded_over(&server, &cache, &longer, "a byte more").await;
    });
}

/// Tells whether the value in `bytes` is still the right one.
async fn cache_reads(server: &RedisServer, cache: &Cache<FredBackend>, bytes: &[u8]) -> bool {
    let set: [&[u8]; 3] = [b"SET", KEY.as_bytes(), bytes];
    server.command::<()>(&set);
    let found: Option<String> = cache.get("key").await.unwrap();
    assert!(found.is_none() || found.as_deref() == Some(LONG));
    found.is_some()
}

#[test]
fn scenario_10_wire_another_schema_codec_or_key_is_loaded_over() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let backend = connect(config(&server, true)).await;
        let builder = || Cache::builder(backend.clone()).prefix("app");
        let (old, new) = (builder().build().unwrap(), builder().schema_version(1).build().unwrap());
        let json = builder().serializer(larder::Json).build().unwrap();

        old.set("key", LONG, "1h").await.unwrap();
        let of_old = raw(&server, KEY).unwrap();
        new.set("key", LONG, "1h").await.unwrap();
        let of_new = raw(&server, KEY).unwrap();
        json.set("key", LONG, "1h").await.unwrap();
        let of_json = raw(&server, KEY).unwrap();
        old.set("other", LONG, "1h").await.unwrap();
        let of_other = raw(&server, "app:other").unwrap();

        is_loaded_over(&server, &new, &of_old, "an older schema").await;
        is_loaded_over(&server, &old, &of_new, "a newer schema").await;
        is_loaded_over(&server, &old, &of_json, "another codec").await;
        is_loaded_over(&server, &json, &of_old, "another codec").await;
        is_loaded_over(&server, &old, &of_other, "another key's entry").await;

        // A rolling upgrade: both versions answer their own callers, whoever stored last.
        old.delete("key").await.unwrap();
        for _ in 0..3 {
            for (cache, version) in [(&old, "old"), (&new, "new")] {
                let found = cache
                    .remember("key", "1h", async || Ok::<_, &str>(String::from(version)))
                    .await;
                assert_eq!(found.unwrap(), version);
                assert_eq!(cache.get::<String>("key").await.unwrap().as_deref(), Some(version));
            }
        }
        assert!(backend.get("app:key").await.unwrap().is_some());
    });
}
