//! The contract, held against real servers.

use std::{sync::Arc, time::Duration};

use larder::{CacheBackend, conformance, conformance::Subject};
use testkit::RedisServer;

use crate::support::{backend, block_on};

struct OnRedis<'a, B> {
    server: &'a RedisServer,
    backend: Arc<B>,
}

impl<B: CacheBackend + 'static> Subject for OnRedis<'_, B> {
    type Backend = B;

    fn backend(&self) -> Arc<B> {
        Arc::clone(&self.backend)
    }

    async fn pass(&self, span: Duration) {
        self.server.pass(span);
    }

    async fn put_other_type(&self, key: &str) -> bool {
        self.server.command::<u64>(&["RPUSH", key, "one", "two"]) == 2
    }

    async fn other_type_stands(&self, key: &str) -> bool {
        self.server.command::<Vec<String>>(&["LRANGE", key, "0", "-1"]) == ["one", "two"]
            && self.server.command::<i64>(&["PTTL", key]) == -1
    }
}

async fn hold<B: CacheBackend + 'static>(server: &RedisServer, backend: B) {
    let subject = OnRedis {
        server,
        backend: Arc::new(backend),
    };
    conformance::backend(&subject).await;
}

#[test]
fn conformance_fred_resp3() {
    let server = RedisServer::start();
    block_on(async { hold(&server, backend(&server, true).await).await });
}

#[test]
fn conformance_fred_resp2() {
    let server = RedisServer::start();
    block_on(async { hold(&server, backend(&server, false).await).await });
}

#[test]
fn conformance_fred_unbatched() {
    let server = RedisServer::start();
    block_on(async { hold(&server, backend(&server, true).await.unbatched()).await });
}

#[test]
fn conformance_fred_in_an_arc() {
    let server = RedisServer::start();
    block_on(async { hold(&server, Arc::new(backend(&server, true).await)).await });
}

#[test]
fn conformance_fred_on_tokio_with_one_thread() {
    let server = RedisServer::start();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { hold(&server, backend(&server, true).await).await });
}
