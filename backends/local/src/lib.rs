//! larder-local
