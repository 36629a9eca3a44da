use std::time::Duration;

use larder::{Job, Runtime, Sleep};
use tokio::runtime::Handle;

/// A tokio runtime, with its timers where it has them on.
///
/// When the runtime shuts down, the background loads on it are dropped.
#[derive(Debug, Clone)]
pub struct TokioRuntime {
    handle: Handle,
}

impl TokioRuntime {
    /// The runtime that `handle` belongs to. Its timers have to be enabled.
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

    fn sleep(&self, span: Duration) -> Sleep {
        // The timer belongs to the runtime it is made in; whoever polls it may be elsewhere.
        let _inside = self.handle.enter();
        Box::pin(tokio::time::sleep(span))
    }
}
