//! Redis and Valkey as a store for [larder](https://docs.rs/larder), through the
//! [redis](https://docs.rs/redis) crate: one server, a cluster or a sentinel's primary, with or without TLS, from any
//! async executor.
//!
//! ```no_run
//! use larder::{CacheBackend, Expiry, SetOptions};
//! use larder_redis_rs::ConnectionManager;
//! use std::time::Duration;
//!
//! # async fn example() -> larder::Result<()> {
//! let redis = ConnectionManager::connect("redis://localhost:6379/0").await?;
//! let backend = redis.backend();
//! let hour = SetOptions::new(Expiry::After(Duration::from_secs(3600)));
//! backend.set("greeting", "hello".into(), hour).await?;
//! redis.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`ConnectionManager`] says what happens at start-up and on which runtime, [`RedisRsBackend`] how calls behave while
//! the server is away, [`RedisConfig`] which URLs and settings there are. All three are as those of
//! [larder-fred](https://docs.rs/larder-fred), and the tests of both are the same; `docs/clients.md` in the repository
//! tells the two apart by measurements.
//!
//! # Servers
//!
//! Redis 7.0 runs the whole test suite, in RESP3 and in RESP2.
//!
//! # Rights
//!
//! A user of its own needs these rights, and no others:
//!
//! ```text
//! ACL SETUSER app on >password ~myapp:* +get +mget +set +unlink +pexpire +eval +evalsha +scan
//!     +strlen +getrange +exists +persist +pttl +select
//! ```
//!
//! - `select` only where the URL names a database.
//! - `ping` besides for [`ConnectionManager::ping`], and in RESP2 without a password.
//! - `cluster|slots` besides on a cluster, and `asking` where slots move.
//! - `role` besides where sentinels name the server.
//!
//! `strlen`, `getrange`, `exists`, `persist` and `pttl` are called by scripts, which is what conditions are made of.
//!
//! # What is used of the redis crate
//!
//! Its commands, its protocol and its `MultiplexedConnection`, which writes the commands of all callers to one socket.
//! Connecting, the handshake, connecting again, following the slots of a cluster and asking sentinels are done here:
//! the crate's own `ConnectionManager` lets calls wait while it connects again, where a cache has to be told that its
//! store is away, and its `ClusterConnection` sends a write again after a failure that may have come behind its
//! application, with whatever number of retries lets it follow a slot that moves.
//!
//! # Features
//!
//! | Feature | Default | Enables | Cost |
//! |---|---|---|---|
//! | `rustls` | no | `rediss://` and `valkeys://`, by rustls on ring | 12 crates |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod backend;
mod bounded;
mod cluster;
mod connect;
mod error;
mod line;
mod link;
mod manager;
mod map;
mod sentinel;
mod wire;

// The example of the README compiles as the others do.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use backend::RedisRsBackend;
pub use larder_redis_common::RedisConfig;
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub use larder_redis_common::rustls;
pub use manager::ConnectionManager;
/// The client, in the version this crate is built on, for [`ConnectionManager::from_connection`].
pub use redis;
