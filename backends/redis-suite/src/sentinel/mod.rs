//! A primary that sentinels watch.

pub(crate) mod failover;
