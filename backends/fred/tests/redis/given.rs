//! Clients that their owner has made.

use fred::{interfaces::ClientLike, prelude::Builder};
use larder::ErrorKind;
use larder_fred::{ConnectionManager, fred};
use testkit::{RedisCluster, RedisServer};

use crate::support::eventually;

#[test]
fn a_client_of_the_users_is_used_and_never_ended() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = fred::types::config::Config::from_url(&server.url()).unwrap();
        let client = Builder::from_config(config).build().unwrap();
        client.init().await.unwrap();

        let manager = ConnectionManager::from_client(client.clone()).unwrap();
        crate::support::round_trip(&manager.backend(), "k").await;
        manager.close().await;
        assert_eq!(manager.ping().await.unwrap_err().kind(), ErrorKind::Connection);
        drop(manager);
        client.ping::<()>(None).await.unwrap();
        client.quit().await.unwrap();
    });
}

#[test]
fn a_client_of_the_users_on_a_cluster_is_used_and_a_slot_that_moves_is_followed() {
    let cluster = RedisCluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = fred::types::config::Config::from_url(&cluster.url()).unwrap();
        let client = Builder::from_config(config).build().unwrap();
        client.init().await.unwrap();
        let manager = ConnectionManager::from_client(client.clone()).unwrap();
        let backend = manager.backend();
        crate::support::round_trip(&backend, "k").await;
        let (from, slot) = (cluster.home_of("k"), cluster.slot_of("k"));
        let to = (from + 1) % 3;
        cluster.begin_move(slot, from, to);
        assert_eq!(cluster.move_keys(slot, from, to, 10), 1);
        crate::support::round_trip(&backend, "k").await;
        cluster.end_move(slot, to);
        crate::support::round_trip(&backend, "k").await;
        manager.close().await;
        client.ping::<()>(None).await.unwrap();
        client.quit().await.unwrap();
    });
    eventually("the tasks are gone", || runtime.metrics().num_alive_tasks() == 0);
}
