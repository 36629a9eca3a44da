use std::{fmt, future::Future, sync::Arc, time::Duration};

use larder::{CacheBackend, Result};
use larder_redis_common::{
    RedisConfig,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};
use testkit::Identity;

/// One of larder's Redis clients, as far as the suite needs it: the face of its `ConnectionManager`.
#[expect(missing_docs, reason = "each is the manager's method of that name")]
pub trait Client: fmt::Debug + Clone + Send + Sync + Sized + 'static {
    /// What it makes.
    type Backend: CacheBackend + Clone + fmt::Debug + 'static;

    /// How many commands the client may have in its hands, past the check of their deadline, as a connection stalls.
    const HOLDS: usize;

    /// Whether single writes at the same time go together.
    const PUTS_SETS_TOGETHER: bool;

    fn from_config(config: RedisConfig) -> impl Future<Output = Result<Self>> + Send;
    fn from_config_strict(config: RedisConfig) -> impl Future<Output = Result<Self>> + Send;
    fn from_config_lazy(config: RedisConfig) -> Result<Self>;
    fn from_config_blocking(config: RedisConfig) -> Result<Self>;
    fn from_config_strict_blocking(config: RedisConfig) -> Result<Self>;
    fn backend(&self) -> Self::Backend;
    fn ping(&self) -> impl Future<Output = Result<()>> + Send;
    fn ping_blocking(&self) -> Result<()>;
    fn close(&self) -> impl Future<Output = ()> + Send;
    fn close_blocking(&self);

    /// How often a backend met a key of another type.
    fn wrong_type_reads(backend: &Self::Backend) -> u64;

    /// A backend that sends every call by itself.
    #[must_use]
    fn unbatched(backend: &Self::Backend) -> Self::Backend;

    /// [`from_config`](Self::from_config) with what tests need.
    #[must_use]
    fn connect(settings: Settings) -> impl Future<Output = Result<Self>> + Send {
        async { Self::from_config(settings.config()?).await }
    }

    /// [`from_config_strict`](Self::from_config_strict) with what tests need.
    #[must_use]
    fn connect_strict(settings: Settings) -> impl Future<Output = Result<Self>> + Send {
        async { Self::from_config_strict(settings.config()?).await }
    }
}

/// What a client is made from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where the server is.
    pub url: String,
    /// How long a command may take.
    pub deadline: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How many commands may be in flight; the client's default where there is none.
    pub max_in_flight: Option<usize>,
    /// RESP3 or RESP2; the client's default where there is none.
    pub resp3: Option<bool>,
    /// Whom to trust under TLS; the authorities of the operating system where there is none.
    pub trust: Option<Trust>,
}

/// How a TLS connection is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trust {
    /// The certificate of the only authority to trust, in DER.
    pub authority: Vec<u8>,
    /// What the client shows of itself.
    pub identity: Option<Identity>,
}

impl Trust {
    fn config(self) -> ClientConfig {
        let mut authorities = RootCertStore::empty();
        authorities.add(CertificateDer::from(self.authority)).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authorities);
        match self.identity {
            None => client.with_no_client_auth(),
            Some(identity) => {
                let certificate = CertificateDer::from(identity.certificate);
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key));
                client.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        }
    }

    pub(crate) fn new(authority: &testkit::Authority) -> Self {
        Self {
            authority: authority.certificate().to_vec(),
            identity: None,
        }
    }

    pub(crate) fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }
}

impl Settings {
    /// The same as the clients take it.
    ///
    /// # Errors
    ///
    /// Invalid input for a URL that can not be used.
    pub fn config(self) -> Result<RedisConfig> {
        let mut config = RedisConfig::from_url(&self.url)?
            .with_deadline(self.deadline)
            .with_connect_timeout(self.connect_timeout)
            // Where a test is on a runtime that can be shared, that is the harder case.
            .with_shared_runtime(true);
        if let Some(resp3) = self.resp3 {
            config = config.with_resp3(resp3);
        }
        if let Some(commands) = self.max_in_flight {
            config = config.with_max_in_flight(commands);
        }
        if let Some(trust) = self.trust {
            config = config.with_tls(trust.config());
        }
        Ok(config)
    }

    /// Spans that a slow machine meets; tests of deadlines set their own.
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            deadline: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            max_in_flight: None,
            resp3: None,
            trust: None,
        }
    }

    pub(crate) fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(crate) fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    pub(crate) fn with_max_in_flight(mut self, commands: usize) -> Self {
        self.max_in_flight = Some(commands);
        self
    }

    pub(crate) fn with_resp3(mut self, resp3: bool) -> Self {
        self.resp3 = Some(resp3);
        self
    }

    pub(crate) fn with_trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }
}

/// Makes a [`Client`] of the `ConnectionManager` of a crate: the client's name, the crate's, its backend's, what it holds, and
/// whether it puts `set`s together.
#[macro_export]
macro_rules! client {
    ($client:ident of $krate:ident, $backend:ident, holds $holds:literal, puts sets together: $together:literal) => {
        use $krate::{ConnectionManager, RedisConfig, $backend};

        #[derive(Debug, Clone)]
        struct $client(ConnectionManager);

        impl $crate::Client for $client {
            type Backend = $backend;

            const HOLDS: usize = $holds;

            const PUTS_SETS_TOGETHER: bool = $together;

            async fn from_config(config: RedisConfig) -> larder::Result<Self> {
                ConnectionManager::from_config(config).await.map(Self)
            }

            async fn from_config_strict(config: RedisConfig) -> larder::Result<Self> {
                ConnectionManager::from_config_strict(config).await.map(Self)
            }

            fn from_config_lazy(config: RedisConfig) -> larder::Result<Self> {
                ConnectionManager::from_config_lazy(config).map(Self)
            }

            fn from_config_blocking(config: RedisConfig) -> larder::Result<Self> {
                ConnectionManager::from_config_blocking(config).map(Self)
            }

            fn from_config_strict_blocking(config: RedisConfig) -> larder::Result<Self> {
                ConnectionManager::from_config_strict_blocking(config).map(Self)
            }

            fn backend(&self) -> $backend {
                self.0.backend()
            }

            async fn ping(&self) -> larder::Result<()> {
                self.0.ping().await
            }

            fn ping_blocking(&self) -> larder::Result<()> {
                self.0.ping_blocking()
            }

            async fn close(&self) {
                self.0.close().await;
            }

            fn close_blocking(&self) {
                self.0.close_blocking();
            }

            fn wrong_type_reads(backend: &$backend) -> u64 {
                backend.wrong_type_reads()
            }

            fn unbatched(backend: &$backend) -> $backend {
                backend.unbatched()
            }
        }
    };
}
