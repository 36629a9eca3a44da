//! Every call of a cache for code that is not async: the same cache, waited for on the calling thread.

mod batch;
mod bind;
mod cache;
mod calls;
mod park;
mod remember;

pub use bind::BlockingBound;
pub use cache::BlockingCache;
#[cfg(feature = "macros")]
pub(crate) use park::block_on;
