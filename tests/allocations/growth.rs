//! What calls on all keys of a server hold at once, which is the same however many keys there are.

use allocation_counter::measure;
use futures::TryStreamExt;
use larder::{Cache, CacheBackend, ErrorKind, Result};
use larder_fred::{
    FredBackend,
    fred::{clients::Client, interfaces::ClientLike, types::config::Config},
};
use larder_redis_rs::{RedisRsBackend, redis};
use testkit::RedisServer;
use tokio::runtime::{Builder, Runtime};

const FEW: u64 = 20_000;
const MANY: u64 = 200_000;

/// What a page of 512 keys takes at the most, from the socket's buffer to the last `String`.
const PAGE: u64 = 128 * 1024;

/// A page, and what a client keeps besides.
const BOUND: u64 = 2 * PAGE;

/// How often a machine may be too slow for a page's deadline, which says nothing of memory.
const ATTEMPTS: usize = 10;

/// A client that was made here, so that its tasks run on the thread that waits, and all of its memory is counted.
async fn fred(url: &str) -> FredBackend {
    let client = Client::new(Config::from_url(url).unwrap(), None, None, None);
    client.init().await.unwrap();
    larder_fred::ConnectionManager::from_client(client).unwrap().backend()
}

/// As [`fred`].
async fn redis_rs(url: &str) -> RedisRsBackend {
    let client = redis::Client::open(url).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let manager = larder_redis_rs::ConnectionManager::from_connection(connection);
    manager.unwrap().backend()
}

/// The most bytes that listing all of `keys`, and then removing them, hold at once.
fn peaks<B: CacheBackend>(keys: u64, connect: &impl AsyncFn(&str) -> B) -> [u64; 2] {
    let server = RedisServer::start_debuggable();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let backend = runtime.block_on(connect(&server.url()));
    let cache = Cache::builder(backend).prefix("app").build().unwrap();
    for _ in 0..ATTEMPTS {
        server.command::<()>(&["DEBUG", "POPULATE", &keys.to_string(), "app"]);
        match attempt(&runtime, &cache) {
            Ok((counts, peaks)) => {
                assert_eq!(counts, [keys; 2]);
                return peaks;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout, "{error}"),
        }
    }
    panic!("no page was answered in time in one of {ATTEMPTS} attempts");
}

fn attempt<B: CacheBackend>(runtime: &Runtime, cache: &Cache<B>) -> Result<([u64; 2], [u64; 2])> {
    // What is kept from call to call is there already.
    runtime.block_on(cache.delete_pattern("none:*"))?;
    let (mut listed, mut removed) = (Ok(0), Ok(0));
    let listing = measure(|| {
        let count = cache.keys("*").try_fold(0, async |count, _| Ok(count + 1));
        listed = runtime.block_on(count);
    });
    let removing = measure(|| removed = runtime.block_on(cache.delete_pattern("*")));
    Ok(([listed?, removed?], [listing.bytes_max, removing.bytes_max]))
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
    check(peaks(FEW, &fred), peaks(MANY, &fred));
}

#[test]
fn listing_and_removing_keys_through_redis_rs_holds_a_page_however_many_there_are() {
    check(peaks(FEW, &redis_rs), peaks(MANY, &redis_rs));
}
