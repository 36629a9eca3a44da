//! Random calls from two processes, checked against a counter that is never wrong.
//!
//! Each key has a generation in the database (a counter on the same server, past the cache). Whoever changes it
//! raises the generation, invalidates, and once the invalidation has returned raises the key's floor. Whoever reads
//! looks at the floor first: no call may answer a generation below it.

use std::{env, time::Duration};

use testkit::RedisServer;
use tokio::time::Instant;

use super::{
    history_world::{KEYS, World},
    support::{Worker, runtime, seed},
};

const URL: &str = "LARDER_HISTORY_URL";
const PROCESS: &str = "LARDER_HISTORY_PROCESS";
const SECONDS: &str = "LARDER_HISTORY_SECONDS";
const SEED: &str = "LARDER_SEED";
const WORKER: &str = "remember::history::worker_that_the_history_check_starts_in_two_processes";
const PROCESSES: u64 = 2;
const TASKS: u64 = 4;

fn variable(name: &str) -> u64 {
    env::var(name).unwrap().parse().unwrap()
}

/// Does nothing but where the history check started it: then it is one of the processes.
#[test]
fn worker_that_the_history_check_starts_in_two_processes() {
    let Ok(url) = env::var(URL) else {
        return;
    };
    let (process, seed) = (variable(PROCESS), variable(SEED));
    let until = Instant::now() + Duration::from_secs(variable(SECONDS));
    runtime().block_on(async {
        let world = World::new(&url, process).await;
        let tasks = (0..TASKS).map(|task| {
            let seed = seed.wrapping_add(process * TASKS + task);
            tokio::spawn(world.clone().run(seed, until))
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            task.await.unwrap();
        }
        println!("\nprocess {process}: {}", world.counts());
        if let Some(violation) = world.violation().await {
            panic!("LARDER_SEED={seed}: {violation}");
        }
    });
}

#[test]
fn history_of_two_processes_never_goes_back_behind_an_invalidation() {
    let seed = seed();
    let seconds = env::var(SECONDS).unwrap_or_else(|_| "3".into());
    let server = RedisServer::start();
    let workers: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let variables = [
                (URL, server.url()),
                (PROCESS, process.to_string()),
                (SEED, seed.to_string()),
                (SECONDS, seconds.clone()),
            ];
            Worker::start(WORKER, &variables)
        })
        .collect();
    let ends: Vec<_> = workers.into_iter().map(Worker::finish).collect();
    for (_, printed) in &ends {
        println!("{printed}");
    }
    assert!(ends.iter().all(|(passed, _)| *passed), "LARDER_SEED={seed}: see above");
    // A check that checks nothing passes too.
    for (_, printed) in &ends {
        assert!(printed.contains("reads checked"), "a worker did nothing");
    }
    for key in KEYS {
        let generation: Option<u64> = server.command(&["GET", &format!("db:{key}")]);
        assert!(
            generation.is_some_and(|generation| generation > 10),
            "{key}: {generation:?}"
        );
    }
}
