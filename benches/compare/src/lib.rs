//! larder beside the clients it stands on and the caches it is compared with.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- \
//!     [filter] [--json FILE] [--write] [--from FILE] [--rounds N] [--seconds S]
//! ```
//!
//! Everybody talks to the same server, stores the same values from as many tasks, and has a turn in every round; the
//! figures are medians of the rounds. `filter` is a part of the name of the workloads to run.

#[cfg(feature = "contenders")]
mod arguments;
pub mod contender;
#[cfg(feature = "contenders")]
mod contenders;
pub mod measure;
pub mod payload;
#[cfg(feature = "contenders")]
mod report;
#[cfg(feature = "contenders")]
mod run;
pub mod serve;
pub mod workloads;

#[cfg(feature = "contenders")]
pub use run::run;
