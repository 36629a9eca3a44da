//! The backend against real servers.

mod acl;
mod batch;
mod cluster;
mod conditions;
mod executors;
mod lifecycle;
mod outage;
mod replies;
mod scan;
mod start;
mod support;
