//! A cluster that speaks TLS, to its clients and among its nodes.

use bytes::Bytes;
use larder::{CacheBackend, SetItem};
use testkit::{Authority, RedisCluster};

use crate::{
    Client, Settings, Trust,
    hold::hold,
    support::{block_on, bytes, forever, listed},
};

pub(crate) fn tls_a_cluster_serves_every_slot_and_is_followed_as_one_moves<C: Client>() {
    let authority = Authority::new();
    let cluster = RedisCluster::start_tls(&authority);
    let mut keys: Vec<String> = (0..3).map(|home| cluster.key_at(home)).collect();
    keys.sort();
    for resp3 in [true, false] {
        block_on(async {
            let settings = Settings::new(cluster.url()).with_resp3(resp3);
            let client = C::connect_strict(settings.with_trust(Trust::new(&authority)))
                .await
                .unwrap();
            let backend = client.backend();
            let items = keys.iter().map(|key| SetItem::new(key, key.clone(), forever()));
            for written in backend.set_many(items.collect()).await {
                assert!(written.unwrap().is_done());
            }
            assert_eq!(listed(&backend, "*").await, keys);

            let (slot, home) = (cluster.slot_of(&keys[0]), cluster.home_of(&keys[0]));
            let to = (home + 1) % 3;
            for (from, to) in [(home, to), (to, home)] {
                cluster.begin_move(slot, from, to);
                assert_eq!(bytes(backend.get(&keys[0]).await).unwrap(), keys[0]);
                while cluster.move_keys(slot, from, to, 100) > 0 {}
                assert_eq!(bytes(backend.get(&keys[0]).await).unwrap(), keys[0]);
                cluster.end_move(slot, to);
                backend
                    .set(&keys[0], Bytes::from(keys[0].clone()), forever())
                    .await
                    .unwrap();
            }
            assert_eq!(backend.delete_matching("*").await.unwrap(), 3);
            client.close().await;
        });
    }
}

pub(crate) fn tls_cluster_conformance<C: Client>() {
    let authority = Authority::new();
    let cluster = RedisCluster::start_tls(&authority);
    block_on(async {
        // The other protocol than that of the cluster without TLS.
        let settings = Settings::new(cluster.url()).with_resp3(false);
        let client = C::connect_strict(settings.with_trust(Trust::new(&authority)))
            .await
            .unwrap();
        hold(client.backend(), cluster.primaries(), |key| cluster.home_of(key)).await;
    });
}
