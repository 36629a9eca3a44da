//! What calls on all keys of a server hold at once, which is the same however many keys there are.

use std::time::Duration;

use allocation_counter::measure;
use futures::TryStreamExt;
use larder::{Cache, CacheBackend};
use larder_fred::FredBackend;
use larder_redis_rs::RedisRsBackend;
use testkit::RedisServer;
use tokio::runtime::{Builder, Runtime};

const FEW: u64 = 20_000;
const MANY: u64 = 200_000;

/// What a page of 512 keys takes at the most, from the socket's buffer to the last `String`.
const PAGE: u64 = 128 * 1024;

/// A page, and what a client keeps besides.
const BOUND: u64 = 2 * PAGE;

/// A deadline that a machine with much else to do meets.
const PATIENT: Duration = Duration::from_secs(30);

async fn fred(url: &str) -> FredBackend {
    let config = larder_fred::RedisConfig::from_url(url).unwrap();
    let config = config.with_deadline(PATIENT).with_shared_runtime(true);
    let manager = larder_fred::ConnectionManager::from_config_strict(config).await;
    manager.unwrap().backend()
}

async fn redis_rs(url: &str) -> RedisRsBackend {
    let config = larder_redis_rs::RedisConfig::from_url(url).unwrap();
    let config = config.with_deadline(PATIENT).with_shared_runtime(true);
    let manager = larder_redis_rs::ConnectionManager::from_config_strict(config).await;
    manager.unwrap().backend()
}

/// A client whose every task runs on the thread that waits, so that all of its memory is counted.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The most bytes that listing all of `keys`, and then removing them, hold at once.
fn peaks<B: CacheBackend>(keys: u64, connect: impl AsyncFn(&str) -> B) -> [u64; 2] {
    let server = RedisServer::start_debuggable();
    server.command::<()>(&["DEBUG", "POPULATE", &keys.to_string(), "app"]);
    let runtime = runtime();
    let backend = runtime.block_on(connect(&server.url()));
    let cache = Cache::builder(backend).prefix("app").build().unwrap();
    assert_eq!(runtime.block_on(cache.delete_pattern("none:*")).unwrap(), 0);

    let listing = measure(|| {
        let mut listed = 0;
        runtime.block_on(async {
            let mut pages = cache.keys("*");
            while pages.try_next().await.unwrap().is_some() {
                listed += 1;
            }
        });
        assert_eq!(listed, keys);
    });
    let removing = measure(|| assert_eq!(runtime.block_on(cache.delete_pattern("*")).unwrap(), keys));
    [listing.bytes_max, removing.bytes_max]
}

fn check(few: [u64; 2], many: [u64; 2]) {
    for (call, few, many) in [("keys", few[0], many[0]), ("delete_pattern", few[1], many[1])] {
        println!("{call}: {few} bytes of {FEW} keys, {many} of {MANY}");
        assert!(
            many <= few + PAGE,
            "{call}: {few} bytes of {FEW} keys, {many} of {MANY}"
        );
        assert!(many <= BOUND, "{call}: {many} bytes of {MANY} keys");
    }
}

#[test]
fn listing_and_removing_keys_through_fred_holds_a_page_however_many_there_are() {
    check(peaks(FEW, fred), peaks(MANY, fred));
}

#[test]
fn listing_and_removing_keys_through_redis_rs_holds_a_page_however_many_there_are() {
    check(peaks(FEW, redis_rs), peaks(MANY, redis_rs));
}
