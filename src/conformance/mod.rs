//! The contract of [`CacheBackend`](crate::CacheBackend) as a suite that any backend can be held to.
//!
//! Implement [`Subject`] for a fixture of yours and await [`backend`] in a test. The suite needs no runtime: it
//! runs on whatever executor awaits it, takes threads of its own for the races and prints nothing unless a case
//! fails. Each case is one sentence and works on keys of its own, so that all of them share one store.
//!
//! **Not covered by semantic versioning.** A minor release may add cases, and a backend that used to pass may
//! then fail: that is what the suite is for.
//!
//! # Examples
//!
//! ```
//! assert!(larder::conformance::sentences().iter().any(|s| s == "a missing key reads as nothing"));
//! ```

mod batches;
mod changes;
mod codec;
mod conditions;
mod expiry;
mod keep;
mod keys;
mod other_types;
mod race_conditions;
mod races;
mod reads;
mod refusals;
mod run;
mod scan_patterns;
mod scans;
mod stage;
mod subject;
mod sweeps;
mod writes;

pub use codec::{compressor, serializer};
pub use run::{Failure, backend, failures, sentences};
pub use subject::Subject;
