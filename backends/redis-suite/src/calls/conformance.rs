//! The contract, held against real servers.

use std::{sync::Arc, time::Duration};

use larder::{CacheBackend, conformance, conformance::Subject};
use testkit::RedisServer;

use crate::{
    Client,
    support::{backend, block_on},
};

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

pub(crate) fn conformance_resp3<C: Client>() {
    let server = RedisServer::start();
    block_on(async { hold(&server, backend::<C>(&server, true).await).await });
}

pub(crate) fn conformance_resp2<C: Client>() {
    let server = RedisServer::start();
    block_on(async { hold(&server, backend::<C>(&server, false).await).await });
}

pub(crate) fn conformance_unbatched<C: Client>() {
    let server = RedisServer::start();
    block_on(async { hold(&server, C::unbatched(&backend::<C>(&server, true).await)).await });
}

pub(crate) fn conformance_in_an_arc<C: Client>() {
    let server = RedisServer::start();
    block_on(async { hold(&server, Arc::new(backend::<C>(&server, true).await)).await });
}

pub(crate) fn conformance_on_tokio_with_one_thread<C: Client>() {
    let server = RedisServer::start();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { hold(&server, backend::<C>(&server, true).await).await });
}
