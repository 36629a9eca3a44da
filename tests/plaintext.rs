//! Redis clients that were built without TLS, as they are for the examples and for nothing else that is built here.
//!
//! Left out of `cargo test`, where `--all-features` builds them with it.

use std::net::TcpListener;

use futures::executor::block_on;
use larder::ErrorKind;

macro_rules! refused_by {
    ($krate:ident, $url:expr) => {{
        use $krate::{ConnectionManager, RedisConfig};

        let config = || RedisConfig::from_url($url).unwrap();
        for refused in [
            block_on(ConnectionManager::connect($url)),
            block_on(ConnectionManager::connect_strict($url)),
            block_on(ConnectionManager::from_config(config())),
            block_on(ConnectionManager::from_config_strict(config())),
            ConnectionManager::lazy($url),
            ConnectionManager::from_config_lazy(config()),
            ConnectionManager::connect_blocking($url),
            ConnectionManager::connect_strict_blocking($url),
            ConnectionManager::from_config_blocking(config()),
            ConnectionManager::from_config_strict_blocking(config()),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.message().contains("without its feature `rustls`"), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }};
}

#[test]
fn a_url_that_asks_for_tls_is_refused_and_no_byte_goes_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = format!("app:hunter2@127.0.0.1:{}", listener.local_addr().unwrap().port());
    for url in [
        format!("rediss://{at}/1"),
        format!("rediss-cluster://{at}"),
        format!("valkeys-sentinel://{at}?sentinelServiceName=main&sentinelPassword=hunter2"),
    ] {
        refused_by!(larder_fred, &url);
        refused_by!(larder_redis_rs, &url);
    }
    let knock = listener.accept().unwrap_err();
    assert_eq!(knock.kind(), std::io::ErrorKind::WouldBlock, "somebody connected");
}
