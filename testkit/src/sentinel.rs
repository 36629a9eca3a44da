use std::{
    fmt::Write as _,
    fs, thread,
    time::{Duration, Instant},
};

use redis::{Client, Connection, RedisResult};
use tempfile::TempDir;

use crate::{
    RedisServer,
    cluster::eventually,
    process::{Process, free_port},
    program::{INSTALL, answering_pid, program},
    redis_server::{POLL, START_LIMIT},
};

const SERVICE: &str = "main";
const SENTINELS: usize = 3;

/// A primary and a replica with three sentinels that watch them.
///
/// # Examples
///
/// ```no_run
/// let mut watched = testkit::RedisSentinel::start();
/// watched.kill_primary();
/// ```
#[derive(Debug)]
pub struct RedisSentinel {
    servers: Vec<RedisServer>,
    sentinels: Vec<Sentinel>,
    passwords: Option<Passwords>,
}

#[derive(Debug, Clone)]
struct Passwords {
    servers: String,
    sentinels: String,
}

#[derive(Debug)]
struct Sentinel {
    port: u16,
    passwords: Option<Passwords>,
    _process: Process,
    _dir: TempDir,
}

impl RedisSentinel {
    /// Starts them and waits until the sentinels know each other and the replica. A primary that is silent for half a
    /// second is replaced.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::start`], and where the sentinels do not find each other within 10 seconds.
    #[must_use]
    pub fn start() -> Self {
        Self::launch(None)
    }

    /// [`start`](Self::start) with one password for the servers and another for the sentinels.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_passwords(servers: &str, sentinels: &str) -> Self {
        Self::launch(Some(Passwords {
            servers: servers.to_owned(),
            sentinels: sentinels.to_owned(),
        }))
    }

    fn launch(passwords: Option<Passwords>) -> Self {
        let mut quick = vec!["--repl-diskless-sync-delay", "0"];
        if let Some(Passwords { servers, .. }) = &passwords {
            quick.extend(["--requirepass", servers, "--masterauth", servers]);
        }
        let primary = RedisServer::start_with(&quick);
        let port = primary.port().to_string();
        let following = ["--replicaof", "127.0.0.1", &port];
        let replica = RedisServer::start_with(&[&quick[..], &following].concat());
        eventually("the replica is in step", || {
            replica
                .command::<String>(&["INFO", "replication"])
                .contains("master_link_status:up")
        });
        let sentinels: Vec<Sentinel> = (0..SENTINELS)
            .map(|_| Sentinel::start(primary.port(), passwords.clone()))
            .collect();
        let all = Self {
            servers: vec![primary, replica],
            sentinels,
            passwords,
        };
        eventually("the sentinels know each other and the replica", || {
            all.sentinels.iter().all(|sentinel| {
                let state = sentinel.state();
                let is = |name: &str, value: &str| state.iter().any(|(n, v)| n == name && v == value);
                is("num-other-sentinels", "2") && is("num-slaves", "1")
            })
        });
        all
    }

    /// The URL that names every sentinel, with the passwords.
    #[must_use]
    pub fn url(&self) -> String {
        let (user, setting) = match &self.passwords {
            Some(Passwords { servers, sentinels }) => {
                (format!(":{servers}@"), format!("&sentinelPassword={sentinels}"))
            }
            None => (String::new(), String::new()),
        };
        let mut url = format!(
            "redis-sentinel://{user}127.0.0.1:{}/0?sentinelServiceName={SERVICE}{setting}",
            self.sentinels[0].port
        );
        for sentinel in &self.sentinels[1..] {
            write!(url, "&node=127.0.0.1:{}", sentinel.port).expect("a string takes all that is written");
        }
        url
    }

    /// The server that began as the primary.
    #[must_use]
    pub fn primary(&self) -> &RedisServer {
        &self.servers[0]
    }

    /// The server that began as the replica.
    #[must_use]
    pub fn replica(&self) -> &RedisServer {
        &self.servers[1]
    }

    /// Tells whether every sentinel names the server that began as the replica when it is asked for the primary.
    #[must_use]
    pub fn has_failed_over(&self) -> bool {
        let port = self.replica().port().to_string();
        let named = |sentinel: &Sentinel| {
            sentinel
                .state()
                .iter()
                .any(|(name, value)| name == "port" && *value == port)
        };
        self.replica().is_primary() && self.sentinels.iter().all(named)
    }

    /// Kills the server that began as the primary, as a crash does.
    pub fn kill_primary(&mut self) {
        self.servers[0].stop();
    }
}

impl Sentinel {
    fn start(primary: u16, passwords: Option<Passwords>) -> Self {
        let dir = TempDir::with_prefix("larder-sentinel-").unwrap_or_else(|error| panic!("no directory: {error}"));
        let port = free_port();
        let config = dir.path().join("sentinel.conf");
        // A sentinel keeps what it learns in its configuration.
        let mut text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 3000\n"
        );
        if let Some(Passwords { servers, sentinels }) = &passwords {
            write!(
                text,
                "requirepass {sentinels}\nsentinel sentinel-pass {sentinels}\nsentinel auth-pass {SERVICE} {servers}\n"
            )
            .expect("a string takes all that is written");
        }
        fs::write(&config, text).unwrap_or_else(|error| panic!("{}: {error}", config.display()));
        let args = [config.display().to_string(), "--sentinel".to_owned()];
        let log = dir.path().join("sentinel.log");
        let mut process = Process::start(&program(), &args, dir.path(), &log, INSTALL);
        let began = Instant::now();
        while answering_pid(connection(port, passwords.as_ref())) != Some(process.id()) {
            assert!(
                !process.has_exited() && began.elapsed() < START_LIMIT,
                "a sentinel did not start; the end of its log:\n{}",
                process.log_tail(20)
            );
            thread::sleep(POLL);
        }
        Self {
            port,
            passwords,
            _process: process,
            _dir: dir,
        }
    }

    /// What the sentinel knows of the primary, as names and values.
    fn state(&self) -> Vec<(String, String)> {
        let mut connection = connection(self.port, self.passwords.as_ref())
            .unwrap_or_else(|error| panic!("a sentinel is gone: {error}"));
        let mut command = redis::cmd("SENTINEL");
        command.arg("MASTER").arg(SERVICE);
        command.query(&mut connection).unwrap_or_default()
    }
}

fn connection(port: u16, passwords: Option<&Passwords>) -> RedisResult<Connection> {
    let user = passwords.map_or_else(String::new, |passwords| format!(":{}@", passwords.sentinels));
    let connection =
        Client::open(format!("redis://{user}127.0.0.1:{port}"))?.get_connection_with_timeout(Duration::from_secs(1))?;
    connection.set_read_timeout(Some(START_LIMIT))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_made_the_primary_when_the_primary_is_killed() {
        let mut watched = RedisSentinel::start();
        watched.primary().command::<()>(&["SET", "k", "v"]);
        watched.kill_primary();
        eventually("the replica is the primary", || watched.has_failed_over());
        watched.replica().command::<()>(&["SET", "k", "w"]);
    }
}
