//! `#[cached]` from outside, on the backends that need no server.

mod companions;
mod concurrency;
mod functions;
mod keys;
mod methods;
mod misuse;
mod outages;
mod outcomes;
mod redis_kit;
mod support;
mod sync;
mod ttls;
