//! A private authority between client and server.

pub(crate) mod cluster;
pub(crate) mod connections;
