//! Redis and Valkey as a store for [larder](https://docs.rs/larder), through the client
//! [fred](https://docs.rs/fred): one server, a cluster or a sentinel's primary, with or without TLS, from any async
//! executor.
//!
//! ```no_run
//! use larder::{CacheBackend, Expiry, SetOptions};
//! use larder_fred::ConnectionManager;
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
//! [`ConnectionManager`] says what happens at start-up and on which runtime, [`FredBackend`] how calls behave while
//! the server is away, [`RedisConfig`] which URLs and settings there are.
//!
//! # Servers
//!
//! Redis 7.0 runs the test suite, in RESP2, the default, and in RESP3 ([`RedisConfig::with_resp3`]), the default for
//! clusters. Redis 5.0 works in RESP2 except for [`Expiry::Keep`](larder::Expiry::Keep), which it refuses with a server
//! error: it has no KEEPTTL.
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
//! - `cluster|slots` and `cluster|info` besides on a cluster, and `asking` where slots move.
//! - `role` besides where sentinels name the server.
//!
//! `strlen`, `getrange`, `exists`, `persist` and `pttl` are called by scripts, which is what conditions are made of.
//! When connecting, fred also sends CLIENT ID and INFO, and goes on where they are refused.
//!
//! # Clusters
//!
//! Each primary has a connection of its own, so that one that is away takes only its own keys with it: a call for them
//! fails within its deadline until a replica has taken over, and all others are served. fred's own client for clusters,
//! which has a connection to each primary besides, only keeps the map of the slots. A slot that moves is followed, in
//! the middle of its move too, within the deadline of the call. `scan` asks every primary and ends with an error where one is away.
//!
//! # Sentinels
//!
//! The sentinels are asked for the primary whenever the connection is lost. The user and password of the URL are the
//! servers'; sentinels have their own, see [`RedisConfig::from_url`].
//!
//! # Features
//!
//! | Feature | Default | Enables | Cost |
//! |---|---|---|---|
//! | `unix-sockets` | no | `redis+unix://` and `valkey+unix://`, where the system has them | none |
//! | `rustls` | no | `rediss://` and `valkeys://`, by rustls on ring | 11 crates |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod cluster;
mod config;
mod error;
mod link;
mod manager;
mod quoting;
mod send;
mod wire;

// The example of the README compiles as the others do.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use backend::FredBackend;
/// The client, in the version this crate is built on, for [`ConnectionManager::from_client`].
pub use fred;
pub use larder_redis_common::RedisConfig;
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub use larder_redis_common::rustls;
pub use manager::ConnectionManager;
