use std::{future::Future, sync::Arc, time::Duration};

use crate::CacheBackend;

/// A backend under test, with the few powers over its world that the suite needs.
///
/// # Contract
///
/// - One subject stands for one store. The suite fills it with some 150 000 small keys at once and with values of
///   up to 1 MiB; a backend that evicts needs the room for them, because the suite takes an entry that is gone too
///   early for a fault.
/// - The store may hold other keys. The suite touches its own and the empty key, and removes them at the end.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use larder::{CacheBackend, ManualClock, conformance::Subject};
///
/// #[derive(Debug)]
/// struct Fixture<B> {
///     backend: Arc<B>,
///     clock: ManualClock,
/// }
///
/// impl<B: CacheBackend + 'static> Subject for Fixture<B> {
///     type Backend = B;
///
///     fn backend(&self) -> Arc<B> {
///         Arc::clone(&self.backend)
///     }
///
///     async fn pass(&self, span: Duration) {
///         self.clock.advance(span);
///     }
/// }
/// ```
pub trait Subject: Send + Sync {
    /// The backend that is held to the contract.
    type Backend: CacheBackend + 'static;

    /// A handle on the one store of this subject.
    fn backend(&self) -> Arc<Self::Backend>;

    /// Lets `span` of the backend's time go by: moves its clock, shortens the lives of its keys, or sleeps.
    ///
    /// A little more than `span` is fine, less is not.
    fn pass(&self, span: Duration) -> impl Future<Output = ()> + Send;

    /// Puts a persistent key of another type (a Redis list, say) under `key`, past the backend; answers `false`
    /// where the store knows no other type, and the cases about them then pass without a look. The default.
    fn put_other_type(&self, key: &str) -> impl Future<Output = bool> + Send {
        let _ = key;
        async { false }
    }

    /// Tells whether what [`put_other_type`](Self::put_other_type) put under `key` stands there unharmed.
    ///
    /// Asked only after `put_other_type` answered `true`. The default answers `false`.
    fn other_type_stands(&self, key: &str) -> impl Future<Output = bool> + Send {
        let _ = key;
        async { false }
    }
}
