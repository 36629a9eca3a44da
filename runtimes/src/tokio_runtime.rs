use larder::{Job, Runtime};
use tokio::runtime::Handle;

/// A tokio runtime.
///
/// When the runtime shuts down, the background loads on it are dropped, and the cache goes on without. Callers wait by
/// timers of no runtime, so that a cache may outlive this one.
#[derive(Debug, Clone)]
pub struct TokioRuntime {
    handle: Handle,
}

impl TokioRuntime {
    /// The runtime that `handle` belongs to.
    #[must_use]
    pub const fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The runtime this is called on.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use larder_runtimes::TokioRuntime;
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let runtime = TokioRuntime::current();
    /// # let _ = runtime;
    /// # });
    /// ```
    #[must_use]
    pub fn current() -> Self {
        Self::new(Handle::current())
    }
}

impl Runtime for TokioRuntime {
    fn spawn(&self, job: Job) {
        self.handle.spawn(job);
    }
}
