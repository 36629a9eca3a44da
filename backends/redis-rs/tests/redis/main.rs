//! The backend against real servers.

mod suite;
