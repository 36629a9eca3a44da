//! Cache-aside, in one process and on backends that need no server.

mod batch;
mod cancel;
mod detached;
mod edges;
mod fences;
mod handover;
mod hits;
mod lease;
mod outage;
mod refresh;
mod share;
mod stale;
pub(crate) mod support;
mod truth;
