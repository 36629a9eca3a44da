//! Connections that break without a word.

use std::{
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use larder::{CacheBackend, ErrorKind};
use testkit::{Direction, Fault, FaultProxy, RedisServer};

use crate::{
    Client, Settings,
    scripted::{Answer, Scripted},
    support::{block_on, brief, clients, eventually, eventually_async, forever, on_every_runtime},
};

/// What is called until a silent connection is found out.
#[derive(Debug, Clone, Copy)]
enum Call {
    Ping,
    Get,
    Set,
}

impl Call {
    async fn succeeds<C: Client>(self, client: &C) -> bool {
        let backend = client.backend();
        match self {
            Self::Ping => client.ping().await.is_ok(),
            Self::Get => backend.get("k").await.is_ok(),
            Self::Set => backend.set("k", Bytes::from_static(b"v"), forever()).await.is_ok(),
        }
    }

    /// [`succeeds`](Self::succeeds), given up after `patience`.
    async fn succeeds_within<C: Client>(self, patience: Duration, client: &C) -> bool {
        let given_up = async {
            smol::Timer::after(patience).await;
            false
        };
        smol::future::or(self.succeeds(client), given_up).await
    }
}

/// Silences the connection and calls until a new one answers.
async fn found_out<C: Client>(call: Call, deadline: Duration, patience: Duration) {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    let settings = Settings::new(proxy.url()).with_deadline(deadline);
    let client = C::connect_strict(settings).await.unwrap();
    // Twice, because the first replacement must leave the client as good as new.
    for _ in 0..2 {
        eventually_async("the connection is used", async || client.ping().await.is_ok()).await;
        for direction in Direction::ALL {
            proxy.inject(direction, Fault::Swallow);
        }
        // What the connection swallows now, it has swallowed for good; the next one is sound.
        let _ = call.succeeds_within(patience, &client).await;
        let began = Instant::now();
        proxy.heal();
        eventually_async(&format!("a new connection answers {call:?}"), async || {
            call.succeeds_within(patience, &client).await
        })
        .await;
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{call:?}: {:?}",
            began.elapsed()
        );
    }
    eventually("the silent connections are gone", || clients(&server) == 1);
    client.close().await;
    eventually("the last connection is gone", || clients(&server) == 0);
}

/// [`found_out`] by each kind of call, side by side: most of it is waiting.
fn found_out_by_every_call<C: Client>(deadline: Duration, patience: Duration) {
    thread::scope(|scope| {
        for call in [Call::Ping, Call::Get, Call::Set] {
            scope.spawn(move || on_every_runtime(async || found_out::<C>(call, deadline, patience).await));
        }
    });
}

pub(crate) fn outage_a_connection_that_went_silent_is_replaced_and_leaves_no_socket<C: Client>() {
    found_out_by_every_call::<C>(Duration::from_millis(100), Duration::from_secs(10));
}

pub(crate) fn outage_a_silent_connection_is_replaced_where_every_caller_gives_up_before_the_deadline<C: Client>() {
    found_out_by_every_call::<C>(Duration::from_millis(250), Duration::from_millis(100));
}

pub(crate) fn outage_a_silent_connection_is_replaced_though_nobody_calls_again<C: Client>() {
    let server = Scripted::start(|command, _| match command {
        "GET silent" => Answer::FallSilent,
        _ => Answer::Greet,
    });
    block_on(async {
        let client: C = brief(server.url()).await;
        let made = server.accepted();
        let error = client.backend().get("silent").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        eventually("it is replaced", || server.accepted() > made);
        eventually_async("the new one answers", async || client.ping().await.is_ok()).await;
        assert_eq!(server.commands("GET silent"), 1);
    });
}

pub(crate) fn outage_writes_with_little_time_replace_no_connection_that_answers<C: Client>() {
    on_every_runtime(async || {
        let server = RedisServer::start();
        let proxy = FaultProxy::start(server.port());
        let client: C = brief(proxy.url()).await;
        let backend = client.backend();
        backend.set("k", Bytes::from_static(b"v"), forever()).await.unwrap();
        let made = proxy.accepted();
        proxy.inject(Direction::ToClient, Fault::Delay(Duration::from_millis(20)));
        let little = forever().with_deadline(Duration::from_millis(2));
        // Longer than a connection may be silent.
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            let late = backend.set("k", Bytes::from_static(b"v"), little.clone()).await;
            assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
        }
        assert_eq!(proxy.accepted(), made);
    });
}
