//! larder: typed values over Redis, a local map or memory.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
pub mod glob;
mod ttl;

pub use backend::{CacheBackend, Capabilities, Condition, Entry, Expiry, Head, KeyTtl, Outcome, SetItem, SetOptions};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, ErrorKind, Result};
pub use ttl::Ttl;
