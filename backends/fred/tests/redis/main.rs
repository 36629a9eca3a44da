//! The backend against real servers.

mod acl;
mod batch;
mod blocking;
mod bounds;
mod cache;
mod cluster;
mod conditions;
mod conformance;
mod executors;
mod glob;
mod layers;
mod lifecycle;
mod oracle;
mod outage;
mod remember;
mod replies;
mod scan;
mod silence;
mod start;
mod support;
#[cfg(feature = "rustls")]
mod tls;
