//! The contract of a backend, held over whatever is between it and its servers.

use std::{sync::Arc, time::Duration};

use larder::{CacheBackend, conformance, conformance::Subject};
use testkit::RedisServer;

struct OnServers<'a, B, F> {
    backend: Arc<B>,
    servers: &'a [RedisServer],
    home: F,
}

impl<B, F> Subject for OnServers<'_, B, F>
where
    B: CacheBackend + 'static,
    F: Fn(&str) -> usize + Send + Sync,
{
    type Backend = B;

    fn backend(&self) -> Arc<B> {
        Arc::clone(&self.backend)
    }

    async fn pass(&self, span: Duration) {
        for server in self.servers {
            server.pass(span);
        }
    }

    async fn put_other_type(&self, key: &str) -> bool {
        self.at(key).command::<u64>(&["RPUSH", key, "one", "two"]) == 2
    }

    async fn other_type_stands(&self, key: &str) -> bool {
        let server = self.at(key);
        server.command::<Vec<String>>(&["LRANGE", key, "0", "-1"]) == ["one", "two"]
            && server.command::<i64>(&["PTTL", key]) == -1
    }
}

impl<B, F: Fn(&str) -> usize> OnServers<'_, B, F> {
    fn at(&self, key: &str) -> &RedisServer {
        &self.servers[(self.home)(key)]
    }
}

/// Holds `backend` to the contract; `home` tells at which of `servers` a key lives.
pub(crate) async fn hold<B: CacheBackend + 'static>(
    backend: B,
    servers: &[RedisServer],
    home: impl Fn(&str) -> usize + Send + Sync,
) {
    let subject = OnServers {
        backend: Arc::new(backend),
        servers,
        home,
    };
    conformance::backend(&subject).await;
}
