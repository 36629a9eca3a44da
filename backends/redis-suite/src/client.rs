use std::{fmt, future::Future, time::Duration};

use larder::{CacheBackend, Result};
use testkit::Identity;

/// One of larder's Redis clients, as far as the suite needs it.
pub trait Client: Send + Sync + Sized + 'static {
    /// What it makes.
    type Backend: CacheBackend + Clone + fmt::Debug + 'static;

    /// Connects; a server that is merely away is connected to in the background.
    fn connect(settings: Settings) -> impl Future<Output = Result<Self>> + Send;

    /// Connects to a server that must be there.
    fn connect_strict(settings: Settings) -> impl Future<Output = Result<Self>> + Send;

    /// A backend on this connection.
    fn backend(&self) -> Self::Backend;

    /// Asks the server for a sign of life.
    fn ping(&self) -> impl Future<Output = Result<()>> + Send;

    /// Ends the connection.
    fn close(&self) -> impl Future<Output = ()> + Send;
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
    /// RESP3, or else RESP2.
    pub resp3: bool,
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
    /// Spans that a slow machine meets; tests of deadlines set their own.
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            deadline: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            max_in_flight: None,
            resp3: true,
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
        self.resp3 = resp3;
        self
    }

    pub(crate) fn with_trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }
}
