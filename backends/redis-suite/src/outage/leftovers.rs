//! What is left of a client that ends while its server is away.

use std::{pin::pin, time::Instant};

use bytes::Bytes;
use futures::StreamExt;
use larder::{CacheBackend, ErrorKind, SetItem};
use testkit::{FaultProxy, RedisServer};

use crate::{
    Client, Settings,
    support::{DEADLINE, MARGIN, brief, clients, eventually, forever, runtime, within},
};

/// What makes a server away.
#[derive(Debug, Clone, Copy)]
enum Away {
    Frozen,
    Refusing,
    Hanging,
}

pub(crate) fn outage_a_client_dropped_while_the_server_is_away_leaves_no_task_and_no_connection<C: Client>() {
    for away in [Away::Frozen, Away::Refusing, Away::Hanging] {
        let server = RedisServer::start();
        let proxy = FaultProxy::start(server.port());
        let runtime = runtime(2);
        runtime.block_on(async {
            let client: C = brief(proxy.url()).await;
            let backend = client.backend();
            match away {
                Away::Frozen => server.freeze(),
                Away::Refusing => proxy.refuse(),
                Away::Hanging => {
                    proxy.refuse();
                    proxy.hang();
                }
            }
            // Some are given up midway, and some are waited for.
            for i in 0..20 {
                let key = format!("k{i}");
                let value = Bytes::from(vec![7; 100_000]);
                drop(futures::poll!(pin!(backend.set(&key, value, forever()))));
            }
            assert!(backend.get("k").await.is_err());
            assert!(backend.scan("*").boxed().next().await.unwrap().is_err());
        });
        eventually(&format!("{away:?}: the tasks are gone"), || {
            runtime.metrics().num_alive_tasks() == 0
        });
        if let Away::Frozen = away {
            server.thaw();
        }
        proxy.heal();
        eventually(&format!("{away:?}: the connections are gone"), || clients(&server) == 0);
    }
}

pub(crate) fn outage_a_scan_ends_at_the_deadline_of_a_page_and_asks_for_nothing_more<C: Client>() {
    let server = RedisServer::start();
    runtime(2).block_on(async {
        let settings = Settings::new(server.url()).with_deadline(DEADLINE);
        let client = C::connect_strict(settings).await.unwrap();
        let backend = client.backend();
        let items = (0..20_000).map(|i| SetItem::new(format!("k{i}"), "v", forever()));
        backend.set_many(items.collect()).await;
        let mut pages = pin!(backend.scan("*"));
        pages.next().await.unwrap().unwrap();
        server.command::<()>(&["CLIENT", "PAUSE", "400", "ALL"]);
        let began = Instant::now();
        let error = pages.next().await.unwrap().unwrap_err();
        within(DEADLINE + MARGIN, began);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(pages.next().await.is_none());

        // The server has 39 pages more, and is asked for the one that came too late and no other.
        eventually("the server answers again", || smol::block_on(client.ping()).is_ok());
        let asked = scans(&server);
        for _ in 0..20 {
            client.ping().await.unwrap();
        }
        assert!(asked <= 2, "{asked}");
        assert_eq!(scans(&server), asked);
    });
}

/// How often the server was asked for a page.
fn scans(server: &RedisServer) -> usize {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_scan:calls="));
    calls.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}
