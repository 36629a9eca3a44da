//! larder: typed values over Redis, a local map or memory.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod cache;
mod clock;
mod compressor;
mod envelope;
mod error;
pub mod glob;
mod serializer;
mod ttl;

pub use backend::{CacheBackend, Capabilities, Condition, Entry, Expiry, Head, KeyTtl, Outcome, SetItem, SetOptions};
pub use cache::{Bound, Cache, CacheBuilder, CacheStats, Lookup, OnUndecodable};
pub use clock::{Clock, ManualClock, SystemClock};
pub use compressor::{Compressor, Lz4, NoCompression, Snappy, Zstd};
pub use error::{Error, ErrorKind, Result};
pub use serializer::{Json, MessagePack, Postcard, Serializer};
pub use ttl::Ttl;
