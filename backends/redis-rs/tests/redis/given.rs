//! Connections that their owner has made.

use larder::{CacheBackend, ErrorKind, Expiry, SetItem, SetOptions};
use larder_redis_rs::{ConnectionManager, redis};
use testkit::RedisServer;

#[test]
fn a_connection_of_the_users_is_used_and_never_ended() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = redis::Client::open(server.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let manager = ConnectionManager::from_connection(connection.clone()).unwrap();
        let backend = manager.backend();
        let forever = || SetOptions::new(Expiry::Never);
        let written = backend.set("k", "value".into(), forever()).await.unwrap();
        assert!(written.is_done());
        assert_eq!(backend.head("k", 3).await.unwrap().unwrap().bytes(), "val");
        let items = (0..1_100).map(|i| SetItem::new(format!("k{i}"), "v", forever()));
        for written in backend.set_many(items.collect()).await {
            assert!(written.unwrap().is_done());
        }
        server.command::<()>(&["RPUSH", "list", "x"]);
        assert!(backend.get("list").await.unwrap().is_none());
        assert_eq!(backend.wrong_type_reads(), 1);

        manager.close().await;
        assert_eq!(manager.ping().await.unwrap_err().kind(), ErrorKind::Connection);
        drop((manager, backend));
        redis::cmd("PING").exec_async(&mut connection).await.unwrap();
    });
}

#[test]
fn a_connection_of_the_users_that_comes_back_by_itself_does_so_here() {
    let mut server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = redis::Client::open(server.url()).unwrap();
        let config = redis::aio::ConnectionManagerConfig::new().set_number_of_retries(0);
        let connection = client.get_connection_manager_with_config(config).await.unwrap();
        let manager = ConnectionManager::from_connection(connection).unwrap();
        manager.ping().await.unwrap();
        server.stop();
        assert!(manager.ping().await.unwrap_err().is_unavailable());
        server.restart();
        let mut tries = 0;
        while let Err(error) = manager.ping().await {
            assert!(error.is_unavailable(), "{error}");
            tries += 1;
            assert!(tries < 1_000, "it never comes back");
            smol::Timer::after(std::time::Duration::from_millis(10)).await;
        }
    });
}
