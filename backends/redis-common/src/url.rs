//! Reading a server's address, and quoting it in errors without its secrets.

use std::net::IpAddr;

use larder::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::config::{Host, Settings, Topology};

const SCHEMES: &str =
    "redis, rediss, valkey or valkeys, with -cluster, -sentinel or +unix behind it where that is meant";

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Reads `url`, refusing what its grammar would quietly take for something else.
pub(crate) fn parse(url: &str) -> Result<Settings> {
    read(url).map_err(|why| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("redis url {:?} is not usable: {why}", redact(url)),
        )
    })
}

/// [`parse`] with the bare reason, which quotes nothing of the URL.
fn read(url: &str) -> Result<Settings, String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("it has no scheme ({SCHEMES})"));
    };
    if matches!(scheme, "redis+unix" | "valkey+unix") {
        return read_socket(url, rest);
    }
    let (base, topology) = match scheme.split_once('-') {
        Some((base, topology)) => (base, Some(topology)),
        None => (scheme, None),
    };
    if !matches!(base, "redis" | "rediss" | "valkey" | "valkeys")
        || !matches!(topology, None | Some("cluster" | "sentinel"))
    {
        return Err(format!("its scheme is not known ({SCHEMES})"));
    }
    // The URL's grammar ends the host at the first of these, so what was meant as a password would be taken for a
    // port, a database or a query, and shown as such.
    if rest.find(['/', '?', '#']).is_some_and(|end| rest[end..].contains('@')) {
        return Err(
            "a '/', '?' or '#' in a user or password has to be percent-encoded, as has an '@' behind the host".into(),
        );
    }
    let parsed = Url::parse(url).map_err(|error| error.to_string())?;
    let port = if topology == Some("sentinel") {
        SENTINEL_PORT
    } else {
        PORT
    };
    let first = host(&parsed, port)?;
    let database = database(path(rest).trim_start_matches('/'))?;
    let (mut others, mut service, mut user, mut password) = (Vec::new(), None, None, None);
    for (name, value) in parsed.query_pairs() {
        match (topology, &*name) {
            (Some(_), "node") => others.push(node(&value)?),
            (Some("sentinel"), "sentinelServiceName") => service = Some(value.into_owned()),
            (Some("sentinel"), "sentinelUsername") => user = Some(value.into_owned()),
            (Some("sentinel"), "sentinelPassword") => password = Some(value.into_owned()),
            _ => return Err("a setting of its query is not known".into()),
        }
    }
    let (user, password) = named(user, password);
    let hosts = || [first.clone()].into_iter().chain(others).collect();
    let topology = match topology {
        None => Topology::One(first),
        Some("cluster") if database.is_some_and(|number| number != 0) => {
            return Err("a cluster has no database but 0".into());
        }
        Some("cluster") => Topology::Cluster(hosts()),
        Some(_) => Topology::Sentinel {
            hosts: hosts(),
            service: service.ok_or("it names no service, as ?sentinelServiceName=name")?,
            user,
            password,
        },
    };
    let mut settings = Settings::new(topology);
    settings.tls = matches!(base, "rediss" | "valkeys");
    settings.database = database;
    (settings.user, settings.password) = credentials(&parsed)?;
    Ok(settings)
}

/// Reads the URL of a unix socket, whose path is no database.
fn read_socket(url: &str, rest: &str) -> Result<Settings, String> {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let database = match query.strip_prefix("db=") {
        Some(number) => database(number)?,
        None if query.is_empty() => None,
        None => return Err("the only setting of a socket is its database, as ?db=2".into()),
    };
    let socket = path(rest);
    if matches!(socket, "" | "/") {
        return Err("it has no path".into());
    }
    let parsed = Url::parse(url).map_err(|error| error.to_string())?;
    let mut settings = Settings::new(Topology::Socket(decoded(socket)?.into()));
    settings.database = database;
    (settings.user, settings.password) = credentials(&parsed)?;
    Ok(settings)
}

fn host(url: &Url, default_port: u16) -> Result<Host, String> {
    // Of a scheme that the URL's grammar does not know, an address comes as text.
    let name = url.host_str().filter(|name| !name.is_empty()).ok_or("it has no host")?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    Ok(Host::new(decoded(name)?, url.port().unwrap_or(default_port)))
}

fn node(address: &str) -> Result<Host, String> {
    let malformed = || "a further node is no host:port".to_owned();
    let (name, port) = address.rsplit_once(':').ok_or_else(malformed)?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if name.is_empty() || name.contains(['@', '/']) {
        return Err(malformed());
    }
    Ok(Host::new(name, port.parse().map_err(|_| malformed())?))
}

fn database(text: &str) -> Result<Option<u8>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| "its database is no number".to_owned())
}

fn credentials(url: &Url) -> Result<(Option<String>, Option<String>), String> {
    let part = |text: &str| decoded(text).map(|text| (!text.is_empty()).then_some(text));
    let (user, password) = (part(url.username())?, part(url.password().unwrap_or_default())?);
    Ok(named(user, password))
}

/// A user without a password is asked for with an empty one: without any, a client would be the server's default user.
fn named(user: Option<String>, password: Option<String>) -> (Option<String>, Option<String>) {
    let password = password.or_else(|| user.is_some().then(String::new));
    (user, password)
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| "a percent-encoded part of it is no UTF-8".to_owned())
}

/// The path of a URL whose scheme is cut off.
fn path(rest: &str) -> &str {
    let host = rest.rfind('@').map_or(rest, |at| &rest[at + 1..]);
    let end = host.find(['?', '#']).unwrap_or(host.len());
    host[..end].find('/').map_or("", |slash| &host[slash..end])
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
        parse(url).err().expect("the url is refused")
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
            if let Err(error) = parse(url) {
                panic!("{url}: {error}");
            }
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
            ("redis://localhost?timeout=1", "\"redis://localhost***\""),
            ("redis-cluster://localhost?node=b", "\"redis-cluster://localhost***\""),
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

    #[test]
    fn the_url_of_a_socket_has_a_path_and_perhaps_a_database_and_a_password() {
        let settings = parse("valkey+unix:///tmp/redis.sock").unwrap();
        assert!(settings.topology == Topology::Socket("/tmp/redis.sock".into()));
        assert_eq!(settings.database, None);
        let settings = parse("redis+unix://app:hunter2@localhost/tmp/with%20space.sock?db=3").unwrap();
        assert!(settings.topology == Topology::Socket("/tmp/with space.sock".into()));
        assert_eq!(
            (settings.database, settings.password.as_deref()),
            (Some(3), Some("hunter2"))
        );
        for url in [
            "redis+unix://",
            "redis+unix:///",
            "redis+unix:///tmp/redis.sock?db=first",
            "redis+unix:///tmp/redis.sock?database=1",
            "redis+unix://:hunter2@localhost/tmp/redis.sock?db=first",
        ] {
            let error = refusal(url);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn tls_schemes_turn_tls_on_and_others_do_not() {
        for (url, tls) in [
            ("rediss://localhost", true),
            ("valkeys://localhost", true),
            ("rediss-cluster://localhost:7000", true),
            ("rediss-sentinel://localhost?sentinelServiceName=main", true),
            ("redis://localhost", false),
            ("valkey-cluster://localhost", false),
        ] {
            assert_eq!(parse(url).unwrap().tls, tls, "{url}");
        }
    }

    #[test]
    fn each_part_of_a_url_is_read() {
        let settings = parse("redis://a%40pp:p%2Fw@[::1]/7").unwrap();
        assert!(settings.topology == Topology::One(Host::new("::1", 6379)));
        assert_eq!(settings.user.as_deref(), Some("a@pp"));
        assert_eq!(settings.password.as_deref(), Some("p/w"));
        assert_eq!(settings.database, Some(7));
        let settings = parse("redis://app@localhost").unwrap();
        assert_eq!(
            (settings.user.as_deref(), settings.password.as_deref()),
            (Some("app"), Some(""))
        );
        let settings = parse("redis-cluster://a:1?node=b:2&node=[::1]:3").unwrap();
        let hosts = vec![Host::new("a", 1), Host::new("b", 2), Host::new("::1", 3)];
        assert!(settings.topology == Topology::Cluster(hosts));
        let settings = parse("redis-sentinel://a?sentinelServiceName=main&sentinelPassword=pw").unwrap();
        let sentinels = Topology::Sentinel {
            hosts: vec![Host::new("a", 26379)],
            service: "main".to_owned(),
            user: None,
            password: Some("pw".to_owned()),
        };
        assert!(settings.topology == sentinels);
    }
}
