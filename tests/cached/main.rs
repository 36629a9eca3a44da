//! `#[cached]` from outside, on the backends that need no server.
#![expect(
    clippy::unused_async,
    reason = "the bodies stand for real ones, which wait for something"
)]

mod background;
mod companions;
mod concurrency;
mod corners;
mod functions;
mod keys;
mod leases;
mod methods;
mod outages;
mod outcomes;
mod programs;
mod redis_kit;

mod support;
mod sync;
mod timeouts;
mod traits;
mod ttls;
