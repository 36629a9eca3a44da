//! Reading a server's address, and quoting it in errors without its secrets.

use fred::types::config::Config;
use larder::{Error, ErrorKind, Result};

const SCHEMES: &str = "redis, rediss, valkey or valkeys, with -cluster or -sentinel behind it where that is meant";

/// Reads `url`, refusing what fred would quietly take for something else.
pub(crate) fn parse(url: &str) -> Result<Config> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(malformed(url, &format!("it has no scheme ({SCHEMES})")));
    };
    let (base, topology) = match scheme.split_once('-') {
        Some((base, topology)) => (base, Some(topology)),
        None => (scheme, None),
    };
    if !matches!(base, "redis" | "rediss" | "valkey" | "valkeys")
        || !matches!(topology, None | Some("cluster" | "sentinel"))
    {
        return Err(malformed(url, &format!("its scheme is not known ({SCHEMES})")));
    }
    if base.ends_with('s') && base != "redis" && !cfg!(feature = "rustls") {
        return Err(malformed(
            url,
            "it asks for TLS, and larder-fred was built without its feature `rustls`",
        ));
    }
    if topology == Some("cluster") && !matches!(path(rest), "" | "/" | "/0") {
        return Err(malformed(url, "a cluster has no database but 0"));
    }
    Config::from_url(url).map_err(|error| malformed(url, error.details().trim_end_matches('.')))
}

/// The path of a URL whose scheme is cut off.
fn path(rest: &str) -> &str {
    let host = rest.rfind('@').map_or(rest, |at| &rest[at + 1..]);
    let end = host.find(['?', '#']).unwrap_or(host.len());
    host[..end].find('/').map_or("", |slash| &host[slash..end])
}

fn malformed(url: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("redis url {:?} is not usable: {why}", redact(url)),
    )
}

/// `url` with everything that may be a secret replaced: the userinfo, the query, and a port that is no number,
/// because a URL that lacks its host has the password there.
fn redact(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (hidden, rest) = match rest.rfind('@') {
        Some(at) => ("***@", &rest[at + 1..]),
        None => ("", rest),
    };
    let (rest, query) = match rest.find(['?', '#']) {
        Some(mark) => (&rest[..mark], "?***"),
        None => (rest, ""),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !port.bytes().all(|byte| byte.is_ascii_digit()) && !port.ends_with(']') => {
            format!("{name}:***")
        }
        _ => host.to_owned(),
    };
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{hidden}{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> Error {
        parse(url).unwrap_err()
    }

    #[test]
    fn usable_urls_are_read() {
        for url in [
            "redis://localhost",
            "redis://:pw@localhost:6379/2",
            "valkey://user:pw@[::1]:7000/0",
            "redis-cluster://a:1?node=b:2&node=c:3",
            "redis-sentinel://a:26379/1?sentinelServiceName=main",
        ] {
            parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        }
    }

    #[test]
    fn malformed_urls_fail_in_one_line_that_quotes_them() {
        for (url, quoted) in [
            ("", "\"\""),
            ("localhost:6379", "\"localhost:6379\""),
            ("http://localhost", "http://localhost"),
            ("redis://", "redis://"),
            ("redis://localhost:port", "redis://localhost:***"),
            ("redis://localhost:70000", "redis://localhost:70000"),
            ("redis://localhost/first", "redis://localhost/first"),
            ("redis://localhost/0/1", "redis://localhost/0/1"),
            ("redis-cluster://localhost:7000/3", "redis-cluster://localhost:7000/3"),
            ("redis-sentinel://localhost:26379", "redis-sentinel://localhost:26379"),
            ("redis-unix:///tmp/redis.sock", "redis-unix:///tmp/redis.sock"),
        ] {
            let error = refusal(url);
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            assert!(text.contains(quoted), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn no_error_holds_the_password() {
        for url in [
            "http://user:hunter2@localhost",
            "redis://user:hunter2@localhost:port",
            "redis://user:hunter2",
            "redis://:hunter2",
            "redis://user:x@hunter2@localhost/none",
            "user:hunter2@localhost",
            "redis-sentinel://localhost:1/none?sentinelServiceName=m&sentinelPassword=hunter2",
        ] {
            let error = refusal(url);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[cfg(not(feature = "rustls"))]
    #[test]
    fn tls_schemes_name_the_feature_they_need() {
        for url in [
            "rediss://localhost",
            "valkeys://localhost",
            "rediss-cluster://localhost:7000",
            "valkeys-cluster://localhost:7000",
            "rediss-sentinel://localhost:26379?sentinelServiceName=main",
        ] {
            let error = refusal(url);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("feature `rustls`"), "{error}");
        }
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn tls_schemes_turn_tls_on() {
        for url in [
            "rediss://localhost",
            "valkeys://localhost",
            "rediss-cluster://localhost:7000",
        ] {
            assert!(parse(url).unwrap().uses_tls(), "{url}");
        }
    }
}
