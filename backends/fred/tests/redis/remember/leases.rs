//! Leases between processes.

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use futures::future::join_all;
use larder::{Cache, LoadOptions};
use tempfile::TempDir;
use testkit::RedisServer;
use tokio::time::{sleep, timeout};

use super::{
    support::{Database, HANG, KEY, RedisCache, Worker, cache_with, connect_to, is_marker, is_value, raw, runtime},
    watched::Watched,
};

const URL: &str = "LARDER_LEASE_WORKER_URL";
const GO: &str = "LARDER_LEASE_WORKER_GO";
const KIND: &str = "LARDER_LEASE_WORKER_KIND";
const WORKER: &str = "remember::leases::worker_that_the_tests_of_this_file_start";
const PROCESSES: usize = 10;
const CALLERS: usize = 1_000;
const LEASE: Duration = Duration::from_secs(1);
/// The longest pause between two looks, spread included.
const POLL: Duration = Duration::from_millis(150);

/// Does nothing but where another test started it.
#[test]
fn worker_that_the_tests_of_this_file_start() {
    let (Ok(url), Ok(kind)) = (env::var(URL), env::var(KIND)) else {
        return;
    };
    runtime().block_on(async {
        let cache = Cache::builder(Watched::new(connect_to(&url).await))
            .prefix("app")
            .load_options(LoadOptions::new().lease(LEASE))
            .build()
            .unwrap();
        if kind == "holder" {
            let load = async || {
                println!("loading");
                std::future::pending::<Result<usize, &str>>().await
            };
            cache.remember("key", "1h", load).await.unwrap();
        }
        println!("ready");
        let go = env::var(GO).unwrap();
        while !Path::new(&go).exists() {
            sleep(Duration::from_millis(2)).await;
        }
        let database = Database::new();
        let calls = (0..CALLERS).map(|_| {
            let (cache, database) = (cache.clone(), database.clone());
            tokio::spawn(async move {
                let load = async || Ok::<_, &str>(database.read().await);
                cache.remember("key", "1h", load).await.unwrap()
            })
        });
        let calls: Vec<_> = calls.collect();
        // A load that ended before the last caller had its answer from a dead server could not be shared by it.
        cache.backend().answered(CALLERS).await;
        sleep(Duration::from_millis(100)).await;
        database.open();
        for answer in join_all(calls).await {
            assert_eq!(answer.unwrap(), 1);
        }
        println!("answered {CALLERS}, loads {}", cache.stats().loads);
    });
}

/// The loads of each process when all of them ask for one cold key at once.
fn herd(server: &mut RedisServer, is_stopped: bool) -> Vec<usize> {
    let folder = TempDir::new().unwrap();
    let go = folder.path().join("go");
    let variables = [
        (URL, server.url()),
        (KIND, "herd".into()),
        (GO, go.to_str().unwrap().into()),
    ];
    let mut workers: Vec<_> = (0..PROCESSES).map(|_| Worker::start(WORKER, &variables)).collect();
    for worker in &mut workers {
        worker.wait_for("ready");
    }
    if is_stopped {
        server.stop();
    }
    fs::write(&go, "").unwrap();
    let loads = workers.into_iter().map(|worker| {
        let (passed, printed) = worker.finish();
        assert!(passed, "{printed}");
        let (_, loads) = printed
            .split_once(&format!("answered {CALLERS}, loads "))
            .expect(&printed);
        loads.lines().next().unwrap().parse().unwrap()
    });
    loads.collect()
}

#[test]
fn scenario_01_herd_of_10_processes_with_leases_on_redis() {
    let mut server = RedisServer::start();
    let loads = herd(&mut server, false);
    println!("{PROCESSES} processes x {CALLERS} callers with a lease: loads {loads:?}");
    assert_eq!(loads.iter().sum::<usize>(), 1);
    assert!(is_value(raw(&server, KEY).as_ref()));
    assert_eq!(server.command::<u64>(&["DBSIZE"]), 1);
}

#[test]
fn scenario_01_herd_of_10_processes_with_leases_and_redis_stopped() {
    let mut server = RedisServer::start();
    let loads = herd(&mut server, true);
    println!("{PROCESSES} processes x {CALLERS} callers with Redis stopped: loads {loads:?}");
    assert!(loads.iter().all(|&loads| loads == 1));
}

#[test]
fn scenario_04_a_holder_killed_mid_load_delays_the_other_processes_by_its_lease_on_redis() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let options = LoadOptions::new().lease(LEASE);
        let (first, second) = (
            cache_with(&server, options.clone()).await,
            cache_with(&server, options).await,
        );
        let database = Database::new();
        database.open();
        let call = |cache: &RedisCache| {
            let (cache, database) = (cache.clone(), database.clone());
            tokio::spawn(async move {
                let answer = cache
                    .remember("key", "1h", async || Ok::<_, &str>(database.read().await))
                    .await;
                (answer.unwrap(), Instant::now())
            })
        };
        let mut holder = Worker::start(WORKER, &[(URL, server.url()), (KIND, "holder".into())]);
        holder.wait_for("loading");
        let callers: Vec<_> = (0..50).flat_map(|_| [call(&first), call(&second)]).collect();
        // It lives: nobody loads, for longer than a lease that nobody renews.
        sleep(LEASE * 2).await;
        assert_eq!(database.loads(), 0);
        assert!(is_marker(raw(&server, KEY).as_ref()));
        holder.kill();
        let killed = Instant::now();
        let mut slowest = Duration::ZERO;
        for answer in join_all(callers).await {
            let (value, at) = answer.unwrap();
            assert_eq!(value, 1);
            slowest = slowest.max(at - killed);
        }
        println!("the last of 100 callers in 2 processes answered {slowest:?} after the kill; lease {LEASE:?}");
        // One look to see the silence, one of the other process to see the value; the rest is a busy machine's.
        assert!(slowest < LEASE + POLL * 2 + Duration::from_secs(2), "{slowest:?}");
        assert_eq!(database.loads(), 1);
        assert!(is_value(raw(&server, KEY).as_ref()));
        assert_eq!(server.command::<u64>(&["DBSIZE"]), 1);
    });
}

#[test]
fn scenario_04_a_marker_whose_holder_was_killed_stops_nobody_after_its_lease_on_redis() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache_with(&server, LoadOptions::new().lease(LEASE)).await;
        let mut holder = Worker::start(WORKER, &[(URL, server.url()), (KIND, "holder".into())]);
        holder.wait_for("loading");
        holder.kill();
        let began = Instant::now();
        let call = cache.remember("key", "1h", async || Ok::<_, &str>(7));
        assert_eq!(timeout(HANG, call).await.expect("hangs").unwrap(), 7);
        let waited = began.elapsed();
        assert!(waited < LEASE + POLL + Duration::from_secs(2), "{waited:?}");
        assert!(is_value(raw(&server, KEY).as_ref()));
    });
}

#[test]
fn scenario_04_a_lease_made_immortal_by_a_stranger_holds_nobody_up_on_redis() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache_with(&server, LoadOptions::new().lease(LEASE)).await;
        let mut holder = Worker::start(WORKER, &[(URL, server.url()), (KIND, "holder".into())]);
        holder.wait_for("loading");
        holder.kill();
        server.command::<()>(&["PERSIST", KEY]);
        let call = cache.remember("key", "1h", async || Ok::<_, &str>(7));
        assert_eq!(timeout(HANG, call).await.expect("hangs").unwrap(), 7);
        assert!(server.command::<i64>(&["PTTL", KEY]) > 0);
    });
}
