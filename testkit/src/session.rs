use std::{fmt, sync::Mutex};

use redis::{Connection, RedisResult};

/// A connection to a [`RedisServer`](crate::RedisServer).
pub struct Session(Mutex<Connection>);

impl Session {
    pub(crate) fn new(connection: Connection) -> Self {
        Self(Mutex::new(connection))
    }

    /// Sends one command and forgets what it answers.
    ///
    /// # Panics
    ///
    /// Where that is an error.
    pub fn command(&self, args: &[&str]) {
        let mut connection = self.0.lock().expect("nobody panics under this lock");
        let mut command = redis::Cmd::new();
        for arg in args {
            command.arg(arg);
        }
        let answer: RedisResult<redis::Value> = command.query(&mut connection);
        answer.unwrap_or_else(|error| panic!("{args:?}: {error}"));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
