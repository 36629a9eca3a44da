//! What a connection is made from.

#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::{fmt, path::PathBuf, time::Duration};

use larder::{Error, ErrorKind, Result};

use crate::url;

/// Where the server is and how long to wait for it.
///
/// # Examples
///
/// ```
/// use larder_redis_common::RedisConfig;
/// use std::time::Duration;
///
/// let config = RedisConfig::from_url("redis://app:secret@localhost:6379/2")?
///     .with_deadline(Duration::from_millis(100))
///     .with_max_in_flight(10_000);
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisConfig {
    settings: Settings,
}

/// What a [`RedisConfig`] says, for the clients. Its user sees none of this.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "a client has to mind each setting")]
#[expect(missing_docs, reason = "each is the setting of RedisConfig's method")]
#[expect(
    missing_debug_implementations,
    reason = "it holds passwords; RedisConfig shows the rest"
)]
pub struct Settings {
    pub topology: Topology,
    pub user: Option<String>,
    pub password: Option<String>,
    /// `None` where the URL names none, so that none is selected.
    pub database: Option<u8>,
    pub tls: bool,
    #[cfg(feature = "rustls")]
    pub tls_config: Option<Arc<rustls::ClientConfig>>,
    /// `None` for what suits the client.
    pub resp3: Option<bool>,
    pub deadline: Duration,
    pub connect_timeout: Duration,
    pub max_in_flight: usize,
    pub shares_runtime: bool,
}

/// What is at the address.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a client has to know how to connect to each")]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub enum Topology {
    /// One server.
    One(Host),
    /// Nodes of a cluster, which know the others.
    Cluster(Vec<Host>),
    /// Sentinels, which know where the primary is.
    Sentinel {
        /// The sentinels.
        hosts: Vec<Host>,
        /// The name by which they know the primary.
        service: String,
        /// Who asks them.
        user: Option<String>,
        /// The password that they ask for.
        password: Option<String>,
    },
    /// A unix socket.
    Socket(PathBuf),
}

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "an address has no more parts")]
pub struct Host {
    /// A name or an address, without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Host {
    /// The server of that name and port.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self {
            name: name.into(),
            port,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl RedisConfig {
    /// How long a command may take unless [`with_deadline`](Self::with_deadline) says otherwise.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_millis(250);

    /// How long connecting may take unless [`with_connect_timeout`](Self::with_connect_timeout) says otherwise.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

    /// How many commands may be in flight unless [`with_max_in_flight`](Self::with_max_in_flight) says otherwise.
    ///
    /// A healthy connection holds a few hundred. A server that stalls gathers what is called within one deadline:
    /// at 250 ms this many is 262 000 calls a second, more than one connection carries, and some 150 MB of memory
    /// besides the values. So the limit stops a runaway and never a service under load.
    pub const DEFAULT_MAX_IN_FLIGHT: usize = 65_536;

    /// Reads the address from a URL; everything else has its default.
    ///
    /// | | |
    /// |---|---|
    /// | one server | `redis://[[user]:password@]host[:port][/database]` |
    /// | cluster | `redis-cluster://[[user]:password@]host:port[?node=host:port&node=host:port]` |
    /// | sentinel | `redis-sentinel://[[user]:password@]host:port[/database]?sentinelServiceName=name[&node=host:port]` |
    /// | sentinels with a password | the same and `&sentinelPassword=password[&sentinelUsername=user]` |
    /// | unix socket | `redis+unix://[[user]:password@host]/path/of/the.sock[?db=database]` |
    /// | TLS (feature `rustls`) | `rediss://`, `rediss-cluster://`, `rediss-sentinel://` |
    ///
    /// `valkey` stands for `redis` and `valkeys` for `rediss` everywhere. A user or password is percent-encoded. A user
    /// without a password is asked for with an empty one, which is right for users that need none.
    ///
    /// # Errors
    ///
    /// Invalid input for anything else, which the error quotes without its secrets. A URL with a TLS scheme where the
    /// feature `rustls` is off is refused by every constructor of a manager: it is never connected to in plaintext.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url).map(|settings| Self { settings })
    }

    /// The parts of it.
    #[doc(hidden)]
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sets how long each command may take, from the call to its answer. Default: 250 ms.
    ///
    /// A conditional write may take two commands, the first time a server sees its script.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// Sets how long connecting may take, and each step of the handshake. Default: 500 ms.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// Sets how many commands may be in flight before calls fail with
    /// [`ErrorKind::Overloaded`]. Default: [`DEFAULT_MAX_IN_FLIGHT`](Self::DEFAULT_MAX_IN_FLIGHT).
    ///
    /// A batch counts its commands and is let in whole or not at all.
    #[must_use]
    pub fn with_max_in_flight(mut self, commands: usize) -> Self {
        self.settings.max_in_flight = commands;
        self
    }

    /// Runs the client on the tokio runtime that the manager is made on, in the place of a thread of its own.
    /// Default: a thread of its own.
    ///
    /// Saves a change of thread per answer, which tells where few calls run at once (`benches/fred_runtime.rs` measures
    /// both ways). The price is that the client goes on only while that runtime does:
    ///
    /// - the runtime must outlive the manager's use;
    /// - a task that keeps a thread of it busy holds up what it has just asked for, and calls of others that went with it;
    /// - a blocking call, of a `BlockingCache` or of this crate, must not be made on its threads. Where all of them wait
    ///   for the client, none is left to run it or its deadlines, and they wait for ever.
    ///
    /// Without effect on a current-thread runtime, on one without its time and io drivers, outside of tokio, and on
    /// `lazy` and the `_blocking` constructors. That drivers are missing tokio tells only by a panic, which is caught;
    /// the process's panic hook sees it.
    #[must_use]
    pub fn with_shared_runtime(mut self, shared: bool) -> Self {
        self.settings.shares_runtime = shared;
        self
    }

    /// Chooses the protocol: RESP3, or RESP2, which every server and proxy knows and which costs less to read.
    /// Default: RESP2, but RESP3 for clusters with larder-fred.
    ///
    /// larder-fred's client drops an answer of RESP2 that it can not read, and gives every later one to the call before.
    /// Such is an error that quotes bytes, as servers answer to commands that they do not know. So in RESP2 larder-fred asks
    /// on every connection which commands the server knows, by the names alone, and sends no other; the server counts these
    /// questions as errors. What is in the client's hands as it connects again, to a server that knows less, is not covered.
    #[must_use]
    pub fn with_resp3(mut self, resp3: bool) -> Self {
        self.settings.resp3 = Some(resp3);
        self
    }

    /// Sets how TLS connections are made, for a certificate authority or a client certificate of one's own.
    /// Default for a TLS scheme: the authorities of the operating system.
    ///
    /// ```
    /// use larder_redis_common::{RedisConfig, rustls};
    /// use std::sync::Arc;
    ///
    /// let mut authorities = rustls::RootCertStore::empty();
    /// // authorities.add(..)
    /// let provider = Arc::new(rustls::crypto::ring::default_provider());
    /// let client = rustls::ClientConfig::builder_with_provider(provider)
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(authorities)
    ///     .with_no_client_auth();
    /// let config = RedisConfig::from_url("rediss://localhost")?.with_tls(client);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "rustls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    #[must_use]
    pub fn with_tls(mut self, tls: impl Into<Arc<rustls::ClientConfig>>) -> Self {
        self.settings.tls = true;
        self.settings.tls_config = Some(tls.into());
        self
    }
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            user: None,
            password: None,
            database: None,
            tls: false,
            #[cfg(feature = "rustls")]
            tls_config: None,
            resp3: None,
            deadline: RedisConfig::DEFAULT_DEADLINE,
            connect_timeout: RedisConfig::DEFAULT_CONNECT_TIMEOUT,
            max_in_flight: RedisConfig::DEFAULT_MAX_IN_FLIGHT,
            shares_runtime: false,
        }
    }

    /// Refuses what can not be met by any client, and what the one named `client` was not built for.
    ///
    /// # Errors
    ///
    /// Invalid input.
    pub fn check(&self, client: &str, tls: bool, sockets: bool) -> Result<()> {
        /// What can be added to any time.
        const LONGEST: Duration = Duration::from_hours(24);

        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
        // Some client takes a span of zero as no limit at all.
        if self.deadline.is_zero() {
            return invalid(format!("deadline {:?}: no command can meet it", self.deadline));
        }
        if self.connect_timeout.is_zero() {
            let timeout = self.connect_timeout;
            return invalid(format!("connect timeout {timeout:?}: nothing can meet it"));
        }
        for (name, span) in [("deadline", self.deadline), ("connect timeout", self.connect_timeout)] {
            if span > LONGEST {
                return invalid(format!("{name} {span:?}: longer than a day"));
            }
        }
        if self.max_in_flight == 0 {
            return invalid("max_in_flight 0: no command could ever be sent".to_owned());
        }
        let servers = self.servers();
        if self.tls && !tls {
            return invalid(format!(
                "the url of {servers} asks for TLS, and {client} was built without its feature `rustls`"
            ));
        }
        if self.tls && matches!(self.topology, Topology::Socket(_)) {
            return invalid(format!("{servers} is a unix socket, over which there is no TLS"));
        }
        if matches!(self.topology, Topology::Socket(_)) && !sockets {
            return invalid(format!(
                "{servers} is a unix socket, and {client} was built without its feature `unix-sockets`"
            ));
        }
        Ok(())
    }

    /// The addresses a connection starts from, with commas between.
    #[must_use]
    pub fn servers(&self) -> String {
        let hosts = match &self.topology {
            Topology::One(host) => std::slice::from_ref(host),
            Topology::Cluster(hosts) | Topology::Sentinel { hosts, .. } => hosts,
            Topology::Socket(path) => return path.display().to_string(),
        };
        hosts.iter().map(Host::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Tells whether the servers are a cluster.
    #[must_use]
    pub fn is_clustered(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        f.debug_struct("RedisConfig")
            .field("servers", &settings.servers())
            .field("clustered", &settings.is_clustered())
            .field("tls", &settings.tls)
            .field("database", &settings.database.unwrap_or(0))
            .field("password", &settings.password.as_ref().map(|_| "***"))
            .field("resp3", &settings.resp3)
            .field("deadline", &settings.deadline)
            .field("connect_timeout", &settings.connect_timeout)
            .field("max_in_flight", &settings.max_in_flight)
            .field("shared_runtime", &settings.shares_runtime)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_settings_and_no_password() {
        let config = RedisConfig::from_url("redis://app:hunter2@localhost:7000/2").unwrap();
        assert_eq!(
            format!("{config:?}"),
            "RedisConfig { servers: \"localhost:7000\", clustered: false, tls: false, database: 2, \
             password: Some(\"***\"), resp3: None, deadline: 250ms, connect_timeout: 500ms, max_in_flight: 65536, \
             shared_runtime: false }"
        );
    }

    #[test]
    fn settings_that_nothing_can_meet_are_invalid_input() {
        let config = RedisConfig::from_url("redis://localhost").unwrap();
        for broken in [
            config.clone().with_deadline(Duration::ZERO),
            config.clone().with_connect_timeout(Duration::ZERO),
            config.clone().with_max_in_flight(0),
        ] {
            let refused = broken.settings().check("larder-test", true, true);
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        config.settings().check("larder-test", false, false).unwrap();
    }

    #[test]
    fn a_socket_that_is_to_have_tls_is_refused_and_not_taken_without() {
        let config = RedisConfig::from_url("redis+unix:///tmp/redis.sock").unwrap();
        let mut settings = config.settings().clone();
        settings.check("larder-test", true, true).unwrap();
        settings.tls = true;
        let error = settings.check("larder-test", true, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains("no TLS"), "{error}");
    }

    #[test]
    fn what_a_client_was_not_built_for_names_the_feature_it_needs() {
        for (url, feature) in [
            ("rediss://:hunter2@localhost", "rustls"),
            ("rediss-cluster://:hunter2@localhost", "rustls"),
            ("redis+unix://:hunter2@localhost/tmp/redis.sock", "unix-sockets"),
        ] {
            let config = RedisConfig::from_url(url).unwrap();
            let error = config.settings().check("larder-test", false, false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(
                text.contains(&format!("larder-test was built without its feature `{feature}`")),
                "{text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
            config.settings().check("larder-test", true, true).unwrap();
        }
    }
}
