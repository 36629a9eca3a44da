//! What start-up does when something is wrong.

use std::time::{Duration, Instant};

use larder::{CacheBackend, ErrorKind};
use testkit::RedisServer;

use crate::{
    Client,
    support::{block_on, config_of, eventually, forever, patient},
};

fn url_of(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/0")
}

pub(crate) fn a_server_started_after_connect_is_found_within_a_second<C: Client>() {
    let port = RedisServer::reserve_port();
    block_on(async {
        let began = Instant::now();
        let manager = C::from_config(config_of(&url_of(port))).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let backend = manager.backend();
        let error = backend.get("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        let expected = format!("get: not connected to 127.0.0.1:{port}: Connection refused");
        assert_eq!(error.to_string(), expected);

        let _server = RedisServer::start_on(port);
        let up = Instant::now();
        eventually("the server is found", || block_on_ping(&manager));
        assert!(up.elapsed() < Duration::from_millis(1_500), "{:?}", up.elapsed());
        backend.set("k", "v".into(), forever()).await.unwrap();
    });
}

// A nested `block_on` of the futures crate panics.
fn block_on_ping(manager: &impl Client) -> bool {
    smol::block_on(manager.ping()).is_ok()
}

pub(crate) fn strict_connecting_fails_where_the_server_is_away<C: Client>() {
    let port = RedisServer::reserve_port();
    for url in [url_of(port), format!("redis-cluster://127.0.0.1:{port}")] {
        let error = block_on(C::from_config_strict(patient(&url))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.to_string().contains("Connection refused"), "{error}");
        assert_eq!(error.operation(), Some("connect"));
    }
}

pub(crate) fn a_server_that_accepts_and_says_nothing_is_away_within_the_connect_timeout<C: Client>() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url_of(silent.local_addr().unwrap().port());
    let began = Instant::now();
    block_on(async {
        let manager = C::from_config(config_of(&url)).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(manager.ping().await.unwrap_err().kind(), ErrorKind::Connection);
        let error = C::from_config_strict(config_of(&url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
    });
}

pub(crate) fn a_wrong_password_is_an_error_at_once_that_does_not_tell_it<C: Client>() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    for resp3 in [true, false] {
        for userinfo in [":hunter2@", "someone:hunter2@", ""] {
            let url = format!("redis://{userinfo}127.0.0.1:{}/0", server.port());
            let config = patient(&url).with_resp3(resp3);
            let error = block_on(C::from_config(config)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
            let text = format!("{error} {error:?}");
            assert!(text.contains("WRONGPASS") || text.contains("NOAUTH"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
        let url = format!("redis://:right@127.0.0.1:{}/0", server.port());
        let config = patient(&url).with_resp3(resp3);
        let manager = block_on(C::from_config(config)).unwrap();
        assert!(!format!("{manager:?} {:?}", manager.backend()).contains("right"));
        block_on(manager.ping()).unwrap();
    }
}

pub(crate) fn a_lazy_connection_with_a_wrong_password_says_so_in_every_call<C: Client>() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let url = format!("redis://:hunter2@127.0.0.1:{}/0", server.port());
    let manager = C::from_config_lazy(config_of(&url)).unwrap();
    eventually("the reason is told", || {
        let error = block_on(manager.ping()).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        error.kind() == ErrorKind::Connection && error.to_string().contains("WRONGPASS")
    });
}

pub(crate) fn a_server_that_is_full_is_away_until_there_is_room<C: Client>() {
    let server = RedisServer::start();
    let admin = server.session();
    admin.command(&["CONFIG", "SET", "maxclients", "1"]);
    block_on(async {
        let error = C::from_config_strict(patient(&server.url())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        let manager = C::from_config(patient(&server.url())).await.unwrap();
        assert!(manager.backend().get("k").await.unwrap_err().is_unavailable());
        admin.command(&["CONFIG", "SET", "maxclients", "100"]);
        let room = Instant::now();
        eventually("there is room", || block_on_ping(&manager));
        assert!(room.elapsed() < Duration::from_millis(1_500), "{:?}", room.elapsed());
    });
}

pub(crate) fn a_database_the_server_does_not_have_is_an_error_at_once<C: Client>() {
    let server = RedisServer::start_with(&["--databases", "2"]);
    let url = format!("redis://127.0.0.1:{}/9", server.port());
    let error = block_on(C::from_config(patient(&url))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.to_string().contains("DB index is out of range"), "{error}");
}

pub(crate) fn a_cluster_url_of_a_server_that_is_none_is_an_error_at_once<C: Client>() {
    let server = RedisServer::start();
    let url = format!("redis-cluster://127.0.0.1:{}", server.port());
    let error = block_on(C::from_config(patient(&url))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.to_string().contains("cluster support disabled"), "{error}");
}

pub(crate) fn a_database_of_ones_own_is_used<C: Client>() {
    let server = RedisServer::start();
    let url = format!("valkey://127.0.0.1:{}/3", server.port());
    block_on(async {
        let backend = C::from_config_strict(patient(&url)).await.unwrap().backend();
        backend.set("k", "v".into(), forever()).await.unwrap();
    });
    assert!(server.command::<String>(&["INFO", "keyspace"]).contains("db3:keys=1"));
}

pub(crate) fn a_unix_socket_is_used_with_its_database_and_password<C: Client>() {
    let dir = tempfile::TempDir::with_prefix("larder-socket-").unwrap();
    let socket = dir.path().join("redis.sock");
    let socket = socket.to_str().unwrap();
    let mut server = RedisServer::start_with(&["--unixsocket", socket, "--requirepass", "right"]);
    let url = format!("redis+unix://:right@localhost{socket}?db=2");
    block_on(async {
        let config = patient(&url);
        let backend = C::from_config_strict(config).await.unwrap().backend();
        backend.set("k", "v".into(), forever()).await.unwrap();
        server.stop();
        assert!(backend.get("k").await.unwrap_err().is_unavailable());
        server.restart();
        let up = Instant::now();
        eventually("the socket is found again", || smol::block_on(backend.get("k")).is_ok());
        assert!(up.elapsed() < Duration::from_millis(1_500), "{:?}", up.elapsed());
        backend.set("k", "v".into(), forever()).await.unwrap();
    });
    assert!(server.command::<String>(&["INFO", "keyspace"]).contains("db2:keys=1"));
}
