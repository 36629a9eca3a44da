//! Reading a server's address, and quoting it in errors without its secrets.

use std::net::IpAddr;

use fred::types::config::Config;
use larder::{Error, ErrorKind, Result};

const SCHEMES: &str =
    "redis, rediss, valkey or valkeys, with -cluster, -sentinel or +unix behind it where that is meant";

/// Reads `url`, refusing what fred would quietly take for something else.
pub(crate) fn parse(url: &str) -> Result<Config> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(malformed(url, &format!("it has no scheme ({SCHEMES})")));
    };
    if matches!(scheme, "redis+unix" | "valkey+unix") {
        return parse_socket(url, rest);
    }
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
    // The URL's grammar ends the host at the first of these, so what was meant as a password would be taken for a
    // port, a database or a query, and shown as such.
    if rest.find(['/', '?', '#']).is_some_and(|end| rest[end..].contains('@')) {
        return Err(malformed(
            url,
            "a '/', '?' or '#' in a user or password has to be percent-encoded, as has an '@' behind the host",
        ));
    }
    if topology == Some("cluster") && !matches!(path(rest), "" | "/" | "/0") {
        return Err(malformed(url, "a cluster has no database but 0"));
    }
    Config::from_url(url).map_err(|error| {
        // The only one of fred's messages that quotes the URL.
        let (why, _quoted) = error.details().split_once(": ").unwrap_or((error.details(), ""));
        malformed(url, why.trim_end_matches('.'))
    })
}

/// Reads the URL of a unix socket, whose path is no database.
#[cfg(feature = "unix-sockets")]
fn parse_socket(url: &str, rest: &str) -> Result<Config> {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let database = match query.strip_prefix("db=") {
        Some(number) => match number.parse() {
            Ok(number) => Some(number),
            Err(_) => return Err(malformed(url, "its database is no number")),
        },
        None if query.is_empty() => None,
        None => return Err(malformed(url, "the only setting of a socket is its database, as ?db=2")),
    };
    let socket = path(rest);
    if matches!(socket, "" | "/") || socket.contains('%') {
        return Err(malformed(
            url,
            "it has no path, or one with percent-encoded letters, which fred does not decode",
        ));
    }
    let mut config = Config::from_url_unix(url).map_err(|_| malformed(url, "it is no URL"))?;
    config.database = database;
    Ok(config)
}

#[cfg(not(feature = "unix-sockets"))]
fn parse_socket(url: &str, _rest: &str) -> Result<Config> {
    Err(malformed(
        url,
        "it names a unix socket, and larder-fred was built without its feature `unix-sockets`",
    ))
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

/// What of a URL that could not be read is certainly no secret: a scheme, and a host that can be nothing else.
///
/// A URL that lacks its host has the password where the port should be, one with a '/' in the password ends too early,
/// and a name of a host looks like any other word.
fn redact(url: &str) -> String {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'+' | b'-');
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(letter) => (format!("{scheme}://"), rest),
        _ => (String::new(), url),
    };
    let (hidden, place) = match rest.rfind('@') {
        Some(at) => ("***@", &rest[at + 1..]),
        None => ("", rest),
    };
    let host = match place.find(']') {
        Some(end) if place.starts_with('[') => &place[..=end],
        _ => &place[..place.find([':', '/', '?', '#']).unwrap_or(place.len())],
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if host != "localhost" && address.is_err() {
        let all = if rest.is_empty() { "" } else { "***" };
        return format!("{scheme}{all}");
    }
    let more = if place.len() > host.len() { "***" } else { "" };
    format!("{scheme}{hidden}{host}{more}")
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
            ("", "redis url \"\" is"),
            ("localhost:6379", "\"localhost***\""),
            ("http://localhost", "\"http://localhost\""),
            ("redis://", "\"redis://\""),
            ("redis://localhost:port", "\"redis://localhost***\""),
            ("redis://localhost:70000", "\"redis://localhost***\""),
            ("redis://127.0.0.1/first", "\"redis://127.0.0.1***\""),
            ("redis://[::1]/first", "\"redis://[::1]***\""),
            ("redis://app:pw@localhost/0/1", "\"redis://***@localhost***\""),
            ("redis://cache.internal/first", "\"redis://***\""),
            ("redis-cluster://localhost:7000/3", "\"redis-cluster://localhost***\""),
            ("redis-sentinel://localhost:26379", "\"redis-sentinel://localhost***\""),
            ("redis-unix:///tmp/redis.sock", "\"redis-unix://***\""),
        ] {
            let error = refusal(url);
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            assert!(text.contains(quoted), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn no_error_holds_a_part_of_the_password() {
        // Where a person may put it, with what a person may forget or leave unescaped.
        let shapes = [
            "redis://app:{}",
            "redis://:{}/0",
            "redis://:{}/first",
            "redis://:{}@",
            "redis://:{}@/0",
            "redis://app:{}@",
            "redis://app:{}@:6379",
            "redis://app:{}@localhost:port",
            "redis://app:{}@cache.internal:port",
            "redis://app:{}@localhost/none",
            "redis://app:{}@h/0/1",
            "redis://app:{}@[::1",
            "redis://{}@/0",
            "redis://{}:6379:6379",
            "redis://:{}:6379",
            "redis://:{}@us er@h:port",
            "redis:{}://localhost",
            "redis:{}@localhost",
            "redis:/{}@localhost",
            "redis//:{}@localhost",
            "{}@localhost",
            "app:{}@localhost",
            ":{}://localhost",
            "http://app:{}@localhost",
            "redis+tls://app:{}@localhost",
            "redis-cluster://app:{}@h",
            "redis-cluster://:{}/0",
            "redis-cluster://h:1?node=app:{}@h:2",
            "redis-cluster://h:1?node={}",
            "redis-sentinel://:{}@h:1/none?sentinelServiceName=m",
            "redis-sentinel://h:1/none?sentinelServiceName=m&sentinelPassword={}",
            "redis-sentinel://h:1/0?sentinelPassword={}",
        ];
        let passwords: [(&str, &[&str]); 9] = [
            ("hunter2", &["hunter2"]),
            ("1234567", &["1234567"]),
            ("hun/ter2", &["hun", "ter2"]),
            ("4711/0815", &["4711", "0815"]),
            ("hun?ter2", &["hun", "ter2"]),
            ("hun#ter2", &["hun", "ter2"]),
            ("hun@ter2", &["hun", "ter2"]),
            ("hun:ter2", &["hun", "ter2"]),
            ("hun%zzter2", &["hun", "ter2"]),
        ];
        let mut refused = 0;
        for shape in shapes {
            for (password, parts) in passwords {
                let url = shape.replace("{}", password);
                // Some are well-formed, if not what was meant: `redis://app:hun@ter2` names the host `ter2`.
                let Err(error) = parse(&url) else { continue };
                refused += 1;
                let text = format!("{error} {error:?}");
                assert!(parts.iter().all(|part| !text.contains(part)), "{url}: {text}");
            }
        }
        assert!(refused > 230, "{refused} of {}", shapes.len() * passwords.len());
    }

    #[test]
    fn a_password_that_ends_the_host_is_never_taken_for_a_port_or_a_database() {
        for url in [
            "redis://app:47/11@h",
            "redis://app:47?11@h",
            "redis://app:47#11@h",
            "redis://:47/11@h",
        ] {
            let error = refusal(url);
            assert!(error.message().contains("percent-encoded"), "{error}");
            assert!(!error.to_string().contains("47"), "{error}");
        }
    }

    #[cfg(not(feature = "unix-sockets"))]
    #[test]
    fn sockets_name_the_feature_they_need() {
        let error = refusal("redis+unix:///tmp/redis.sock");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("feature `unix-sockets`"), "{error}");
    }

    #[cfg(feature = "unix-sockets")]
    #[test]
    fn the_url_of_a_socket_has_a_path_and_perhaps_a_database_and_a_password() {
        let config = parse("valkey+unix:///tmp/redis.sock").unwrap();
        assert!(config.server.is_unix_socket());
        assert_eq!(config.database, None);
        let config = parse("redis+unix://app:hunter2@localhost/tmp/redis.sock?db=3").unwrap();
        assert_eq!(
            (config.database, config.password.as_deref()),
            (Some(3), Some("hunter2"))
        );
        for url in [
            "redis+unix://",
            "redis+unix:///",
            "redis+unix:///tmp/redis.sock?db=first",
            "redis+unix:///tmp/redis.sock?database=1",
            "redis+unix:///tmp/with%20space.sock",
            "redis+unix://:hunter2@localhost/tmp/redis.sock?db=first",
        ] {
            let error = refusal(url);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
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
