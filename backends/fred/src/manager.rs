//! Making, sharing and closing a connection.

use std::{fmt, sync::Arc};

use fred::{clients::Client, interfaces::ClientLike};
use larder::Result;

use crate::{
    backend::FredBackend,
    config::RedisConfig,
    link::{Contact, Link},
    runtime::Driver,
};

/// A connection to a server, a cluster or a sentinel's primary, that comes back by itself for ever.
///
/// Clones share the connection; it ends with [`close`](Self::close), or when the last manager and the last backend
/// made from it are dropped. Nothing is left behind then: no task, no thread, no connection.
///
/// # Starting up
///
/// | | wrong URL | wrong password or certificate | server away |
/// |---|---|---|---|
/// | [`connect`](Self::connect) | error | error | connects in the background |
/// | [`connect_strict`](Self::connect_strict) | error | error | error |
/// | [`lazy`](Self::lazy) | error | errors of each call | connects in the background |
///
/// # Runtimes
///
/// fred lives on tokio; callers may be on any executor or on none. A manager runs its client on a background thread of
/// its own, so that the client goes on, and deadlines are kept, whatever the callers' threads do: a
/// [`BlockingCache`](larder::BlockingCache) works even on the only thread of a runtime.
/// [`RedisConfig::with_shared_runtime`] trades that for speed.
///
/// # Examples
///
/// ```no_run
/// use larder_fred::ConnectionManager;
///
/// # async fn example() -> larder::Result<()> {
/// let redis = ConnectionManager::connect("redis://localhost:6379/0").await?;
/// redis.ping().await?;
/// let backend = redis.backend();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ConnectionManager {
    link: Arc<Link>,
}

impl ConnectionManager {
    /// Connects to the server at `url`; one that is away is connected to in the background.
    ///
    /// Returns within the connect timeout (500 ms). Until the server is there, calls fail with
    /// [`ErrorKind::Connection`](larder::ErrorKind::Connection) at once. [`RedisConfig::from_url`] lists the URLs.
    ///
    /// # Errors
    ///
    /// Invalid input for a URL that can not be used; a server error where the server refuses the password, the
    /// database or the protocol, or its certificate is not trusted.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves no connection behind.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::from_config(RedisConfig::from_url(url)?).await
    }

    /// Connects to the server at `url`, which must be there.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and a connection error where the server is away.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves no connection behind.
    pub async fn connect_strict(url: &str) -> Result<Self> {
        Self::from_config_strict(RedisConfig::from_url(url)?).await
    }

    /// Prepares a connection to the server at `url` without waiting for it, for statics.
    ///
    /// Connecting begins at once, on a background thread of the manager's own whatever runtime the caller is on: a
    /// static outlives the runtime of the test or the `main` that happened to touch it first.
    ///
    /// # Errors
    ///
    /// Invalid input for a URL that can not be used. A server that refuses the password shows in the errors of calls.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_fred::ConnectionManager;
    /// use std::sync::LazyLock;
    ///
    /// static REDIS: LazyLock<ConnectionManager> = LazyLock::new(|| {
    ///     ConnectionManager::lazy("redis://localhost:6379/0").expect("the URL is well-formed")
    /// });
    /// let backend = REDIS.backend();
    /// ```
    pub fn lazy(url: &str) -> Result<Self> {
        Self::from_config_lazy(RedisConfig::from_url(url)?)
    }

    /// [`connect`](Self::connect) with every setting.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and invalid input for a setting of zero.
    pub async fn from_config(config: RedisConfig) -> Result<Self> {
        let (manager, contact) = Self::contact(config).await?;
        manager.made_or_away(contact)
    }

    /// [`connect_strict`](Self::connect_strict) with every setting.
    ///
    /// # Errors
    ///
    /// As [`connect_strict`](Self::connect_strict), and invalid input for a setting of zero.
    pub async fn from_config_strict(config: RedisConfig) -> Result<Self> {
        let (manager, contact) = Self::contact(config).await?;
        manager.made(contact)
    }

    /// [`connect`](Self::connect) for code that is not async; the calling thread waits.
    ///
    /// Works on any thread, that of an async runtime too.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use larder::Cache;
    /// use larder_fred::ConnectionManager;
    ///
    /// # fn main() -> larder::Result<()> {
    /// let redis = ConnectionManager::connect_blocking("redis://localhost:6379/0")?;
    /// let cache = Cache::builder(redis.backend()).prefix("myapp").build()?.blocking();
    /// assert!(!cache.exists("user:1")?);
    /// redis.close_blocking();
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_blocking(url: &str) -> Result<Self> {
        Self::from_config_blocking(RedisConfig::from_url(url)?)
    }

    /// [`connect_strict`](Self::connect_strict) for code that is not async; the calling thread waits.
    ///
    /// # Errors
    ///
    /// As [`connect_strict`](Self::connect_strict).
    pub fn connect_strict_blocking(url: &str) -> Result<Self> {
        Self::from_config_strict_blocking(RedisConfig::from_url(url)?)
    }

    /// [`from_config`](Self::from_config) for code that is not async; the calling thread waits.
    ///
    /// # Errors
    ///
    /// As [`from_config`](Self::from_config).
    pub fn from_config_blocking(config: RedisConfig) -> Result<Self> {
        let (manager, contact) = Self::contact_blocking(config)?;
        manager.made_or_away(contact)
    }

    /// [`from_config_strict`](Self::from_config_strict) for code that is not async; the calling thread waits.
    ///
    /// # Errors
    ///
    /// As [`from_config_strict`](Self::from_config_strict).
    pub fn from_config_strict_blocking(config: RedisConfig) -> Result<Self> {
        let (manager, contact) = Self::contact_blocking(config)?;
        manager.made(contact)
    }

    /// [`lazy`](Self::lazy) with every setting.
    ///
    /// # Errors
    ///
    /// As [`lazy`](Self::lazy), and invalid input for a setting of zero.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a configuration is used up, as by the other constructors"
    )]
    pub fn from_config_lazy(config: RedisConfig) -> Result<Self> {
        let link = Link::new(&config, Driver::own()?)?;
        link.begin();
        Ok(Self { link })
    }

    /// Uses a client that its owner has configured and connects.
    ///
    /// Commands get the default deadline and bound; everything else is the client's, the runtime that it was connected
    /// on too: a blocking call on the only thread of that one ends by its deadline. On a cluster the client only tells
    /// where the slots are, and commands go over connections of the manager's own, made with its addresses, passwords
    /// and certificates. Neither [`close`](Self::close)
    /// nor dropping the manager ends the client. Give it a reconnection policy without a last attempt, and leave
    /// its `max_command_buffer_len` at 0: fred 10.1 miscounts a bounded queue once it has been full, and sends
    /// nothing more.
    ///
    /// # Errors
    ///
    /// A connection error where the background runtime for deadlines can not start.
    pub fn from_client(client: Client) -> Result<Self> {
        let link = Link::of_client(client, Driver::own()?);
        Ok(Self { link })
    }

    async fn contact(config: RedisConfig) -> Result<(Self, Contact)> {
        let link = Link::new(&config, Driver::shared_or_own(config.shares_runtime)?)?;
        let contact = link.driver.enter(link.first_contact()).await?;
        Ok((Self { link }, contact))
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a configuration is used up, as by the other constructors"
    )]
    fn contact_blocking(config: RedisConfig) -> Result<(Self, Contact)> {
        let link = Link::new(&config, Driver::own()?)?;
        let connecting = Arc::clone(&link);
        let contact = link.driver.wait(async move { connecting.first_contact().await })?;
        Ok((Self { link }, contact))
    }

    fn made_or_away(self, contact: Contact) -> Result<Self> {
        match contact {
            Contact::Refused(error) => Err(error.with_operation("connect")),
            Contact::Made | Contact::Away(_) => Ok(self),
        }
    }

    fn made(self, contact: Contact) -> Result<Self> {
        match contact {
            Contact::Made => Ok(self),
            Contact::Refused(error) | Contact::Away(error) => Err(error.with_operation("connect")),
        }
    }

    /// A backend on this connection, for [`Cache::builder`](https://docs.rs/larder).
    #[must_use]
    pub fn backend(&self) -> FredBackend {
        FredBackend::new(Arc::clone(&self.link))
    }

    /// Asks the server for a sign of life, within the deadline. Of a cluster one primary that answers is enough.
    ///
    /// # Errors
    ///
    /// Connection, timeout, overloaded and server errors.
    pub async fn ping(&self) -> Result<()> {
        let link = &self.link;
        link.driver
            .enter(link.ping())
            .await
            .flatten()
            .map_err(|error| error.with_operation("ping"))
    }

    /// [`ping`](Self::ping) for code that is not async; the calling thread waits.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    pub fn ping_blocking(&self) -> Result<()> {
        let manager = self.clone();
        self.link.driver.wait(async move { manager.ping().await })?
    }

    /// Ends the connection for all clones and backends, within the deadline; calls fail from then on.
    ///
    /// When it has returned, the task that drove the connection is gone, and the connection with it, for every caller
    /// of several at once. Of a manager
    /// made by [`from_client`](Self::from_client) only the manager and its backends end.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves the connection to end by itself, soon.
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// [`close`](Self::close) for code that is not async; the calling thread waits.
    pub fn close_blocking(&self) {
        let link = Arc::clone(&self.link);
        // It fails only where its runtime is gone, and the connection with it.
        let _ = self.link.driver.wait(async move { link.close().await });
    }
}

impl fmt::Debug for ConnectionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionManager")
            .field("servers", &self.link.servers())
            .field("state", &self.link.client().state())
            .finish_non_exhaustive()
    }
}
