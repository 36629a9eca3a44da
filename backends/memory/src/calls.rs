use crate::Operation;

/// How often a backend was called: a snapshot, one number per method.
///
/// A call is one round trip: a batch counts once, however many keys it holds, an empty batch not at all, and a scan
/// once per page. A call counts when it begins, whatever becomes of it.
///
/// # Examples
///
/// ```
/// use larder::CacheBackend;
/// use larder_memory::{MemoryBackend, Operation};
///
/// # futures::executor::block_on(async {
/// let backend = MemoryBackend::new();
/// backend.get_many(&["a", "b"]).await;
/// let calls = backend.calls();
/// assert_eq!(calls.total(), 1);
/// assert_eq!(calls.of(Operation::GetMany), 1);
/// assert_eq!(calls.keys_in(Operation::GetMany), 2);
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    calls: [u64; Operation::ALL.len()],
    keys: [u64; Operation::ALL.len()],
}

impl Calls {
    pub(crate) fn count(&mut self, operation: Operation, keys: usize) {
        self.calls[operation as usize] += 1;
        self.keys[operation as usize] += keys as u64;
    }

    /// Calls of every method together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.calls.iter().sum()
    }

    /// Calls of this method.
    #[must_use]
    pub fn of(&self, operation: Operation) -> u64 {
        self.calls[operation as usize]
    }

    /// Keys that were handed to this method: one per call, or as many as its batches held. None for a scan.
    #[must_use]
    pub fn keys_in(&self, operation: Operation) -> u64 {
        self.keys[operation as usize]
    }

    /// Keys that were handed to the three batch methods together.
    #[must_use]
    pub fn keys_in_batches(&self) -> u64 {
        [Operation::GetMany, Operation::SetMany, Operation::DeleteMany]
            .into_iter()
            .map(|operation| self.keys_in(operation))
            .sum()
    }
}
