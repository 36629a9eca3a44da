//! larder-memory
