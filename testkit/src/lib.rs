//! Real servers for larder's own tests, and the faults between them and their clients.
//!
//! Nothing here is part of larder: the crate is not published, is called synchronously, and talks to its servers by
//! another client than the backends under test.

mod cluster;
mod fault_proxy;
mod process;
mod program;
mod redis_server;
mod sentinel;
mod session;
mod tls;

pub use cluster::RedisCluster;
pub use fault_proxy::{Direction, Fault, FaultProxy};
pub use redis_server::RedisServer;
pub use sentinel::RedisSentinel;
pub use session::Session;
pub use tls::{Authority, Identity, TlsServer};
