//! A primary that goes away, and the replica that the sentinels put in its place.

use std::time::{Duration, Instant};

use larder::CacheBackend;
use testkit::RedisSentinel;

use crate::{
    Client, Settings,
    failover::{Probe, observe},
    hold::hold,
    support::{DEADLINE, block_on, brief, eventually_async, forever, round_trip, runtime, within},
};

fn probes() -> Vec<Probe> {
    vec![Probe::new("the one service", "k".to_owned())]
}

pub(crate) fn sentinel_the_primary_is_found_in_both_protocols<C: Client>() {
    let watched = RedisSentinel::start();
    for resp3 in [true, false] {
        block_on(async {
            let settings = Settings::new(watched.url()).with_resp3(resp3);
            let client = C::connect_strict(settings).await.unwrap();
            round_trip(&client.backend(), "k").await;
            client.close().await;
        });
    }
    assert_eq!(watched.primary().command::<String>(&["GET", "k"]), "value");
}

pub(crate) fn sentinel_servers_and_sentinels_each_have_a_password_of_their_own<C: Client>() {
    let watched = RedisSentinel::start_with_passwords("one", "another");
    block_on(async {
        let client = C::connect_strict(Settings::new(watched.url())).await.unwrap();
        round_trip(&client.backend(), "k").await;
        let mixed_up = watched
            .url()
            .replace("sentinelPassword=another", "sentinelPassword=one");
        let began = Instant::now();
        let settings = Settings::new(mixed_up).with_connect_timeout(DEADLINE);
        assert!(C::connect_strict(settings).await.is_err());
        within(Duration::from_secs(2), began);
    });
}

pub(crate) fn sentinel_a_service_that_no_sentinel_knows_is_an_error_in_time<C: Client>() {
    let watched = RedisSentinel::start();
    let url = watched
        .url()
        .replace("sentinelServiceName=", "sentinelServiceName=not-");
    block_on(async {
        let began = Instant::now();
        let settings = Settings::new(url)
            .with_connect_timeout(DEADLINE)
            .with_deadline(DEADLINE);
        assert!(C::connect_strict(settings.clone()).await.is_err());
        within(Duration::from_secs(2), began);
        // Whether that can mend itself the clients see differently; a call fails either way.
        if let Ok(client) = C::connect(settings).await {
            assert!(client.backend().get("k").await.unwrap_err().is_unavailable());
        }
    });
}

pub(crate) fn sentinel_a_primary_that_is_killed_is_replaced_and_found_within_a_second<C: Client>() {
    runtime(2).block_on(async {
        let watched = RedisSentinel::start();
        let client: C = brief(watched.url()).await;
        let backend = client.backend();
        let (seen, watched) = observe(
            &backend,
            probes(),
            watched,
            RedisSentinel::kill_primary,
            RedisSentinel::has_failed_over,
        )
        .await;
        assert!(seen.full_service() < Duration::from_secs(1), "{}", seen.table());
        assert_eq!(watched.replica().command::<String>(&["GET", "k"]), "v");
    });
}

pub(crate) fn sentinel_a_primary_that_freezes_is_replaced_and_never_written_to_again<C: Client>() {
    runtime(2).block_on(async {
        let watched = RedisSentinel::start();
        let client: C = brief(watched.url()).await;
        let backend = client.backend();
        let freeze = |watched: &mut RedisSentinel| watched.primary().freeze();
        let (seen, watched) = observe(&backend, probes(), watched, freeze, RedisSentinel::has_failed_over).await;
        assert!(seen.full_service() < Duration::from_secs(2), "{}", seen.table());
        watched.primary().thaw();
        // Its sentinels make a replica of it, whatever it held.
        eventually_async("the old primary follows", async || !watched.primary().is_primary()).await;
        backend.set("after", "v".into(), forever()).await.unwrap();
        assert_eq!(watched.replica().command::<String>(&["GET", "after"]), "v");
    });
}

pub(crate) fn sentinel_conformance<C: Client>() {
    let watched = RedisSentinel::start();
    for resp3 in [true, false] {
        block_on(async {
            let settings = Settings::new(watched.url()).with_resp3(resp3);
            let client = C::connect_strict(settings).await.unwrap();
            hold(client.backend(), std::slice::from_ref(watched.primary()), |_| 0).await;
        });
    }
}
