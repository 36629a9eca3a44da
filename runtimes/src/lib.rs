//! tokio's and smol's runtimes for [`larder`](https://docs.rs/larder)'s background loads.
//!
//! A cache refreshes values behind its callers on a plain thread of its own, unless it is given a runtime. Loaders that
//! use tokio or smol need theirs:
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use larder::{Cache, LoadOptions, Loaded};
//! use larder_memory::MemoryBackend;
//! use larder_runtimes::TokioRuntime;
//!
//! let cache = Cache::builder(MemoryBackend::new())
//!     .runtime(TokioRuntime::current())
//!     .load_options(LoadOptions::new().stale_while_revalidate("10m"))
//!     .build()?;
//! let load = || async { Ok::<_, tokio::task::JoinError>(Loaded::value(tokio::spawn(async { 7 }).await?)) };
//! let answer = cache.remember_detached("key", "1m", &LoadOptions::new(), load).await.unwrap();
//! assert_eq!(answer.value, Some(7));
//! # Ok::<(), larder::Error>(())
//! # }).unwrap();
//! ```
//!
//! | Feature | Enables |
//! |---|---|
//! | `tokio` | `TokioRuntime` |
//! | `smol` | `SmolRuntime` |

#[cfg(feature = "smol")]
mod smol_runtime;
#[cfg(feature = "tokio")]
mod tokio_runtime;

#[cfg(feature = "smol")]
pub use smol_runtime::SmolRuntime;
#[cfg(feature = "tokio")]
pub use tokio_runtime::TokioRuntime;
