//! Making, sharing and closing a connection.

use fred::clients::Client;
use larder::Result;
use larder_redis_common::{Driver, Manager};

use crate::{backend::FredBackend, link::Link};

larder_redis_common::connection_manager!("larder_fred", Link, FredBackend);

impl ConnectionManager {
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
        let manager = Manager::new(Link::of_client(client, Driver::own()?));
        Ok(Self { manager })
    }
}
