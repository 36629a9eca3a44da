//! A private authority between client and server.

pub(crate) mod connections;
