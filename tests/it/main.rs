//! The core from outside, on the backends that need no server.

mod backends;
mod batches;
mod blocking;
mod codec_laws;
mod codec_report;
mod contended;
mod damage;
mod golden;
mod input;
mod keys;
mod layers;
mod life;
mod markers;
mod none;
mod pages;
mod policy;
mod remember;
mod round_trip;
mod sample;
mod shared;
mod single;
mod store;
mod sweeps;
mod waits;
