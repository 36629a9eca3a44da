//! Ready-made hooks.

#[cfg(feature = "collector")]
mod collector;
#[cfg(feature = "metrics")]
mod facade;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
#[cfg(any(feature = "collector", feature = "metrics", feature = "opentelemetry"))]
mod signal;
#[cfg(feature = "collector")]
mod snapshot;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "metrics")]
pub use self::facade::MetricsHook;
#[cfg(feature = "opentelemetry")]
pub use self::opentelemetry::{OpenTelemetryBuilder, OpenTelemetryHook};
#[cfg(feature = "tracing")]
pub use self::tracing::TracingHook;
#[cfg(feature = "collector")]
pub use self::{
    collector::MetricsCollector,
    snapshot::{KeyStats, MetricsSnapshot, OperationStats, SignalStats, ValueStats},
};
