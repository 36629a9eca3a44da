//! The backend, which is a store on connections of the redis crate's.

use crate::link::Link;

larder_redis_common::backend! {
    /// - Unconditional `set`s beyond 16 that are under way at the same time go together, as pipelines, where the connection
    ///   is to one server and made here.
    /// - Up to 8 KiB of commands, and the command or pipeline behind them, may be in the middle of being written as a
    ///   connection stalls; they are sent if that connection goes on within the second after which it is replaced.
    RedisRsBackend around Link
}
