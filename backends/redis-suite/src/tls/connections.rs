//! Connections under TLS, to a server with a certificate of an authority of the test's own.

use std::{
    io::Read,
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use larder::{CacheBackend, Error, ErrorKind};
use testkit::{Authority, Direction, Fault, FaultProxy, RedisServer, TlsServer};

use crate::{
    Client, Settings, Trust,
    hold::hold,
    support::{DEADLINE, MARGIN, block_on, eventually_async, round_trip, within},
};

fn refusal<C: Client>(settings: Settings) -> Error {
    match block_on(C::connect(settings)) {
        Ok(_) => panic!("connected"),
        Err(error) => error,
    }
}

pub(crate) fn tls_a_server_with_a_trusted_certificate_is_used<C: Client>() {
    let authority = Authority::new();
    let tls = TlsServer::start(&authority);
    for resp3 in [true, false] {
        block_on(async {
            let settings = Settings::new(tls.url()).with_resp3(resp3);
            let client = C::connect_strict(settings.with_trust(Trust::new(&authority)))
                .await
                .unwrap();
            round_trip(&client.backend(), "k").await;
            client.close().await;
        });
    }
    assert_eq!(tls.server().command::<String>(&["GET", "k"]), "value");
}

pub(crate) fn tls_a_certificate_that_is_not_trusted_is_an_error_at_once<C: Client>() {
    let authority = Authority::new();
    let ours = TlsServer::start(&authority);
    let elsewhere = TlsServer::start_named(&authority, "cache.internal");
    for settings in [
        Settings::new(ours.url()).with_trust(Trust::new(&Authority::new())),
        Settings::new(elsewhere.url()).with_trust(Trust::new(&authority)),
        // The authorities of the operating system.
        Settings::new(ours.url()),
    ] {
        let began = Instant::now();
        let error = refusal::<C>(settings);
        within(Duration::from_secs(2), began);
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    }
}

pub(crate) fn tls_a_server_without_tls_is_an_error_within_the_connect_timeout<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let url = format!("rediss://127.0.0.1:{}/0", server.port());
        let settings = Settings::new(url)
            .with_trust(Trust::new(&Authority::new()))
            .with_connect_timeout(DEADLINE);
        let began = Instant::now();
        assert!(C::connect_strict(settings).await.is_err());
        within(Duration::from_secs(2), began);
    });
}

pub(crate) fn tls_a_server_that_asks_for_a_certificate_gets_one<C: Client>() {
    let authority = Authority::new();
    let tls = TlsServer::start_mutual(&authority);
    let settings = |trust| Settings::new(tls.url()).with_trust(trust);
    block_on(async {
        let shown = Trust::new(&authority).with_identity(authority.identity());
        let client = C::connect_strict(settings(shown)).await.unwrap();
        round_trip(&client.backend(), "k").await;
        client.close().await;
    });

    let another = Authority::new().identity();
    for trust in [Trust::new(&authority), Trust::new(&authority).with_identity(another)] {
        let began = Instant::now();
        assert!(block_on(C::connect_strict(settings(trust))).is_err());
        within(Duration::from_secs(2), began);
    }
}

pub(crate) fn tls_a_connection_that_breaks_is_made_again<C: Client>() {
    let authority = Authority::new();
    let tls = TlsServer::start(&authority);
    let proxy = FaultProxy::start(tls.port());
    let url = format!("rediss://127.0.0.1:{}/0", proxy.port());
    block_on(async {
        let settings = Settings::new(url).with_trust(Trust::new(&authority));
        let client = C::connect_strict(settings.with_deadline(DEADLINE)).await.unwrap();
        let backend = client.backend();
        for fault in [Fault::Reset, Fault::Cut(7), Fault::Swallow, Fault::Trickle(DEADLINE)] {
            round_trip(&backend, "k").await;
            proxy.inject(Direction::ToClient, fault);
            let began = Instant::now();
            let error = backend.get("k").await.unwrap_err();
            within(DEADLINE + MARGIN, began);
            assert!(error.is_unavailable(), "{fault:?}: {error}");
            proxy.heal();
            let again = eventually_async("the connection is made again", async || client.ping().await.is_ok()).await;
            println!("{fault:?}: back after {again:?}");
        }
    });
}

/// What a server with a password is called, in every topology.
fn urls(port: u16) -> [String; 3] {
    let at = format!("app:hunter2@127.0.0.1:{port}");
    [
        format!("rediss://{at}/1"),
        format!("rediss-cluster://{at}"),
        format!("valkeys-sentinel://{at}?sentinelServiceName=main&sentinelPassword=hunter2"),
    ]
}

pub(crate) fn tls_no_word_goes_out_in_the_clear<C: Client>() {
    for url in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = urls(listener.local_addr().unwrap().port())[url].clone();
        let heard = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            // Until the client gives up.
            let _ = stream.read_to_end(&mut heard);
            heard
        });
        let settings = Settings::new(url).with_trust(Trust::new(&Authority::new()));
        let connecting = C::connect_strict(settings.with_connect_timeout(DEADLINE));
        block_on(connecting).unwrap_err();
        let heard = heard.join().unwrap();
        // The record of a handshake, in which a client hello has no room for a secret.
        assert_eq!(heard[..2], [0x16, 0x03]);
        let text = String::from_utf8_lossy(&heard);
        for word in ["hunter2", "HELLO", "AUTH", "SENTINEL", "CLUSTER"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}

pub(crate) fn tls_conformance<C: Client>() {
    let authority = Authority::new();
    let tls = TlsServer::start(&authority);
    block_on(async {
        let settings = Settings::new(tls.url()).with_trust(Trust::new(&authority));
        let client = C::connect_strict(settings).await.unwrap();
        hold(client.backend(), std::slice::from_ref(tls.server()), |_| 0).await;
    });
}
