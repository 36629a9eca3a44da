//! What a failure of the redis crate's means to a cache.

use std::{io, sync::Arc};

use larder::{Error, ErrorKind};
use larder_redis_common::{Context, failed, is_unready, printable};
use redis::{RedisError, ServerError};

/// Why a command has no answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The deadline has passed.
    Late,
    /// The server answered with an error, in these words.
    Answered(String),
    /// There is no connection, or it broke, for this reason.
    Broken(String),
}

impl Failure {
    /// The one error of larder, without arguments of the command in it.
    #[cold]
    pub(crate) fn convert(&self, context: &Context<'_>) -> Error {
        let (kind, details) = match self {
            Self::Late => (ErrorKind::Timeout, ""),
            Self::Answered(words) if is_unready(words) => (ErrorKind::Connection, &**words),
            Self::Answered(words) => (ErrorKind::Server, &**words),
            Self::Broken(reason) => (ErrorKind::Connection, &**reason),
        };
        failed(kind, details, context)
    }

    /// Tells whether the server is away, as far as that can be known.
    pub(crate) fn is_away(&self) -> bool {
        !matches!(self, Self::Answered(words) if !is_unready(words))
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self::Answered(words(error.code(), error.details()))
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self::Late;
        }
        match error.code() {
            Some(code) => Self::Answered(words(code, error.detail())),
            None => Self::Broken(reason(&error)),
        }
    }
}

fn words(code: &str, details: Option<&str>) -> String {
    let words = match details {
        Some(details) => format!("{code} {details}"),
        None => code.to_owned(),
    };
    printable(&words).into_owned()
}

/// Why a connection broke, in the words of the operating system where it tells.
pub(crate) fn reason(error: &RedisError) -> String {
    match system_error(error) {
        Some(error) => system_reason(error),
        None => printable(&error.to_string()).into_owned(),
    }
}

/// The words of the operating system, without its number for them.
pub(crate) fn system_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    printable(words).into_owned()
}

pub(crate) fn system_error(error: &RedisError) -> Option<&io::Error> {
    let source = std::error::Error::source(error)?;
    // The redis crate hands out what it shares, pointer and all.
    let shared = source.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>();
    source.downcast_ref().or_else(|| shared?.downcast_ref())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn converted(failure: &Failure) -> Error {
        failure.convert(&Context {
            servers: "localhost:6379",
            deadline: Duration::from_millis(250),
            last_failure: None,
            writes: true,
        })
    }

    #[test]
    fn failures_become_kinds_to_act_on() {
        for (words, kind) in [
            ("LOADING Redis is loading the dataset in memory", ErrorKind::Connection),
            ("CLUSTERDOWN Hash slot not served", ErrorKind::Connection),
            ("MOVED 7638 127.0.0.1:7001", ErrorKind::Connection),
            ("OOM command not allowed", ErrorKind::Server),
            ("READONLY You can't write", ErrorKind::Server),
            ("WRONGTYPE Operation", ErrorKind::Server),
        ] {
            let failure = Failure::Answered(words.to_owned());
            let error = converted(&failure);
            assert_eq!(error.kind(), kind, "{words}");
            assert_eq!(error.message(), words);
            assert_eq!(failure.is_away(), kind == ErrorKind::Connection, "{words}");
        }
        assert_eq!(converted(&Failure::Late).kind(), ErrorKind::Timeout);
        let broken = converted(&Failure::from(RedisError::from(io::Error::from_raw_os_error(111))));
        assert_eq!(
            broken.to_string(),
            "not connected to localhost:6379: Connection refused"
        );
    }
}
