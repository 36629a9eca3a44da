//! The backend against real servers.

mod acl;
mod batch;
mod blocking;
mod bounds;
mod cache;
mod conditions;
mod conformance;
mod endings;
mod executors;
mod glob;
mod layers;
mod lifecycle;
mod oracle;
mod remember;
mod replies;
mod scan;
mod start;
mod suite;
mod support;
