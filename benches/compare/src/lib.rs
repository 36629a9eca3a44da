//! larder beside the clients it stands on and the caches it is compared with.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- \
//!     [filter] [--json FILE] [--write] [--from FILE] [--rounds N] [--seconds S]
//! ```
//!
//! Everybody talks to the same server, stores the same values from as many tasks, and has a turn in every round; the
//! figures are medians of the rounds. `filter` is a part of the name of the workloads to run. `--json` writes an array of
//! `{workload, tasks, contender, median, low, high, unit, rounds}`, anew after each workload, so that a run that is
//! interrupted leaves what it has; a contender that fails has `{workload, tasks, contender, failed}` there. `--from` takes
//! the rows of such a file instead of measuring, and `--write` renews BENCHMARKS.md and its plots.

#[cfg(feature = "contenders")]
mod arguments;
pub mod contender;
#[cfg(feature = "contenders")]
mod contenders;
#[cfg(feature = "contenders")]
mod lineup;
pub mod measure;
pub mod payload;
#[cfg(feature = "contenders")]
mod plan;
pub mod race;
#[cfg(feature = "contenders")]
mod report;
#[cfg(feature = "contenders")]
mod run;
pub mod serve;
pub mod workloads;

#[cfg(feature = "contenders")]
pub use run::run;
