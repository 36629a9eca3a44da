//! What a connection is made from.

use std::{fmt, time::Duration};

use fred::{
    prelude::Builder,
    types::{
        RespVersion,
        config::{Config, ReconnectPolicy, UnresponsiveConfig},
    },
};
use larder::{Error, ErrorKind, Result};

use crate::url;

/// Where the server is and how long to wait for it.
///
/// # Examples
///
/// ```
/// use larder_fred::RedisConfig;
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
    pub(crate) fred: Config,
    pub(crate) deadline: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) shares_runtime: bool,
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
    /// | unix socket (feature `unix-sockets`) | `redis+unix://[[user]:password@host]/path/of/the.sock[?db=database]` |
    /// | TLS (feature `rustls`) | `rediss://`, `rediss-cluster://`, `rediss-sentinel://` |
    ///
    /// `valkey` stands for `redis` and `valkeys` for `rediss` everywhere. A user or password is percent-encoded.
    ///
    /// # Errors
    ///
    /// Invalid input for anything else, and for a TLS scheme where the feature `rustls` is off: such a URL is never
    /// connected to in plaintext. The error quotes the URL without its secrets.
    pub fn from_url(url: &str) -> Result<Self> {
        let mut fred = url::parse(url)?;
        fred.version = RespVersion::RESP3;
        Ok(Self::with_defaults(fred))
    }

    pub(crate) fn with_defaults(fred: Config) -> Self {
        Self {
            fred,
            deadline: Self::DEFAULT_DEADLINE,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            max_in_flight: Self::DEFAULT_MAX_IN_FLIGHT,
            shares_runtime: false,
        }
    }

    /// Sets how long each command may take, from the call to its answer. Default: 250 ms.
    ///
    /// A conditional write may take two commands, the first time a server sees its script.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how long connecting may take, and each step of the handshake. Default: 500 ms.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how many commands may be in flight before calls fail with
    /// [`ErrorKind::Overloaded`]. Default: [`DEFAULT_MAX_IN_FLIGHT`](Self::DEFAULT_MAX_IN_FLIGHT).
    ///
    /// A batch counts its commands and is let in whole or not at all.
    #[must_use]
    pub fn with_max_in_flight(mut self, commands: usize) -> Self {
        self.max_in_flight = commands;
        self
    }

    /// Runs the client on the tokio runtime that the manager is made on, in the place of a thread of its own.
    /// Default: a thread of its own.
    ///
    /// Saves a change of thread per answer, which tells where few calls run at once (`benches/fred_runtime.rs` measures
    /// both ways). The price is that the client goes on only while that runtime does:
    ///
    /// - the runtime must outlive the manager's use;
    /// - a blocking call, of a `BlockingCache` or of this crate, must not be made on its threads. Where all of them wait
    ///   for the client, none is left to run it or its deadlines, and they wait for ever.
    ///
    /// Without effect on a current-thread runtime, on one without its time and io drivers, outside of tokio, and on
    /// `lazy` and the `_blocking` constructors. That drivers are missing tokio tells only by a panic, which is caught;
    /// the process's panic hook sees it.
    #[must_use]
    pub fn with_shared_runtime(mut self, shared: bool) -> Self {
        self.shares_runtime = shared;
        self
    }

    /// Chooses the protocol: RESP3, or RESP2 for a proxy that knows no other. Default: RESP3.
    #[must_use]
    pub fn with_resp3(mut self, resp3: bool) -> Self {
        self.fred.version = if resp3 { RespVersion::RESP3 } else { RespVersion::RESP2 };
        self
    }

    /// Sets how TLS connections are made, for a certificate authority or a client certificate of one's own.
    /// Default for a TLS scheme: the authorities of the operating system.
    ///
    /// ```
    /// use larder_fred::{
    ///     RedisConfig,
    ///     fred::{rustls, types::config::TlsConnector},
    /// };
    /// use std::sync::Arc;
    ///
    /// let mut authorities = rustls::RootCertStore::empty();
    /// // authorities.add(..)
    /// let provider = Arc::new(rustls::crypto::ring::default_provider());
    /// let client = rustls::ClientConfig::builder_with_provider(provider)
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(authorities)
    ///     .with_no_client_auth();
    /// let config = RedisConfig::from_url("rediss://localhost")?.with_tls(TlsConnector::from(client));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "rustls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    #[must_use]
    pub fn with_tls(mut self, tls: impl Into<fred::types::config::TlsConfig>) -> Self {
        self.fred.tls = Some(tls.into());
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
        // fred takes a span of zero as no limit at all.
        if self.deadline.is_zero() {
            return invalid(format!("deadline {:?}: no command can meet it", self.deadline));
        }
        if self.connect_timeout.is_zero() {
            return invalid(format!(
                "connect timeout {:?}: nothing can meet it",
                self.connect_timeout
            ));
        }
        if self.max_in_flight == 0 {
            return invalid("max_in_flight 0: no command could ever be sent".to_owned());
        }
        Ok(())
    }

    /// The builder of the one client that is made from this.
    pub(crate) fn builder(&self) -> Builder {
        let mut builder = Builder::from_config(self.fred.clone());
        builder.with_config(|config| config.fail_fast = false);
        builder.with_connection_config(|connection| {
            connection.connection_timeout = self.connect_timeout;
            connection.internal_command_timeout = self.connect_timeout;
            // A write is never sent twice: its first sending may have been applied.
            connection.max_command_attempts = 1;
            // fred's own bound miscounts once it was hit, and then never flushes again; ours is `max_in_flight`.
            connection.max_command_buffer_len = 0;
            // A password that is changed on the server first and here later must not end the client.
            connection.reconnect_on_auth_error = true;
            connection.tcp.nodelay = Some(true);
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(Duration::from_secs(5)),
                interval: Duration::from_secs(1),
            };
        });
        builder.with_performance_config(|performance| performance.default_command_timeout = self.deadline);
        // Without a policy, and after its last attempt, the client would stay down for ever; 0 is no last attempt.
        let mut policy = ReconnectPolicy::new_exponential(0, 10, 500, 2);
        policy.set_jitter(20);
        builder.set_policy(policy);
        builder
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("servers", &servers(&self.fred))
            .field("clustered", &self.fred.server.is_clustered())
            .field("tls", &self.fred.uses_tls())
            .field("database", &self.fred.database.unwrap_or(0))
            .field("password", &self.fred.password.as_ref().map(|_| "***"))
            .field("resp3", &(self.fred.version == RespVersion::RESP3))
            .field("deadline", &self.deadline)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_in_flight", &self.max_in_flight)
            .field("shared_runtime", &self.shares_runtime)
            .finish()
    }
}

/// The addresses a connection starts from, as `host:port` with commas between.
pub(crate) fn servers(config: &Config) -> String {
    let hosts: Vec<String> = config.server.hosts().iter().map(ToString::to_string).collect();
    hosts.join(", ")
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
             password: Some(\"***\"), resp3: true, deadline: 250ms, connect_timeout: 500ms, max_in_flight: 65536, \
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
            assert_eq!(broken.check().unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        config.check().unwrap();
    }
}
