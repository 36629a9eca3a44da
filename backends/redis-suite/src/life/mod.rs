//! How a connection begins, lives and ends.

pub(crate) mod acl;
pub(crate) mod blocking;
pub(crate) mod closing;
pub(crate) mod executors;
pub(crate) mod start;
