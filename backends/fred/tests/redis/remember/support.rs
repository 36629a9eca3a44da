//! What the tests of `remember` share: caches of their own connection, a fake database, other processes.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{Cache, LoadOptions};
use larder_fred::{ConnectionManager, FredBackend, RedisConfig};
use testkit::RedisServer;
use tokio::{runtime::Runtime, sync::watch};

use crate::support::config;

pub(super) type RedisCache = Cache<FredBackend>;

/// Where the markers of a scenario stand: the caches of these tests have the prefix `app`.
pub(super) const KEY: &str = "app:key";

/// Waits of the tests themselves: whatever takes longer hangs.
pub(super) const HANG: Duration = Duration::from_secs(20);

pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap()
}

pub(super) async fn connect(config: RedisConfig) -> FredBackend {
    ConnectionManager::from_config_strict(config).await.unwrap().backend()
}

/// For another process, which knows the URL alone.
pub(super) async fn connect_to(url: &str) -> FredBackend {
    let config = RedisConfig::from_url(url)
        .unwrap()
        .with_deadline(Duration::from_secs(5))
        .with_connect_timeout(Duration::from_secs(5));
    connect(config).await
}

/// A cache with a connection of its own, as each process has one.
pub(super) async fn cache(server: &RedisServer) -> RedisCache {
    cache_with(server, LoadOptions::new()).await
}

pub(super) async fn cache_with(server: &RedisServer, options: LoadOptions) -> RedisCache {
    Cache::builder(connect(config(server, true)).await)
        .prefix("app")
        .load_options(options)
        .build()
        .unwrap()
}

/// What stands under a key, to the byte.
pub(super) fn raw(server: &RedisServer, key: &str) -> Option<Vec<u8>> {
    server.command(&["GET", key])
}

pub(super) fn is_value(bytes: Option<&Vec<u8>>) -> bool {
    bytes.is_some_and(|bytes| bytes.get(3) == Some(&b'V'))
}

pub(super) fn is_marker(bytes: Option<&Vec<u8>>) -> bool {
    bytes.is_some_and(|bytes| bytes.get(3) == Some(&b'M'))
}

/// How often the server was given each command, those of scripts included and those of the tests themselves not.
pub(super) fn calls(server: &RedisServer) -> Vec<(String, u64)> {
    const OF_CLIENTS: [&str; 6] = ["info", "config", "client", "hello", "ping", "select"];
    let stats: String = server.command(&["INFO", "commandstats"]);
    let mut calls: Vec<_> = stats
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let calls = rest.split(',').next()?.parse().ok()?;
            let is_counted = !OF_CLIENTS.iter().any(|other| name.starts_with(other));
            is_counted.then(|| (name.to_owned(), calls))
        })
        .collect();
    calls.sort();
    calls
}

pub(super) fn reset_calls(server: &RedisServer) {
    server.command::<()>(&["CONFIG", "RESETSTAT"]);
}

/// A seed, printed, that `LARDER_SEED` replays.
pub(super) fn seed() -> u64 {
    let seed = env::var("LARDER_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("LARDER_SEED={seed}");
    seed
}

/// Loads that are counted, and end when the test says so.
#[derive(Debug, Clone)]
pub(super) struct Database {
    counts: Arc<Counts>,
    gate: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct Counts {
    loads: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
}

impl Database {
    pub(super) fn new() -> Self {
        Self {
            counts: Arc::default(),
            gate: Arc::new(watch::Sender::new(false)),
        }
    }

    pub(super) fn loads(&self) -> usize {
        self.counts.loads.load(Ordering::SeqCst)
    }

    pub(super) fn most_running(&self) -> usize {
        self.counts.most_running.load(Ordering::SeqCst)
    }

    /// Lets every load end, those to come as well.
    pub(super) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// A load that ends once the database is open.
    pub(super) async fn read(&self) -> usize {
        let number = self.counts.loads.fetch_add(1, Ordering::SeqCst) + 1;
        let running = self.counts.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.counts.most_running.fetch_max(running, Ordering::SeqCst);
        let _running = Running(&self.counts);
        self.gate.subscribe().wait_for(|open| *open).await.unwrap();
        number
    }
}

struct Running<'a>(&'a Counts);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Another process: this test binary again, running one test of it that is a worker where `variable` is set.
///
/// It is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Worker {
    pub(super) fn start(test: &str, variables: &[(&str, String)]) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Reads what the worker prints until `word` comes.
    pub(super) fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if line.contains(word) {
                return;
            }
            line.clear();
        }
        panic!("the worker ended without a word of {word:?}");
    }

    /// Waits for the worker's own end; what it printed, and whether its test passed.
    pub(super) fn finish(mut self) -> (bool, String) {
        let mut printed = String::new();
        std::io::Read::read_to_string(&mut self.output, &mut printed).unwrap();
        (self.child.wait().unwrap().success(), printed)
    }

    /// SIGKILL: nothing of the worker runs after this.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail where it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
