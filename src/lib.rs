//! Typed values over Redis, a local map or memory, with the backend, the serializer and the compressor chosen at
//! compile time.
//!
//! ```
//! use larder::{Cache, Lookup};
//! use larder_memory::MemoryBackend;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct User {
//!     name: String,
//! }
//!
//! # futures::executor::block_on(async {
//! let cache = Cache::builder(MemoryBackend::new()).prefix("myapp").ttl_jitter(0.1).build()?;
//!
//! cache.set("user:1", &User { name: "Alice".into() }, "2h30m").await?;
//! assert_eq!(cache.get("user:1").await?, Some(User { name: "Alice".into() }));
//!
//! cache.set("user:999", &None::<User>, 60).await?; // that there is no such user is worth caching too
//! assert_eq!(cache.lookup::<User>("user:999").await?, Lookup::Absent);
//!
//! // Reads, or loads once for all that ask, and stores.
//! let bob: Result<User, _> = cache.remember("user:2", "1h", async || Err("the database is away")).await;
//! assert_eq!(bob.unwrap_err().loader(), Some(&"the database is away"));
//! # Ok::<(), larder::Error>(())
//! # }).unwrap();
//! ```
//!
//! # The parts
//!
//! - [`Cache`] is what a service holds: typed calls on one key, on many, and on patterns, under a prefix.
//! - [`CacheBackend`] is the store beneath, a small trait whose contract is written down and tested. `larder-fred` is
//!   Redis and Valkey, `larder-local` a bounded map in the process, `larder-memory` Redis in memory for unit tests.
//!   One of your own is their equal.
//! - [`Serializer`] and [`Compressor`] turn values into bytes: [`Postcard`], [`Json`], [`MessagePack`]; [`Snappy`],
//!   [`Lz4`], [`Zstd`], [`NoCompression`]; or yours.
//! - [`Cache::remember`] and its kin load what is missing, once, and fill without ever resurrecting what was
//!   invalidated; [`LoadOptions`] says how.
//! - [`Cache::remember_detached`] leaves loads behind where nobody should wait for them, on a [`Runtime`]; a [`Hook`] is
//!   told how they end, and of every call from its start to its end.
//! - [`Batched`] sends together what is asked at the same time; [`Breaker`] and [`Fallback`] are for the time when the
//!   store is away: backends around backends, all of them.
//!   [`FallbackPolicy`] says what a call answers when nobody does.
//! - [`cached`](macro@cached) makes a function remember what it returned; [`BlockingCache`] is the cache for code that is
//!   not async.
//! - [`Ttl`] is how long an entry lives, [`Clock`] where the time comes from.
//! - [`Error`] is the one error, with a kind to act on.
//!
//! larder depends on no async runtime and on no Redis client: its futures run on any executor.
//!
//! # Features
//!
//! | Feature | Default | Enables | Cost |
//! |---|---|---|---|
//! | `macros` | yes | the attribute [`cached`](macro@cached) | `syn`, when building |
//! | `postcard` | yes | the [`Postcard`] serializer | `postcard` |
//! | `json` | no | the [`Json`] serializer | `serde_json` |
//! | `messagepack` | no | the [`MessagePack`] serializer | `rmp-serde` |
//! | `snappy` | yes | the [`Snappy`] compressor | `snap` |
//! | `lz4` | no | the [`Lz4`] compressor | `lz4_flex` |
//! | `zstd` | no | the [`Zstd`] compressor | `zstd`, which builds C |
//! | `conformance` | no | [`conformance`](https://docs.rs/larder/latest/larder/conformance): the contract as a test suite | `futures-executor`, for tests alone |
//! | `codec-report` | no | [`codec_report`](https://docs.rs/larder/latest/larder/fn.codec_report.html): what each codec costs on values of yours, with a plot; and every codec | `plotters` |
//! | `collector` | no | [`MetricsCollector`](https://docs.rs/larder/latest/larder/struct.MetricsCollector.html), counts and histograms in the process | `histogram` |
//! | `metrics` | no | [`MetricsHook`](https://docs.rs/larder/latest/larder/struct.MetricsHook.html), the `metrics` facade | `metrics` |
//! | `opentelemetry` | no | [`OpenTelemetryHook`](https://docs.rs/larder/latest/larder/struct.OpenTelemetryHook.html), spans and metrics | `opentelemetry` |
//! | `tracing` | no | [`TracingHook`](https://docs.rs/larder/latest/larder/struct.TracingHook.html); panics of hooks are logged | `tracing` |
//!
//! A feature only adds. The marker types exist without their features, so signatures do not change with them.

#[cfg(feature = "macros")]
#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;
mod backend;
mod background;
mod blocking;
mod cache;
mod clock;
#[cfg(feature = "codec-report")]
mod codec_report;
mod compressor;
#[cfg(feature = "conformance")]
pub mod conformance;
mod envelope;
mod error;
mod flight;
pub mod glob;
mod hook;
mod layer;
mod random;
mod remember;
mod runtime;
mod serializer;
mod strings;
mod sync;
mod telemetry;
mod ttl;

pub use backend::{
    AtOnce, CacheBackend, Capabilities, Condition, Entry, Expiry, Head, Kept, KeyTtl, Outcome, SetItem, SetOptions,
    SweepListener, SweepProgress, delete_by_scan, delete_by_scan_with, delete_listed, get_by_joining,
};
pub use blocking::{BlockingBound, BlockingCache};
pub use cache::{
    Bound, Cache, CacheBuilder, CacheStats, FallbackCallback, FallbackPolicy, Fallen, Lookup, OnUndecodable,
};
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
#[cfg(feature = "codec-report")]
pub use codec_report::{CodecCost, CodecReport, CodecRow, codec_report};
pub use compressor::{Compressor, Lz4, NoCompression, Snappy, Zstd};
pub use error::{Error, ErrorKind, Result};
pub use hook::{
    BackgroundOutcome, Counts, Ending, Event, Failure, Hook, HookSpan, LeaseOutcome, Operation, OperationKind,
    OperationOutcome,
};
#[cfg(feature = "macros")]
#[doc = include_str!("../docs/cached.md")]
pub use larder_macros::cached;
pub use layer::{
    Batched, BatchedBuilder, BatchedStats, Breaker, BreakerBuilder, BreakerState, Fallback, FallbackBuilder,
    FallbackState, JournalStats,
};
pub use remember::{LoadError, LoadOptions, Loaded, OnError, Remembered, RememberedMany, Source, StaleReason};
pub use runtime::{Job, Runtime, ThreadRuntime};
pub use serializer::{Json, MessagePack, Postcard, Serializer};
#[cfg(feature = "metrics")]
pub use telemetry::MetricsHook;
#[cfg(feature = "tracing")]
pub use telemetry::TracingHook;
#[cfg(feature = "collector")]
pub use telemetry::{KeyStats, MetricsCollector, MetricsSnapshot, OperationStats, SignalStats, ValueStats};
#[cfg(feature = "opentelemetry")]
pub use telemetry::{OpenTelemetryBuilder, OpenTelemetryHook};
pub use ttl::Ttl;

/// Compiles and runs what the README and the guide show.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/remember.md")]
#[doc = include_str!("../docs/outages.md")]
#[cfg_attr(
    all(feature = "collector", feature = "metrics", feature = "opentelemetry", feature = "tracing"),
    doc = include_str!("../docs/observability.md"),
    doc = include_str!("../docs/metrics.md")
)]
#[cfg_attr(feature = "codec-report", doc = include_str!("../docs/speed.md"))]
#[cfg_attr(feature = "macros", doc = include_str!("../docs/from-redis-kit.md"))]
struct Pages;
