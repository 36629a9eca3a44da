//! The backend against real servers.

mod given;
mod suite;
