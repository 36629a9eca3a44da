//! The backend against real servers.

mod endings;
mod given;
mod glob;
mod layers;
mod remember;
mod suite;
mod support;
