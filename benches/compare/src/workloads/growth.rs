//! What more keys cost: scans and deletions by pattern, and batches.
//!
//! `tasks` of a row is the number of keys here.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use futures::{TryStreamExt, future::join_all};
use testkit::RedisServer;

use crate::{
    contenders::larder::Larder,
    measure::{Effort, Row},
    payload::{Payload, User},
};

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
const BATCHES: [usize; 4] = [10, 100, 1_000, 10_000];

/// Time, commands (many of which may share a round trip) and memory of the calls that take a pattern.
pub(crate) async fn patterns(server: &RedisServer, rounds: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for size in SIZES {
        let mut figures: [Vec<f64>; 6] = Default::default();
        for _ in 0..rounds.min(3) {
            fill(server, size).await;
            for (which, call) in ["scan", "delete_pattern"].into_iter().enumerate() {
                let _: () = server.command(&["CONFIG", "RESETSTAT"]);
                let [seconds, mebibytes] = in_child(call, &server.url(), size);
                figures[3 * which].push(seconds);
                figures[3 * which + 1].push(commands(server));
                figures[3 * which + 2].push(mebibytes);
            }
        }
        let units = ["s", "commands", "MiB"];
        for (which, values) in figures.into_iter().enumerate() {
            let (call, part) = (
                ["scan", "delete_pattern"][which / 3],
                ["time", "commands", "memory"][which % 3],
            );
            rows.push(Row::of(
                &format!("growth/{call} {part}"),
                size,
                "larder",
                units[which % 3],
                values,
            ));
        }
    }
    rows
}

async fn fill(server: &RedisServer, size: usize) {
    let _: () = server.command(&["FLUSHALL"]);
    let larder = Larder::connect(&server.url()).await;
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
/// is connected and idle.
fn in_child(call: &str, url: &str, size: usize) -> [f64; 2] {
    let output = Command::new(std::env::current_exe().expect("the program knows where it is"))
        .args(["--child", call, url, &size.to_string()])
        .output()
        .expect("the program starts again");
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Option<Vec<f64>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
    match figures.as_deref() {
        Some([first, second]) => [*first, *second],
        _ => panic!("{call}: {text} {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// What the child does: prints seconds and MiB.
pub(crate) async fn child(call: &str, url: &str, size: usize) {
    if let Some(keys) = call.strip_prefix("flights-") {
        return super::flights::child(keys, size).await;
    }
    let larder = Larder::connect(url).await;
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
    status("VmHWM:")
}

fn status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.unwrap_or(0.0) / 1024.0
}

/// One `get_many` of more and more keys, all of them there.
pub(crate) async fn batches(server: &RedisServer, effort: Effort) -> Vec<Row> {
    let larder = Larder::connect(&server.url()).await;
    let items: Vec<(String, User)> = (0..10_000).map(|n| (format!("batch:{n}"), User::numbered(n))).collect();
    let written = larder
        .cache()
        .set_many(items.iter().map(|(key, user)| (key, user)), 3_600)
        .await;
    written.expect("the server takes every write");
    let mut rows = Vec::new();
    for size in BATCHES {
        let keys: Vec<&str> = items[..size].iter().map(|(key, _)| key.as_str()).collect();
        let mut times = Vec::new();
        for round in 0..=effort.rounds {
            let mut calls = 0;
            let began = Instant::now();
            while calls == 0 || began.elapsed() < effort.turn.min(Duration::from_millis(200)) {
                let found = larder
                    .cache()
                    .get_many::<User>(&keys)
                    .await
                    .expect("the server answers");
                assert_eq!(found.len(), size);
                calls += 1;
            }
            if round > 0 {
                times.push(began.elapsed().as_secs_f64() * 1e3 / f64::from(calls));
            }
        }
        rows.push(Row::of("growth/get_many", size, "larder", "ms", times));
    }
    rows
}

/// [`in_child`] for the flights, which need no server.
pub(crate) fn flights_in_child(call: &str, size: usize) -> [f64; 2] {
    in_child(&format!("flights-{call}"), "-", size)
}
