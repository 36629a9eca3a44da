//! fred's own settings, from those of a connection.

use fred::{
    prelude::Builder,
    types::{
        RespVersion,
        config::{ClusterDiscoveryPolicy, Config, ReconnectPolicy, Server, ServerConfig},
    },
};
use larder::Result;
use larder_redis_common::{Host, Settings, Topology};

/// The builder of a client for those servers, which minds the spans of `settings`.
pub(crate) fn builder(servers: Config, settings: &Settings) -> Builder {
    let mut builder = Builder::from_config(servers);
    builder.with_config(|config| config.fail_fast = false);
    builder.with_connection_config(|connection| {
        connection.connection_timeout = settings.connect_timeout;
        connection.internal_command_timeout = settings.connect_timeout;
        // A write is never sent twice: its first sending may have been applied.
        connection.max_command_attempts = 1;
        // fred's own bound miscounts once it was hit, and then never flushes again; ours is `max_in_flight`.
        connection.max_command_buffer_len = 0;
        // A password that is changed on the server first and here later must not end the client.
        connection.reconnect_on_auth_error = true;
        // Where the system may hold back what is small until an earlier command is answered, calls wait a round trip more.
        connection.tcp.nodelay = Some(true);
        // Its `unresponsive` stays off: every write puts it off, and it costs a timer for each command and each answer.
        // `Silence` finds a connection that no longer answers.
    });
    builder.with_performance_config(|performance| performance.default_command_timeout = settings.deadline);
    // Without a policy, and after its last attempt, the client would stay down for ever; 0 is no last attempt.
    let mut policy = ReconnectPolicy::new_exponential(0, 10, 500, 2);
    policy.set_jitter(20);
    builder.set_policy(policy);
    builder
}

/// Whom to connect to.
pub(crate) fn servers(settings: &Settings) -> Result<Config> {
    settings.check("larder-fred", cfg!(feature = "rustls"), cfg!(feature = "unix-sockets"))?;
    let is_cluster = matches!(settings.topology, Topology::Cluster(_));
    Ok(Config {
        server: server(&settings.topology),
        username: settings.user.clone(),
        password: settings.password.clone(),
        database: settings.database,
        // RESP2 costs less to read. On a cluster not every connection can be asked what `Quoting` has to know.
        version: if settings.resp3.unwrap_or(is_cluster) && fits_hello(settings) {
            RespVersion::RESP3
        } else {
            RespVersion::RESP2
        },
        #[cfg(feature = "rustls")]
        tls: tls(settings)?,
        ..Config::default()
    })
}

/// Tells whether the credentials get through HELLO, which fred writes as a bare line: a space would end a word of it, a
/// quote begin one, and an empty one be lost. AUTH, as RESP2 has it, carries any.
fn fits_hello(settings: &Settings) -> bool {
    let mut all = vec![&settings.user, &settings.password];
    if let Topology::Sentinel { user, password, .. } = &settings.topology {
        all.extend([user, password]);
    }
    let plain = |byte: u8| !byte.is_ascii_whitespace() && !byte.is_ascii_control() && !matches!(byte, b'"' | b'\'');
    all.into_iter()
        .flatten()
        .all(|word| !word.is_empty() && word.bytes().all(plain))
}

fn server(topology: &Topology) -> ServerConfig {
    let server = |host: &Host| Server::new(host.name.as_str(), host.port);
    match topology {
        Topology::One(host) => ServerConfig::Centralized { server: server(host) },
        Topology::Cluster(hosts) => ServerConfig::Clustered {
            hosts: hosts.iter().map(server).collect(),
            policy: ClusterDiscoveryPolicy::default(),
        },
        Topology::Sentinel {
            hosts,
            service,
            user,
            password,
        } => ServerConfig::Sentinel {
            hosts: hosts.iter().map(server).collect(),
            service_name: service.clone(),
            username: user.clone(),
            password: password.clone(),
        },
        #[cfg(feature = "unix-sockets")]
        Topology::Socket(path) => ServerConfig::Unix { path: path.clone() },
        // Refused before.
        #[cfg(not(feature = "unix-sockets"))]
        Topology::Socket(_) => ServerConfig::default(),
    }
}

/// What is known of a client that its owner has configured, with the default spans.
pub(crate) fn settings_of(config: &Config) -> Settings {
    let hosts = config.server.hosts();
    let hosts = hosts.into_iter().map(|server| Host::new(&*server.host, server.port));
    Settings::new(Topology::Cluster(hosts.collect()))
}

#[cfg(feature = "rustls")]
fn tls(settings: &Settings) -> Result<Option<fred::types::config::TlsConfig>> {
    if !settings.tls {
        return Ok(None);
    }
    let client = match &settings.tls_config {
        Some(client) => std::sync::Arc::clone(client),
        None => larder_redis_common::system_tls()?,
    };
    let connector = fred::types::config::TlsConnector::from((*client).clone());
    Ok(Some(connector.into()))
}
