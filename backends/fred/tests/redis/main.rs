//! The backend against real servers.

mod endings;
mod given;
mod glob;
mod layers;
mod quoting;
mod remember;
mod suite;
mod support;
