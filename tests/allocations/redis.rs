//! What larder adds to what fred allocates for the same command.

use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use larder::Cache;
use larder_fred::{
    ConnectionManager, FredBackend, RedisConfig,
    fred::{
        clients::Client,
        interfaces::{ClientLike, KeysInterface},
        types::{Expiration, config::Config},
    },
};
use testkit::RedisServer;

use super::{HERE, Position, allocations};

/// A client and a cache on one server, whose own work is done on other threads.
struct World {
    _server: RedisServer,
    _runtime: tokio::runtime::Runtime,
    raw: Client,
    cache: Cache<FredBackend>,
}

impl World {
    fn new() -> Self {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let raw = Client::new(Config::from_url(&server.url()).unwrap(), None, None, None);
        runtime.block_on(raw.init()).unwrap();
        let config = RedisConfig::from_url(&server.url())
            .unwrap()
            .with_deadline(Duration::from_secs(5));
        let manager = ConnectionManager::from_config_strict_blocking(config).unwrap();
        let cache = Cache::builder(manager.backend()).prefix("app").build().unwrap();
        block_on(cache.set("here", &HERE, "1h")).unwrap();
        Self {
            _server: server,
            _runtime: runtime,
            raw,
            cache,
        }
    }
}

/// Whether fred's answer is there when it is first asked for decides what waking costs, so the least of many is taken.
fn least(mut call: impl FnMut()) -> u64 {
    (0..20).map(|_| allocations(&mut call)).min().unwrap()
}

#[test]
fn a_redis_hit_adds_one_allocation() {
    let world = World::new();
    let beneath = least(|| {
        let found: Option<Bytes> = block_on(world.raw.get("app:here")).unwrap();
        assert!(found.is_some());
    });
    let whole = least(|| assert_eq!(block_on(world.cache.get::<Position>("here")).unwrap(), Some(HERE)));
    assert_eq!(whole - beneath, 1, "fred {beneath}, larder {whole}");
}

#[test]
fn a_redis_write_adds_two_allocations() {
    let world = World::new();
    let value = Bytes::from_static(&[7; 60]);
    let beneath = least(|| {
        let life = Some(Expiration::PX(3_600_000));
        block_on(world.raw.set::<(), _, _>("app:raw", value.clone(), life, None, false)).unwrap();
    });
    let whole = least(|| block_on(world.cache.set("here", &HERE, "1h")).unwrap());
    assert_eq!(whole - beneath, 2, "fred {beneath}, larder {whole}");
}
