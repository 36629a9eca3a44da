//! The backend, which is a store on a connection of fred's.

use crate::link::Link;

larder_redis_common::backend! {
    /// - Each `set` goes by itself: fred hands every command to its connection alone, so nothing would be gained by batches.
    /// - One command may be in fred's hands, past the check of its deadline, as a connection stalls; it is sent if that
    ///   connection goes on within the second after which it is replaced.
    /// - Values are copied out of the connection's buffer, whatever their size: a slice of it would keep all of it in
    ///   memory for as long as the value lives.
    FredBackend around Link
}
