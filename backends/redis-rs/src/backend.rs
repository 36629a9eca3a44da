//! The backend, which is a store on connections of the redis crate's.

use crate::link::Link;

larder_redis_common::backend! {
    /// - Up to 8 KiB of commands may be in the middle of being written as a connection stalls; they are sent if that
    ///   connection goes on within the second after which it is replaced.
    RedisRsBackend around Link
}
