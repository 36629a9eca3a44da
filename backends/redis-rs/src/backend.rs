//! The backend, which is a store on connections of the redis crate's.

use crate::link::Link;

larder_redis_common::backend! {
    RedisRsBackend around Link
}
