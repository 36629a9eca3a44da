//! Redis and Valkey as a store for [larder](https://docs.rs/larder), through the client
//! [fred](https://docs.rs/fred).
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod command;
mod config;
mod error;
mod link;
mod manager;
mod read;
mod runtime;
mod scan;
mod script;
mod url;
mod write;

pub use backend::FredBackend;
pub use config::RedisConfig;
pub use fred;
pub use manager::ConnectionManager;
