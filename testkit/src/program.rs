//! The server program that tests start.

use std::process::Command;

use redis::{Connection, RedisResult};

pub(crate) const PROGRAM: &str = "redis-server";
pub(crate) const INSTALL: &str = "apt-get install redis-server";

/// The id of the process at the other end, where it answers.
pub(crate) fn answering_pid(connection: RedisResult<Connection>) -> Option<u32> {
    let mut connection = connection.ok()?;
    redis::cmd("PING").exec(&mut connection).ok()?;
    let info: String = redis::cmd("INFO").arg("server").query(&mut connection).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("process_id:"))?;
    line.trim().parse().ok()
}

/// The major version of the program that tests start; none where it does not tell it as Redis does.
pub(crate) fn major_version() -> Option<u32> {
    let output = Command::new(program()).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_once(" v=")?.1.split('.').next()?.parse().ok()
}

/// The program that tests start.
pub(crate) fn program() -> String {
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| PROGRAM.to_owned())
}
