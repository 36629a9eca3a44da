//! Connections that break without a word.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use larder::CacheBackend;
use larder_fred::{ConnectionManager, RedisConfig};
use testkit::RedisServer;

use crate::support::{clients, eventually, eventually_async, forever, on_every_runtime};

/// A relay whose first connections can be made to swallow everything, as a firewall does that forgot them.
struct Relay {
    port: u16,
    silent: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Relay {
    fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::new(AtomicUsize::new(0));
        let (silenced, count) = (Arc::clone(&silent), Arc::clone(&accepted));
        thread::spawn(move || {
            for near in listener.incoming() {
                let (near, number) = (near.unwrap(), count.fetch_add(1, Ordering::SeqCst) + 1);
                let far = TcpStream::connect(("127.0.0.1", target)).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let silenced = Arc::clone(&silenced);
                    thread::spawn(move || relay(from, to, || silenced.load(Ordering::SeqCst) >= number));
                }
            }
        });
        Self { port, silent, accepted }
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, silent: impl Fn() -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !silent() && to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// What is called until a silent connection is found out.
#[derive(Debug, Clone, Copy)]
enum Call {
    Ping,
    Get,
    Set,
}

impl Call {
    async fn succeeds(self, manager: &ConnectionManager) -> bool {
        let backend = manager.backend();
        match self {
            Self::Ping => manager.ping().await.is_ok(),
            Self::Get => backend.get("k").await.is_ok(),
            Self::Set => backend.set("k", Bytes::from_static(b"v"), forever()).await.is_ok(),
        }
    }

    /// [`succeeds`](Self::succeeds), given up after `patience`.
    async fn succeeds_within(self, patience: Duration, manager: &ConnectionManager) -> bool {
        let given_up = async {
            smol::Timer::after(patience).await;
            false
        };
        smol::future::or(self.succeeds(manager), given_up).await
    }
}

/// Silences the connection and calls until a new one answers.
async fn found_out(call: Call, deadline: Duration, patience: Duration) {
    let server = RedisServer::start();
    let relay = Relay::start(server.port());
    let config = RedisConfig::from_url(&format!("redis://127.0.0.1:{}", relay.port))
        .unwrap()
        .with_deadline(deadline)
        .with_connect_timeout(Duration::from_secs(5));
    let manager = ConnectionManager::from_config_strict(config).await.unwrap();
    // Twice, because the first replacement must leave the client as good as new.
    for _ in 0..2 {
        eventually_async("the connection is used", async || manager.ping().await.is_ok()).await;
        relay
            .silent
            .store(relay.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
        let began = Instant::now();
        eventually_async(&format!("a new connection answers {call:?}"), async || {
            call.succeeds_within(patience, &manager).await
        })
        .await;
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{call:?}: {:?}",
            began.elapsed()
        );
    }
    eventually("the silent connections are gone", || clients(&server) == 1);
    manager.close().await;
    eventually("the last connection is gone", || clients(&server) == 0);
}

/// [`found_out`] by each kind of call, side by side: most of it is waiting.
fn found_out_by_every_call(deadline: Duration, patience: Duration) {
    thread::scope(|scope| {
        for call in [Call::Ping, Call::Get, Call::Set] {
            scope.spawn(move || on_every_runtime(async || found_out(call, deadline, patience).await));
        }
    });
}

#[test]
fn a_connection_that_went_silent_is_replaced_and_leaves_no_socket() {
    found_out_by_every_call(Duration::from_millis(100), Duration::from_secs(10));
}

#[test]
fn a_silent_connection_is_replaced_where_every_caller_gives_up_before_the_deadline() {
    found_out_by_every_call(Duration::from_millis(250), Duration::from_millis(100));
}
