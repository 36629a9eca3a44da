//! Making, sharing and closing a connection.

use larder::Result;
use larder_redis_common::{Driver, Manager};
use redis::aio::ConnectionLike;

use crate::{backend::RedisRsBackend, link::Link};

larder_redis_common::connection_manager!("larder_redis_rs", Link, RedisRsBackend);

impl ConnectionManager {
    /// Uses a connection to one server that its owner has made.
    ///
    /// Commands get the default deadline and bound; everything else is the connection's: whether it comes back after an
    /// outage, and the runtime that it was made on. Neither [`close`](Self::close) nor dropping the manager ends it.
    /// A `redis::aio::ConnectionManager` lets calls wait while it connects again, here until their deadline; a bare
    /// `MultiplexedConnection` does not come back. The response timeout of 500 ms that both have by default is longer
    /// than the deadline here, and so of no consequence.
    ///
    /// A connection to a cluster does not serve: a scan would see the keys of one node. Connect to a `redis-cluster://`
    /// URL.
    ///
    /// # Errors
    ///
    /// A connection error where the background runtime for deadlines can not start.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use larder_redis_rs::{ConnectionManager, redis};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = redis::Client::open("redis://localhost:6379")?;
    /// let connection = client.get_multiplexed_async_connection().await?;
    /// let redis = ConnectionManager::from_connection(connection)?;
    /// redis.ping().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_connection<C>(connection: C) -> Result<Self>
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let manager = Manager::new(Link::of_connection(connection, Driver::own()?));
        Ok(Self { manager })
    }
}
