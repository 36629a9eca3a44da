//! The backend, which is a store on a connection of fred's.

use crate::link::Link;

larder_redis_common::backend! {
    /// - Values are copied out of the connection's buffer, whatever their size: a slice of it would keep all of it in
    ///   memory for as long as the value lives.
    FredBackend around Link
}
