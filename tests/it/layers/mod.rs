//! Layers around backends, on stores whose faults are scripted.

mod batched;
mod breaker;
mod conformance;
mod fallback;
mod history;
mod overlap;
mod recovery;
mod resurrection;
mod support;
