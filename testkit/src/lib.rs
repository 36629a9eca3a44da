//! Real servers for larder's own tests.
//!
//! Nothing here is part of larder: the crate is not published, is synchronous, and talks to its servers by another
//! client than the backends under test.

mod process;
mod redis_server;

pub use redis_server::RedisServer;
