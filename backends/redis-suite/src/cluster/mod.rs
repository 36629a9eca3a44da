//! Three primaries, each with a third of the keys.

pub(crate) mod batches;
pub(crate) mod failover;
pub(crate) mod leftovers;
pub(crate) mod reshard;
