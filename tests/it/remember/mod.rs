//! Cache-aside, in one process and on backends that need no server.

mod background;
mod batch;
mod cancel;
mod detached;
mod fences;
mod handover;
mod heirs;
mod hits;
mod holders;
mod lease;
mod outage;
mod process;
mod refresh;
mod share;
mod stale;
pub(crate) mod support;
mod timeouts;
mod truth;
mod waiters;
