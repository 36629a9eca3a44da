//! The backend against real servers.

mod given;
mod glob;
mod remember;
mod suite;
mod support;
