//! A process that is killed while it loads.

use std::{
    env,
    time::{Duration, Instant},
};

use larder::{Cache, LoadOptions, Loaded, Source};
use testkit::RedisServer;

use super::support::{KEY, RedisCache, Worker, cache, connect_to, is_marker, is_value, raw, runtime};
use crate::support::eventually;

const URL: &str = "LARDER_KILLED_WORKER_URL";
const WINDOW: &str = "LARDER_KILLED_WORKER_WINDOW";
const WORKER: &str = "remember::killed::worker_that_the_tests_of_this_file_start_and_kill";

/// Does nothing but where another test started it: then it loads for ever.
#[test]
fn worker_that_the_tests_of_this_file_start_and_kill() {
    let (Ok(url), Ok(window)) = (env::var(URL), env::var(WINDOW)) else {
        return;
    };
    runtime().block_on(async {
        let cache: RedisCache = Cache::builder(connect_to(&url).await)
            .prefix("app")
            .load_options(LoadOptions::new().fill_window(window.as_str()))
            .build()
            .unwrap();
        let load = async || {
            println!("loading");
            std::future::pending::<Result<usize, &str>>().await
        };
        cache.remember("key", "1h", load).await.unwrap();
    });
}

fn killed_mid_load(server: &RedisServer, window: &str) {
    let mut worker = Worker::start(WORKER, &[(URL, server.url()), (WINDOW, window.into())]);
    worker.wait_for("loading");
    worker.kill();
    assert!(is_marker(raw(server, KEY).as_ref()));
}

#[test]
fn scenario_04_a_process_killed_mid_load_delays_nobody_and_its_fence_takes_the_next_fill() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache(&server).await;
        killed_mid_load(&server, "60s");
        let left_behind = raw(&server, KEY).unwrap();
        let began = Instant::now();
        let load = async || {
            // The dead process's own marker stands, and no other took its place.
            assert_eq!(raw(&server, KEY).as_ref(), Some(&left_behind));
            Ok::<_, &str>(Loaded::value(7_usize))
        };
        let answer = cache
            .remember_with("key", "1h", &LoadOptions::new(), load)
            .await
            .unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!((answer.value, answer.source), (Some(7), Source::Loaded));
        assert!(is_value(raw(&server, KEY).as_ref()));
        assert_eq!(cache.stats().voided_fills, 0);
        assert_eq!(cache.get::<usize>("key").await.unwrap(), Some(7));
    });
}

#[test]
fn scenario_04_a_process_killed_mid_load_leaves_a_marker_that_dies_with_its_window() {
    let server = RedisServer::start();
    killed_mid_load(&server, "60s");
    let left: i64 = server.command(&["PTTL", KEY]);
    assert!((1..=60_000).contains(&left), "{left}");
    server.pass(Duration::from_mins(1));
    assert_eq!(raw(&server, KEY), None);

    // And by the server's own clock.
    killed_mid_load(&server, "3s");
    eventually("the marker dies", || raw(&server, KEY).is_none());
}
