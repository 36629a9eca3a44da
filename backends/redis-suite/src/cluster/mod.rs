//! Three primaries, each with a third of the keys.

pub(crate) mod batches;
