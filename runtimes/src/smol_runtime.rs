use std::time::Duration;

use larder::{Job, Runtime, Sleep};

/// smol's global executor and timers.
///
/// ```
/// use larder::Runtime;
/// use larder_runtimes::SmolRuntime;
/// use std::time::Duration;
///
/// let (done, is_done) = std::sync::mpsc::channel();
/// SmolRuntime.spawn(Box::pin(async move {
///     SmolRuntime.sleep(Duration::from_millis(1)).await;
///     done.send(1).unwrap();
/// }));
/// assert_eq!(is_done.recv(), Ok(1));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SmolRuntime;

impl Runtime for SmolRuntime {
    fn spawn(&self, job: Job) {
        smol::spawn(job).detach();
    }

    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(async move {
            smol::Timer::after(span).await;
        })
    }
}
