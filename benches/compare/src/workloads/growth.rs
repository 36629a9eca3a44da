//! What more keys cost: scans and deletions by pattern, and batches.
//!
//! `tasks` of a row is the number of keys here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, TryStreamExt, future::join_all};
use larder::CacheBackend;
use testkit::RedisServer;
use tokio::process::Command;

use crate::{
    contenders::{LarderFred, LarderRedisRs, connected, larder::Larder},
    measure::{Figure, Row},
    payload::{Payload, User},
    race::{Connected, Lane, Results, guarded},
};

/// All rounds of one contender; one that takes longer is stuck.
const LIMIT: Duration = Duration::from_secs(180);
/// How often the calls that take a pattern are made at most: filling the server takes longer than they do.
const ROUNDS: usize = 3;

/// Time, commands (many of which may share a round trip) and memory of the calls that take a pattern.
pub(crate) async fn patterns(server: &RedisServer, size: usize, rounds: usize) -> Results {
    let mut results = Results::default();
    for contender in ["larder", "larder-redis-rs"] {
        let rows = guarded(LIMIT, pattern_rows(server, contender, size, rounds.min(ROUNDS))).await;
        results.take("growth/scan time", size, contender, rows);
    }
    results
}

async fn pattern_rows(server: &RedisServer, contender: &str, size: usize, rounds: usize) -> Vec<Row> {
    let mut figures: [Vec<f64>; 6] = Default::default();
    for _ in 0..rounds {
        fill(server, size).await;
        for (which, call) in ["scan", "delete_pattern"].into_iter().enumerate() {
            let _: () = server.command(&["CONFIG", "RESETSTAT"]);
            let [seconds, mebibytes] = in_child(call, contender, &server.url(), size).await;
            figures[3 * which].push(seconds);
            figures[3 * which + 1].push(commands(server));
            figures[3 * which + 2].push(mebibytes);
        }
    }
    let units = ["s", "commands", "MiB"];
    let rows = figures.into_iter().enumerate().map(|(which, values)| {
        let (call, part) = (
            ["scan", "delete_pattern"][which / 3],
            ["time", "commands", "memory"][which % 3],
        );
        let workload = format!("growth/{call} {part}");
        Row::of(&workload, size, contender, units[which % 3], values)
    });
    rows.collect()
}

async fn fill(server: &RedisServer, size: usize) {
    let _: () = server.command(&["FLUSHALL"]);
    let larder = LarderFred::connect(&server.url()).await;
    let keys: Vec<usize> = (0..size).collect();
    for chunk in keys.chunks(4_000) {
        let batches = chunk.chunks(1_000).map(|batch| {
            let items: Vec<(String, usize)> = batch.iter().map(|n| (format!("growth:{n}"), *n)).collect();
            larder.cache().set_many(items, 3_600)
        });
        for written in join_all(batches).await {
            written.expect("the server takes every write");
        }
    }
}

/// How many commands the server was sent since its counters were reset.
fn commands(server: &RedisServer) -> f64 {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let calls = |name: &str| {
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
        line.and_then(|rest| rest.split(',').next()?.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    calls("scan") + calls("unlink")
}

/// Runs one call in a process of its own, whose peak of memory is then the call's: seconds, and MiB above a client that
/// is connected and idle. The process ends where it is not waited for.
pub(crate) async fn in_child(call: &str, contender: &str, url: &str, size: usize) -> [f64; 2] {
    let output = Command::new(std::env::current_exe().expect("the program knows where it is"))
        .args(["--child", call, contender, url, &size.to_string()])
        .kill_on_drop(true)
        .output()
        .await
        .expect("the program starts again");
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Option<Vec<f64>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
    match figures.as_deref() {
        Some([first, second]) => [*first, *second],
        _ => panic!("{call}: {text} {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// What the child does: prints seconds and MiB.
pub(crate) async fn child(call: &str, contender: &str, url: &str, size: usize) {
    match (call, contender) {
        ("flights", _) => super::flights::child(contender, size).await,
        (_, "larder-redis-rs") => pattern(call, LarderRedisRs::connect(url).await, size).await,
        _ => pattern(call, LarderFred::connect(url).await, size).await,
    }
}

async fn pattern<B: CacheBackend>(call: &str, larder: Larder<B>, size: usize) {
    let idle = peak_mebibytes();
    let began = Instant::now();
    let seen = match call {
        "scan" => {
            let mut keys = larder.cache().keys("growth:*");
            let mut seen = 0;
            while keys.try_next().await.expect("the server answers").is_some() {
                seen += 1;
            }
            seen
        }
        _ => larder
            .cache()
            .delete_pattern("growth:*")
            .await
            .expect("the server answers"),
    };
    let took = began.elapsed();
    // A server that rehashes may show a key twice.
    assert!(seen >= size as u64, "{seen} of {size} keys");
    println!("{} {}", took.as_secs_f64(), peak_mebibytes() - idle);
}

/// The most memory this process ever had, by the kernel; 0 where there is no such file.
pub(crate) fn peak_mebibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.unwrap_or(0.0) / 1024.0
}

/// One `get_many` of `size` keys, all of them there.
pub(crate) async fn batches(url: &str, size: usize) -> Vec<Lane> {
    vec![
        batch("larder", &connected(LarderFred::connect(url)).await, size),
        batch("larder-redis-rs", &connected(LarderRedisRs::connect(url)).await, size),
    ]
}

fn batch<B: CacheBackend + 'static>(contender: &str, larder: &Connected<Larder<B>>, size: usize) -> Lane {
    Lane::on(contender, larder, async move |contender, larder| {
        let items: Vec<(String, User)> = (0..size)
            .map(|n| (format!("{contender}:batch:{n}"), User::numbered(n)))
            .collect();
        let filled = items.iter().map(|(key, user)| (key, user));
        let written = larder.cache().set_many(filled, 3_600).await;
        written.expect("the server takes every write");
        let keys: Arc<Vec<String>> = Arc::new(items.into_iter().map(|(key, _)| key).collect());
        move |time: Duration| {
            let (larder, keys) = (Arc::clone(&larder), Arc::clone(&keys));
            async move { vec![Figure::new(time_of_one(&larder, &keys, time).await, "ms")] }.boxed()
        }
    })
}

async fn time_of_one<B: CacheBackend>(larder: &Larder<B>, keys: &[String], time: Duration) -> f64 {
    let mut calls = 0;
    let began = Instant::now();
    while calls == 0 || began.elapsed() < time {
        let found = larder.cache().get_many::<User>(keys).await.expect("the server answers");
        assert_eq!(found.len(), keys.len());
        calls += 1;
    }
    began.elapsed().as_secs_f64() * 1e3 / f64::from(calls)
}
