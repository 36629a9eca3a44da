//! A server that is stopped in the middle of large values.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use larder::{CacheBackend, ErrorKind};
use testkit::RedisServer;

use crate::{
    Client,
    support::{DEADLINE, MARGIN, brief, clients, eventually, eventually_async, forever, on_every_runtime, within},
};

const LARGE: usize = 1 << 20;
const CALLS: usize = 40;

fn large() -> Bytes {
    Bytes::from(vec![7; LARGE])
}

/// Copying so many megabytes takes the test's own machine its time.
const HEAVY: Duration = Duration::from_secs(1);

pub(crate) fn outage_a_frozen_server_bounds_calls_with_large_values_and_is_found_when_it_thaws<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let client: C = brief(server.url()).await;
        let backend = client.backend();
        backend.set("large", large(), forever()).await.unwrap();
        server.freeze();

        // More than the sockets take in: the client's writer stalls with them.
        let began = Instant::now();
        let keys: Vec<String> = (0..CALLS).map(|i| format!("k{i}")).collect();
        let written = join_all(keys.iter().map(|key| backend.set(key, large(), forever()))).await;
        within(DEADLINE + MARGIN + HEAVY, began);
        for error in written.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
        // Long enough that the silence is found out and connecting hangs too.
        let silent = Instant::now();
        while silent.elapsed() < Duration::from_secs(2) {
            let began = Instant::now();
            let error = backend.get("large").await.unwrap_err();
            within(DEADLINE + MARGIN, began);
            assert!(error.is_unavailable(), "{error}");
        }
        server.thaw();
        let back = eventually_async("the server is found", async || client.ping().await.is_ok()).await;
        println!("back {back:?} after the thaw");
        assert!(back < Duration::from_millis(1_500), "{back:?}");
        let read = backend.get("large").await.unwrap().unwrap();
        assert_eq!(read.bytes(), &large());
        client.close().await;
        eventually("no connection is left", || clients(&server) == 0);
    });
}
