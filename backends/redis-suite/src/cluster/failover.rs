//! A primary that goes away, and the replica that takes over.

use std::time::Duration;

use larder::CacheBackend;
use testkit::RedisCluster;

use crate::{
    Client,
    failover::{Failover, Probe, observe},
    support::{brief, runtime},
};

/// How long the nodes wait for one that is silent before a replica takes over.
const NODE_TIMEOUT: Duration = Duration::from_millis(1_000);

/// The node that goes away, by its place.
const VICTIM: usize = 1;

/// A key at each primary, probed while `kill` is done to one of them and its replica takes over.
async fn failover<B: CacheBackend>(
    backend: &B,
    cluster: RedisCluster,
    kill: impl FnOnce(&mut RedisCluster) + Send + 'static,
) -> (Failover, RedisCluster) {
    let names = ["a healthy primary", "the lost primary", "another healthy primary"];
    let probes = names.into_iter().enumerate();
    let probes = probes
        .map(|(home, name)| Probe::new(name, cluster.key_at(home)))
        .collect();
    let whole = |cluster: &RedisCluster| {
        let heir = &cluster.replicas()[VICTIM];
        let others = [0, 2].map(|place| &cluster.primaries()[place]);
        heir.is_primary()
            && others.iter().all(|node| {
                let nodes: String = node.command(&["CLUSTER", "NODES"]);
                let heir = format!("127.0.0.1:{}@", heir.port());
                nodes
                    .lines()
                    .any(|line| line.contains(&heir) && line.contains("master"))
            })
    };
    observe(backend, probes, cluster, kill, whole).await
}

/// The keys of the other primaries are served throughout, but for a call or two where a machine stalls.
fn hold_healthy(seen: &Failover) {
    for healthy in [0, 2] {
        assert!(seen.answered_meanwhile(&seen.probes[healthy]) >= 95, "{}", seen.table());
    }
}

pub(crate) fn cluster_a_primary_that_is_killed_costs_the_others_nothing_and_its_replica_is_found_within_a_second<
    C: Client,
>() {
    runtime(2).block_on(async {
        let cluster = RedisCluster::start_with_replicas(NODE_TIMEOUT);
        let client: C = brief(cluster.url()).await;
        let backend = client.backend();
        let (seen, _cluster) = failover(&backend, cluster, |cluster| cluster.kill(VICTIM)).await;
        assert!(seen.full_service() < Duration::from_secs(1), "{}", seen.table());
        hold_healthy(&seen);
    });
}

pub(crate) fn cluster_a_primary_that_freezes_costs_the_others_nothing_and_its_replica_is_found<C: Client>() {
    runtime(2).block_on(async {
        let cluster = RedisCluster::start_with_replicas(NODE_TIMEOUT);
        let client: C = brief(cluster.url()).await;
        let backend = client.backend();
        let (seen, cluster) = failover(&backend, cluster, |cluster| cluster.nodes()[VICTIM].freeze()).await;
        assert!(seen.full_service() < Duration::from_secs(2), "{}", seen.table());
        hold_healthy(&seen);
        cluster.nodes()[VICTIM].thaw();
    });
}
