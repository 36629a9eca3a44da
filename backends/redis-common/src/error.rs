//! What a failure means to a cache.

use std::{borrow::Cow, time::Duration};

use larder::{Error, ErrorKind};

/// What is known of the connection when one of its commands fails.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "a client has to say all of it")]
pub struct Context<'a> {
    /// The servers.
    pub servers: &'a str,
    /// The deadline that a timeout has passed.
    pub deadline: Duration,
    /// Why the connection is down, where it is.
    pub last_failure: Option<String>,
    /// Whether the command changes anything.
    pub writes: bool,
}

/// The error of a command, without its arguments. `details` are the [`printable`] ones of the client or the server.
#[cold]
#[must_use]
pub fn failed(kind: ErrorKind, details: &str, context: &Context<'_>) -> Error {
    let servers = context.servers;
    // What a call has left of its deadline has nanoseconds besides.
    let within =
        Duration::from_millis(u64::try_from(context.deadline.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX));
    let message = match kind {
        ErrorKind::Timeout if context.writes => {
            format!("no answer from {servers} within {within:?}; the write may or may not have been applied")
        }
        ErrorKind::Timeout => format!("no answer from {servers} within {within:?}"),
        ErrorKind::Connection if is_servers_words(details) => details.to_owned(),
        ErrorKind::Connection => format!(
            "not connected to {servers}: {}",
            context.last_failure.as_deref().unwrap_or(details)
        ),
        _ => details.to_owned(),
    };
    Error::new(kind, message)
}

/// The error of a connection that can not come to be. `details` are [`printable`] ones.
#[cold]
#[must_use]
pub fn refused(details: &str, servers: &str) -> Error {
    let advice = if details.contains("unknown command") && details.contains("HELLO") {
        " (a server without RESP3: see RedisConfig::with_resp3)"
    } else {
        ""
    };
    Error::new(
        ErrorKind::Server,
        format!("no connection to {servers} is possible: {details}{advice}"),
    )
}

/// The error of a connection that did not come to be in time.
#[cold]
#[must_use]
pub fn late(servers: &str, timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!("{servers} did not answer within {timeout:?}"),
    )
}

/// The error of a call after the end.
#[cold]
#[must_use]
pub fn closed() -> Error {
    Error::new(ErrorKind::Connection, "the connection manager was closed")
}

/// The error of an answer that no server gives.
#[cold]
#[must_use]
pub fn unexpected(what: &str) -> Error {
    Error::new(
        ErrorKind::Server,
        format!("the server's answer is not understood: {what}"),
    )
}

/// Tells whether the server answered that it can not serve at all for now, as one that is full does: to a cache that is
/// the same as away. So are the nodes of a cluster that go on sending a key to each other.
#[must_use]
pub fn is_unready(details: &str) -> bool {
    let codes = [
        "LOADING",
        "BUSY",
        "CLUSTERDOWN",
        "MASTERDOWN",
        "MOVED",
        "ASK",
        "TRYAGAIN",
    ];
    codes.contains(&code(details)) || details.starts_with("ERR max number of clients")
}

/// Tells whether a server wrote this: its errors begin with a code in capitals, except those of a script's own calls
/// before Redis 7, which begin with the script and the line.
#[must_use]
pub fn is_servers_words(details: &str) -> bool {
    let code = code(details);
    details.starts_with("@user_script")
        || code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// Tells whether a server's answer to a handshake will stay the same.
#[must_use]
pub fn is_final(details: &str) -> bool {
    is_servers_words(details) && !is_unready(details)
}

fn code(details: &str) -> &str {
    details.split(' ').next().unwrap_or_default()
}

/// The words of an error in one line, without the arguments some servers quote: they may be keys or passwords.
#[must_use]
pub fn printable(details: &str) -> Cow<'_, str> {
    let details = match details.find(", with args beginning with") {
        Some(end) => &details[..end],
        None => details,
    };
    let details = details.trim().trim_end_matches('.');
    if details.contains(['\r', '\n']) {
        Cow::Owned(details.replace(['\r', '\n'], " "))
    } else {
        Cow::Borrowed(details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: ErrorKind, details: &str, writes: bool) -> String {
        let context = Context {
            servers: "localhost:6379",
            deadline: Duration::from_millis(250),
            last_failure: None,
            writes,
        };
        failed(kind, details, &context).to_string()
    }

    #[test]
    fn a_timeout_says_what_is_not_known() {
        assert_eq!(
            told(ErrorKind::Timeout, "timed out", true),
            "no answer from localhost:6379 within 250ms; the write may or may not have been applied"
        );
        assert_eq!(
            told(ErrorKind::Timeout, "timed out", false),
            "no answer from localhost:6379 within 250ms"
        );
    }

    #[test]
    fn what_a_server_wrote_is_told_in_its_words() {
        let words = "CLUSTERDOWN Hash slot not served";
        assert_eq!(told(ErrorKind::Connection, words, true), words);
        assert_eq!(
            told(ErrorKind::Connection, "Connection refused", true),
            "not connected to localhost:6379: Connection refused"
        );
    }

    #[test]
    fn arguments_a_server_quotes_are_cut_off_and_lines_joined() {
        let details = "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `app`, `hunter2`, ";
        assert_eq!(printable(details), "ERR unknown command `HELLO`");
        assert!(
            refused(&printable(details), "localhost")
                .message()
                .contains("with_resp3")
        );
        assert_eq!(printable("ERR one\r\ntwo."), "ERR one  two");
    }

    #[test]
    fn what_waiting_can_mend_is_not_final() {
        for (details, expected) in [
            ("WRONGPASS invalid username-password pair", true),
            ("NOPERM no permissions to run 'select'", true),
            ("ERR DB index is out of range", true),
            ("ERR max number of clients reached", false),
            ("LOADING Redis is loading", false),
            ("BUSY Redis is busy running a script", false),
            ("BUSYKEY Target key name already exists", true),
            ("Connection refused", false),
        ] {
            assert_eq!(is_final(details), expected, "{details}");
        }
    }
}
