//! What larder's Redis clients have in common: the calls of a backend, the commands and scripts they are made of, what is
//! known of servers, and the face of a connection.
//!
//! An implementation detail of [larder-fred](https://docs.rs/larder-fred) and
//! [larder-redis-rs](https://docs.rs/larder-redis-rs), with no promise of stability; it knows no client itself. A client
//! implements [`Wire`] and [`Connection`], and [`connection_manager!`] and [`backend!`] make the rest.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod boxes;
mod command;
mod config;
mod deadlines;
mod error;
mod flight;
mod manager;
mod runtime;
mod script;
mod sent;
mod slot;
mod store;
#[cfg(feature = "rustls")]
mod tls;
mod url;

pub use boxes::Boxes;
pub use command::{Command, Reply};
pub use config::{Host, RedisConfig, Settings, Topology};
pub use deadlines::Deadlines;
pub use error::{
    Context, closed, failed, is_final, is_servers_words, is_unready, late, printable, refused, unexpected,
};
pub use flight::{Bound, Permit, Silence, Watched};
pub use larder::Result;
pub use manager::{Connection, Contact, Manager};
pub use runtime::{Driver, Entered};
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
/// The TLS library, in the version that [`RedisConfig::with_tls`] takes.
pub use rustls;
pub use script::{Script, Sending};
pub use sent::Sent;
pub use slot::{REDIRECTIONS, Redirection, SLOTS, slot_of};
pub use store::{Closing, Shared, Store, Wire};
#[cfg(feature = "rustls")]
pub use tls::system_tls;

#[doc(hidden)]
pub mod __private {
    pub use bytes::Bytes;
    pub use futures::Stream;
    pub use larder::{
        Batched, CacheBackend, Capabilities, Condition, Entry, Head, Outcome, Result, SetItem, SetOptions,
        SweepListener,
    };
}
