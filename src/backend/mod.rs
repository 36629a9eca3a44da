//! The contract between a cache and the store beneath it.

mod contract;
mod entry;
mod forward;
mod joined;
mod kept;
mod options;
mod sweep;

pub use contract::CacheBackend;
pub use entry::{Entry, Head};
pub(crate) use joined::PhysicalKey;
pub use joined::get_by_joining;
pub(crate) use kept::Memo;
pub use kept::{AtOnce, Kept};
pub use options::{Capabilities, Condition, Expiry, KeyTtl, Outcome, SetItem, SetOptions};
pub use sweep::{SweepListener, SweepProgress, delete_by_scan, delete_by_scan_with, delete_listed};
