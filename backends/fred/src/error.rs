//! What a failure of fred's means to a cache.

use std::borrow::Cow;

use fred::error::{Error as FredError, ErrorKind as FredKind};
use larder::{Error, ErrorKind};
use larder_redis_common::{Context, failed, is_servers_words, is_unready};

/// Turns a failure of fred's into the one error of larder, without arguments of the command in it.
#[cold]
pub(crate) fn convert(error: &FredError, context: &Context<'_>) -> Error {
    let details = printable(error.details());
    failed(kind(error), &details, context).with_source(FredError::new(error.kind().clone(), details.into_owned()))
}

/// The failure that fred makes of a server's words, as far as its kind tells more than they do.
#[cold]
pub(crate) fn answered(words: &str) -> FredError {
    let kind = match words.split(' ').next() {
        Some("MOVED" | "ASK" | "CLUSTERDOWN") => FredKind::Cluster,
        Some("NOAUTH" | "WRONGPASS") => FredKind::Auth,
        _ => FredKind::Unknown,
    };
    FredError::new(kind, words.to_owned())
}

/// The kind that a failure of fred's has.
pub(crate) fn kind(error: &FredError) -> ErrorKind {
    match error.kind() {
        FredKind::Timeout => ErrorKind::Timeout,
        FredKind::Backpressure => ErrorKind::Overloaded,
        FredKind::IO | FredKind::Canceled | FredKind::Routing | FredKind::Sentinel | FredKind::Protocol => {
            ErrorKind::Connection
        }
        #[cfg(feature = "rustls")]
        FredKind::Tls => ErrorKind::Connection,
        // fred has one kind for most of what servers answer and for failures of its own.
        _ if is_unready(error.details()) => ErrorKind::Connection,
        FredKind::Unknown | FredKind::Cluster if !is_servers_words(error.details()) => ErrorKind::Connection,
        _ => ErrorKind::Server,
    }
}

/// Tells whether a failure to connect will not mend itself: the address, the certificate or the password is wrong.
pub(crate) fn is_final(error: &FredError) -> bool {
    match error.kind() {
        FredKind::Auth | FredKind::Config | FredKind::Url => true,
        // A handshake that fails comes as an i/o error around the debug form of the TLS library's.
        FredKind::IO => ["InvalidCertificate", "InvalidMessage", "AlertReceived"]
            .iter()
            .any(|sign| error.details().contains(sign)),
        #[cfg(feature = "rustls")]
        FredKind::Tls => true,
        FredKind::Unknown => larder_redis_common::is_final(error.details()),
        _ => false,
    }
}

/// The error of a connection that can not come to be.
#[cold]
pub(crate) fn refused(error: &FredError, servers: &str) -> Error {
    let details = printable(error.details());
    let source = FredError::new(error.kind().clone(), details.clone().into_owned());
    larder_redis_common::refused(&details, servers).with_source(source)
}

/// The words of an error, taken out of the wrapping that fred hands on.
pub(crate) fn printable(details: &str) -> Cow<'_, str> {
    // `Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }` says it once inside.
    let details = match details
        .split_once("message: \"")
        .and_then(|(_, rest)| rest.split_once('"'))
    {
        Some((message, _)) => message,
        None => details,
    };
    // `Custom { kind: InvalidData, error: InvalidCertificate(Expired) }` likewise.
    let details = match details.split_once(", error: ") {
        Some((custom, error)) if custom.starts_with("Custom {") => error.trim_end_matches(" }"),
        _ => details,
    };
    larder_redis_common::printable(details)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn converted(kind: FredKind, details: &'static str, writes: bool) -> Error {
        let context = Context {
            servers: "localhost:6379",
            deadline: Duration::from_millis(250),
            last_failure: None,
            writes,
        };
        convert(&FredError::new(kind, details), &context)
    }

    #[test]
    fn the_kinds_of_fred_become_kinds_to_act_on() {
        for (fred, details, expected) in [
            (FredKind::IO, "Connection closed.", ErrorKind::Connection),
            (FredKind::Canceled, "Canceled.", ErrorKind::Connection),
            (
                FredKind::Unknown,
                "Failed to send command to router.",
                ErrorKind::Connection,
            ),
            (FredKind::Unknown, "channel closed", ErrorKind::Connection),
            (
                FredKind::Unknown,
                "LOADING Redis is loading the dataset in memory",
                ErrorKind::Connection,
            ),
            (
                FredKind::Unknown,
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL",
                ErrorKind::Connection,
            ),
            (
                FredKind::Unknown,
                "BUSYKEY Target key name already exists.",
                ErrorKind::Server,
            ),
            (
                FredKind::Cluster,
                "CLUSTERDOWN Hash slot not served",
                ErrorKind::Connection,
            ),
            (FredKind::Cluster, "MOVED 7638 127.0.0.1:7001", ErrorKind::Connection),
            (
                FredKind::Cluster,
                "Missing server for hash slot 7",
                ErrorKind::Connection,
            ),
            (FredKind::Timeout, "Request timed out.", ErrorKind::Timeout),
            (
                FredKind::Backpressure,
                "Max in-flight commands reached.",
                ErrorKind::Overloaded,
            ),
            (FredKind::Unknown, "OOM command not allowed", ErrorKind::Server),
            (FredKind::Unknown, "READONLY You can't write", ErrorKind::Server),
            (FredKind::Unknown, "NOPERM no permissions", ErrorKind::Server),
            (
                FredKind::Unknown,
                "@user_script: 1: The user executing the script can't run this command",
                ErrorKind::Server,
            ),
            (FredKind::Auth, "NOAUTH Authentication required.", ErrorKind::Server),
            (FredKind::InvalidArgument, "WRONGTYPE Operation", ErrorKind::Server),
            (FredKind::Parse, "Could not convert to array.", ErrorKind::Server),
        ] {
            assert_eq!(converted(fred, details, false).kind(), expected, "{details}");
        }
    }

    #[test]
    fn arguments_a_server_quotes_are_cut_off() {
        let details = "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `app`, `hunter2`, ";
        let error = converted(FredKind::Unknown, details, false);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        let error = refused(&FredError::new(FredKind::Unknown, details), "localhost:6379");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert!(error.to_string().contains("with_resp3"), "{error}");
    }

    #[test]
    fn an_operating_systems_error_is_told_in_its_own_words() {
        let details = "Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }";
        assert_eq!(
            converted(FredKind::IO, details, false).to_string(),
            "not connected to localhost:6379: Connection refused"
        );
    }

    #[test]
    fn a_refused_certificate_is_told_without_its_wrapping() {
        let details = "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }";
        assert_eq!(
            refused(&FredError::new(FredKind::IO, details), "localhost:6379").to_string(),
            "no connection to localhost:6379 is possible: InvalidCertificate(UnknownIssuer)"
        );
    }

    #[test]
    fn what_waiting_can_mend_is_not_final() {
        for (kind, details, expected) in [
            (FredKind::Auth, "WRONGPASS invalid username-password pair", true),
            (FredKind::Unknown, "NOPERM no permissions to run 'select'", true),
            (FredKind::Unknown, "ERR DB index is out of range", true),
            (FredKind::Unknown, "ERR max number of clients reached", false),
            (FredKind::Unknown, "LOADING Redis is loading", false),
            (FredKind::Unknown, "BUSY Redis is busy running a script", false),
            (
                FredKind::IO,
                "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }",
                true,
            ),
            (FredKind::IO, "Connection refused", false),
            (FredKind::Timeout, "Request timed out.", false),
        ] {
            assert_eq!(is_final(&FredError::new(kind, details)), expected, "{details}");
        }
    }
}
