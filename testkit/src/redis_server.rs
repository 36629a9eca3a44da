use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use redis::{Client, Connection, FromRedisValue, RedisResult, ToRedisArgs};
use tempfile::TempDir;

use crate::{
    process::{Process, free_port},
    program::{INSTALL, PROGRAM, answering_pid, major_version, program},
    session::Session,
};

pub(crate) const START_LIMIT: Duration = Duration::from_secs(10);
pub(crate) const POLL: Duration = Duration::from_millis(5);
const ATTEMPTS: usize = 5;

/// Shortens the life of every key; a key whose life ends by that is removed.
const PASS: &str = "
for _, key in ipairs(redis.call('KEYS', '*')) do
    local left = redis.call('PTTL', key)
    if left >= 0 then
        if left <= tonumber(ARGV[1]) then redis.call('DEL', key)
        else redis.call('PEXPIRE', key, left - ARGV[1]) end
    end
end";

/// A `redis-server` of this test's own: a free loopback port, an empty directory, nothing persisted.
///
/// `REDIS_SERVER` in the environment names another program to run, such as an older server or a Valkey.
///
/// Dropping it kills the process by its own handle. Where the test is failing then, the end of the log is printed and
/// the log is kept.
///
/// # Examples
///
/// ```no_run
/// let server = testkit::RedisServer::start();
/// server.command::<()>(&["SET", "k", "v"]);
/// assert_eq!(server.command::<String>(&["GET", "k"]), "v");
/// ```
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    args: Vec<String>,
    process: Option<Process>,
    // `None` once the log is to be kept.
    dir: Option<TempDir>,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// Where `redis-server` is not installed, or does not answer within 10 seconds.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// [`start`](Self::start) with more arguments, such as `["--requirepass", "secret"]`.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let dir = TempDir::with_prefix("larder-redis-").unwrap_or_else(|error| panic!("no directory: {error}"));
            let mut server = Self {
                port: free_port(),
                args: args.clone(),
                process: None,
                dir: Some(dir),
            };
            // Another process may have taken the port since it was found free.
            match server.launch() {
                Ok(()) => return server,
                Err(log) => last = log,
            }
        }
        panic!("{PROGRAM} did not start in {ATTEMPTS} attempts; the end of its log:\n{last}");
    }

    /// [`start`](Self::start) of one that takes DEBUG commands, such as DEBUG SLEEP.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_debuggable() -> Self {
        // Before Redis 7 every server takes them, and none knows the setting.
        let old = major_version().is_some_and(|major| major < 7);
        Self::start_with(if old { &[] } else { &["--enable-debug-command", "yes"] })
    }

    /// A port on which no server listens, to start one on later by [`start_on`](Self::start_on).
    ///
    /// # Panics
    ///
    /// Where the machine has none.
    #[must_use]
    pub fn reserve_port() -> u16 {
        free_port()
    }

    /// [`start`](Self::start) on a given port.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start), and where the port is taken.
    #[must_use]
    pub fn start_on(port: u16) -> Self {
        let dir = TempDir::with_prefix("larder-redis-").unwrap_or_else(|error| panic!("no directory: {error}"));
        let mut server = Self {
            port,
            args: Vec::new(),
            process: None,
            dir: Some(dir),
        };
        if let Err(log) = server.launch() {
            panic!("{PROGRAM} did not start on port {port}; the end of its log:\n{log}");
        }
        server
    }

    /// The URL of database 0, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of the process.
    ///
    /// # Panics
    ///
    /// Where the server is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    /// Sends one command over a connection of its own and returns the answer.
    ///
    /// # Panics
    ///
    /// Where the server answers an error, something that is no `T`, or nothing within 10 seconds.
    pub fn command<T: FromRedisValue>(&self, args: &[impl ToRedisArgs]) -> T {
        self.try_command(args)
            .unwrap_or_else(|error| panic!("the server on port {} answered: {error}", self.port))
    }

    /// [`command`](Self::command), with the server's error as a value.
    ///
    /// # Errors
    ///
    /// What the server answers where that is an error, and the connection's.
    pub fn try_command<T: FromRedisValue>(&self, args: &[impl ToRedisArgs]) -> RedisResult<T> {
        let mut command = redis::Cmd::new();
        for arg in args {
            command.arg(arg);
        }
        command.query(&mut self.connection()?)
    }

    /// A connection that stays, for what has to be said after the password was changed.
    ///
    /// # Panics
    ///
    /// Where the server does not answer.
    #[must_use]
    pub fn session(&self) -> Session {
        let connection = self
            .connection()
            .unwrap_or_else(|error| panic!("port {}: {error}", self.port));
        Session::new(connection)
    }

    /// Kills the process, as a crash does: what it held is gone.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the server again on the same port, empty; a running one is killed first.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn restart(&mut self) {
        self.stop();
        if let Err(log) = self.launch() {
            panic!(
                "{PROGRAM} did not start again on port {}; the end of its log:\n{log}",
                self.port
            );
        }
    }

    /// [`restart`](Self::restart) with other arguments.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn restart_with(&mut self, args: &[&str]) {
        self.args = args.iter().map(|&arg| arg.to_owned()).collect();
        self.restart();
    }

    /// Stops the process where it stands (SIGSTOP): connections stay open and nothing is answered.
    ///
    /// # Panics
    ///
    /// Where the server is stopped.
    pub fn freeze(&self) {
        self.process.as_ref().expect("the server runs").freeze();
    }

    /// Lets a [frozen](Self::freeze) server go on (SIGCONT).
    ///
    /// # Panics
    ///
    /// Where the server is stopped.
    pub fn thaw(&self) {
        self.process.as_ref().expect("the server runs").thaw();
    }

    /// Tells whether the process runs, frozen or not.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Tells whether the server takes itself for a primary; one that does not answer is none.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        let info = self.try_command::<String>(&["INFO", "replication"]);
        info.is_ok_and(|info| info.contains("role:master"))
    }

    /// Lets `span` pass for every key, so that no test has to sleep: each life is shortened by it, and a key whose
    /// life ends is removed.
    ///
    /// # Panics
    ///
    /// As [`command`](Self::command).
    pub fn pass(&self, span: Duration) {
        let millis = span.as_millis().to_string();
        self.command::<()>(&["EVAL", PASS, "0", &millis]);
    }

    fn connection(&self) -> RedisResult<Connection> {
        let connection = Client::open(self.server_url())?.get_connection_with_timeout(START_LIMIT)?;
        connection.set_read_timeout(Some(START_LIMIT))?;
        Ok(connection)
    }

    fn server_url(&self) -> String {
        let password = self
            .args
            .iter()
            .position(|arg| arg == "--requirepass")
            .and_then(|flag| self.args.get(flag + 1));
        match password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}/0", self.port),
            None => self.url(),
        }
    }

    fn log(&self) -> PathBuf {
        let dir = self.dir.as_ref().expect("the directory lives as long as the server");
        dir.path().join("redis.log")
    }

    /// Starts the process and waits for its first answer, or returns the end of the log of one that ended.
    fn launch(&mut self) -> Result<(), String> {
        let log = self.log();
        let dir = self.dir.as_ref().expect("the directory lives as long as the server");
        let port = self.port.to_string();
        let fixed = [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let args: Vec<String> = fixed
            .iter()
            .map(|&arg| arg.to_owned())
            .chain(self.args.iter().cloned())
            .collect();
        let mut process = Process::start(&program(), &args, dir.path(), &log, INSTALL);

        let began = Instant::now();
        while began.elapsed() < START_LIMIT {
            if process.has_exited() {
                return Err(process.log_tail(20));
            }
            // A stranger's server on the same port would answer too; ours has the id that was started.
            if answering_pid(self.connection()) == Some(process.id()) {
                self.process = Some(process);
                return Ok(());
            }
            thread::sleep(POLL);
        }
        Err(process.log_tail(20))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let tail = self.process.as_ref().map(|process| process.log_tail(20));
        self.process = None;
        if let Some(dir) = self.dir.take() {
            let kept = dir.keep().join("redis.log");
            eprintln!(
                "the log of redis-server on port {} is kept in {}; its end:\n{}",
                self.port,
                kept.display(),
                tail.unwrap_or_default()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_and_starts_again_empty_on_its_port() {
        let mut server = RedisServer::start();
        let (port, pid) = (server.port(), server.pid());
        server.command::<()>(&["SET", "k", "v"]);
        assert_eq!(server.command::<String>(&["GET", "k"]), "v");

        server.restart();
        assert_eq!(server.port(), port);
        assert_ne!(server.pid(), pid);
        assert_eq!(server.command::<Option<String>>(&["GET", "k"]), None);

        server.stop();
        assert!(server.try_command::<()>(&["PING"]).is_err());
    }

    #[test]
    fn passing_time_shortens_lives_and_ends_those_that_are_over() {
        let server = RedisServer::start();
        server.command::<()>(&["SET", "short", "v", "PX", "60000"]);
        server.command::<()>(&["SET", "long", "v", "PX", "7200000"]);
        server.command::<()>(&["SET", "forever", "v"]);

        server.pass(Duration::from_mins(1));
        assert_eq!(server.command::<i64>(&["PTTL", "short"]), -2);
        assert_eq!(server.command::<i64>(&["PTTL", "forever"]), -1);
        let long: i64 = server.command(&["PTTL", "long"]);
        assert!((7_100_000..=7_140_000).contains(&long), "{long}");
    }

    #[test]
    fn a_password_given_as_an_argument_is_used_for_commands() {
        let server = RedisServer::start_with(&["--requirepass", "secret"]);
        assert_eq!(server.command::<String>(&["PING"]), "PONG");
    }
}
