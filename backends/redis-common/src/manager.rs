//! Making, sharing and closing a connection.

use std::{fmt, future::Future, sync::Arc};

use larder::{Error, Result};

use crate::{
    config::{RedisConfig, Settings},
    runtime::Driver,
    store::{Closing, Store, Wire},
};

/// How the first attempt to connect went.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a manager minds each")]
pub enum Contact {
    /// There is a connection.
    Made,
    /// The server is away for now.
    Away(Error),
    /// Trying again will not help.
    Refused(Error),
}

/// A client's connection, from its beginning to its end.
pub trait Connection: Wire + Sized {
    /// A connection that is not yet being made.
    fn prepare(settings: &Settings, driver: Driver) -> Result<Arc<Self>>;

    /// Starts to connect in the background, and to connect again whenever the connection is lost.
    fn begin(&self);

    /// Starts to connect and waits for the first attempt, within the connect timeout.
    fn first_contact(&self) -> impl Future<Output = Contact> + Send;

    /// Asks the server for a sign of life, within the deadline.
    fn ping(&self) -> impl Future<Output = Result<()>> + Send;

    /// Begins to end the connection, which takes the deadline at the most.
    fn close(&self) -> Closing;
}

/// What is behind the manager of each client.
pub struct Manager<C> {
    connection: Arc<C>,
}

impl<C: Connection> Manager<C> {
    /// Manages a connection.
    pub fn new(connection: Arc<C>) -> Self {
        Self { connection }
    }

    /// Connects; to a server that is away in the background, or not at all where that is `strict`.
    pub async fn connect(config: &RedisConfig, strict: bool) -> Result<Self> {
        let settings = config.settings();
        let driver = Driver::shared_or_own(settings.shares_runtime)?;
        let manager = Self::new(C::prepare(settings, driver)?);
        let connection = &manager.connection;
        let contact = connection.shared().driver.enter(connection.first_contact()).await?;
        manager.judge(contact, strict)
    }

    /// [`connect`](Self::connect) on a thread that waits.
    pub fn connect_blocking(config: &RedisConfig, strict: bool) -> Result<Self> {
        let manager = Self::new(C::prepare(config.settings(), Driver::own()?)?);
        let connecting = Arc::clone(&manager.connection);
        let driver = &manager.connection.shared().driver;
        let contact = driver.wait(async move { connecting.first_contact().await })?;
        manager.judge(contact, strict)
    }

    fn judge(self, contact: Contact, strict: bool) -> Result<Self> {
        match contact {
            Contact::Refused(error) => Err(error.with_operation("connect")),
            Contact::Away(error) if strict => Err(error.with_operation("connect")),
            Contact::Made | Contact::Away(_) => Ok(self),
        }
    }

    /// Connects in the background, on a runtime of its own.
    pub fn lazy(config: &RedisConfig) -> Result<Self> {
        let manager = Self::new(C::prepare(config.settings(), Driver::own()?)?);
        manager.connection.begin();
        Ok(manager)
    }

    /// A backend on the connection.
    #[must_use]
    pub fn store(&self) -> Store<C> {
        Store::new(Arc::clone(&self.connection))
    }

    /// Asks the server for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        let connection = &self.connection;
        let answer = connection.shared().driver.enter(connection.ping()).await;
        answer.flatten().map_err(|error| error.with_operation("ping"))
    }

    /// [`ping`](Self::ping) on a thread that waits.
    pub fn ping_blocking(&self) -> Result<()> {
        let manager = self.clone();
        let driver = &self.connection.shared().driver;
        driver.wait(async move { manager.ping().await })?
    }

    /// Ends the connection.
    pub async fn close(&self) {
        let closing = self.connection.close();
        // A thread that is ending can not wait for it.
        let _ = self.connection.shared().driver.enter(closing).await;
    }

    /// [`close`](Self::close) on a thread that waits.
    pub fn close_blocking(&self) {
        let closing = self.connection.close();
        // It fails only where its runtime is gone, and the connection with it.
        let _ = self.connection.shared().driver.wait(closing);
    }
}

impl<C> Clone for Manager<C> {
    fn clone(&self) -> Self {
        Self {
            connection: Arc::clone(&self.connection),
        }
    }
}

impl<C: Wire> fmt::Debug for Manager<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connection.fmt_state(f)
    }
}

/// Makes the `ConnectionManager` of a client: the name of its crate, its connection and its backend.
///
/// Written once, so that the clients have the same face, documentation included.
#[macro_export]
macro_rules! connection_manager {
    ($krate:literal, $connection:ty, $backend:ident) => {
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
        /// The client lives on tokio; callers may be on any executor or on none. A manager runs its client on a background thread of
        /// its own, so that the client goes on, and deadlines are kept, whatever the callers' threads do: a
        /// [`BlockingCache`](larder::BlockingCache) works even on the only thread of a runtime.
        /// [`RedisConfig::with_shared_runtime`] trades that for speed.
        ///
        /// # Examples
        ///
        /// ```no_run
        #[doc = concat!("use ", $krate, "::ConnectionManager;")]
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
            manager: $crate::Manager<$connection>,
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
            pub async fn connect(url: &str) -> $crate::Result<Self> {
                Self::from_config($crate::RedisConfig::from_url(url)?).await
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
            pub async fn connect_strict(url: &str) -> $crate::Result<Self> {
                Self::from_config_strict($crate::RedisConfig::from_url(url)?).await
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
            #[doc = concat!("use ", $krate, "::ConnectionManager;")]
            /// use std::sync::LazyLock;
            ///
            /// static REDIS: LazyLock<ConnectionManager> = LazyLock::new(|| {
            ///     ConnectionManager::lazy("redis://localhost:6379/0").expect("the URL is well-formed")
            /// });
            /// let backend = REDIS.backend();
            /// ```
            pub fn lazy(url: &str) -> $crate::Result<Self> {
                Self::from_config_lazy($crate::RedisConfig::from_url(url)?)
            }

            /// [`connect`](Self::connect) with every setting.
            ///
            /// # Errors
            ///
            /// As [`connect`](Self::connect), and invalid input for a setting of zero.
            pub async fn from_config(config: $crate::RedisConfig) -> $crate::Result<Self> {
                let manager = $crate::Manager::connect(&config, false).await?;
                Ok(Self { manager })
            }

            /// [`connect_strict`](Self::connect_strict) with every setting.
            ///
            /// # Errors
            ///
            /// As [`connect_strict`](Self::connect_strict), and invalid input for a setting of zero.
            pub async fn from_config_strict(config: $crate::RedisConfig) -> $crate::Result<Self> {
                let manager = $crate::Manager::connect(&config, true).await?;
                Ok(Self { manager })
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
            #[doc = concat!("use ", $krate, "::ConnectionManager;")]
            ///
            /// # fn main() -> larder::Result<()> {
            /// let redis = ConnectionManager::connect_blocking("redis://localhost:6379/0")?;
            /// let cache = Cache::builder(redis.backend()).prefix("myapp").build()?.blocking();
            /// assert!(!cache.exists("user:1")?);
            /// redis.close_blocking();
            /// # Ok(())
            /// # }
            /// ```
            pub fn connect_blocking(url: &str) -> $crate::Result<Self> {
                Self::from_config_blocking($crate::RedisConfig::from_url(url)?)
            }

            /// [`connect_strict`](Self::connect_strict) for code that is not async; the calling thread waits.
            ///
            /// # Errors
            ///
            /// As [`connect_strict`](Self::connect_strict).
            pub fn connect_strict_blocking(url: &str) -> $crate::Result<Self> {
                Self::from_config_strict_blocking($crate::RedisConfig::from_url(url)?)
            }

            /// [`from_config`](Self::from_config) for code that is not async; the calling thread waits.
            ///
            /// # Errors
            ///
            /// As [`from_config`](Self::from_config).
            pub fn from_config_blocking(config: $crate::RedisConfig) -> $crate::Result<Self> {
                let manager = $crate::Manager::connect_blocking(&config, false)?;
                Ok(Self { manager })
            }

            /// [`from_config_strict`](Self::from_config_strict) for code that is not async; the calling thread waits.
            ///
            /// # Errors
            ///
            /// As [`from_config_strict`](Self::from_config_strict).
            pub fn from_config_strict_blocking(config: $crate::RedisConfig) -> $crate::Result<Self> {
                let manager = $crate::Manager::connect_blocking(&config, true)?;
                Ok(Self { manager })
            }

            /// [`lazy`](Self::lazy) with every setting.
            ///
            /// # Errors
            ///
            /// As [`lazy`](Self::lazy), and invalid input for a setting of zero.
            pub fn from_config_lazy(config: $crate::RedisConfig) -> $crate::Result<Self> {
                let manager = $crate::Manager::lazy(&config)?;
                Ok(Self { manager })
            }

            /// A backend on this connection, for [`Cache::builder`](https://docs.rs/larder).
            #[must_use]
            pub fn backend(&self) -> $backend {
                $backend::new(self.manager.store())
            }

            /// Asks the server for a sign of life, within the deadline. Of a cluster one primary that answers is enough.
            ///
            /// # Errors
            ///
            /// Connection, timeout, overloaded and server errors.
            pub async fn ping(&self) -> $crate::Result<()> {
                self.manager.ping().await
            }

            /// [`ping`](Self::ping) for code that is not async; the calling thread waits.
            ///
            /// # Errors
            ///
            /// As [`ping`](Self::ping).
            pub fn ping_blocking(&self) -> $crate::Result<()> {
                self.manager.ping_blocking()
            }

            /// Ends the connection for all clones and backends, within the deadline; calls fail from then on.
            ///
            /// When it has returned, the task that drove the connection is gone, and the connection with it, for every caller
            /// of several at once. Of a connection that its owner has made only the manager and its backends end.
            ///
            /// # Cancel safety
            ///
            /// A dropped future leaves the connection to end by itself, soon.
            pub async fn close(&self) {
                self.manager.close().await;
            }

            /// [`close`](Self::close) for code that is not async; the calling thread waits.
            pub fn close_blocking(&self) {
                self.manager.close_blocking();
            }
        }

        impl std::fmt::Debug for ConnectionManager {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple("ConnectionManager").field(&self.manager).finish()
            }
        }
    };
}
