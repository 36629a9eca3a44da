use std::{fmt, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc, thread, time::Duration};

use futures::{
    FutureExt, StreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    executor::block_on,
    stream::FuturesUnordered,
};
use futures_timer::Delay;
use parking_lot::Mutex;

use crate::clock::Sleep;

/// Where a cache runs what outlives the call that began it: refreshes that nobody waits for, loads whose caller has
/// gone, the release of what they left behind.
///
/// Without one a cache uses [`ThreadRuntime`]. The crate `larder-runtimes` has tokio's and smol's.
///
/// # Contract
///
/// - `spawn` returns at once and runs the job to its end, or drops it: whatever a cache spawns may be dropped at any
///   time without harm. It must not poll the job before it returns.
/// - `sleep` ends after the span, whoever polls it.
///
/// # Examples
///
/// One that counts what it is given:
///
/// ```
/// use larder::{Cache, Job, Runtime, ThreadRuntime};
/// use larder_memory::MemoryBackend;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// #[derive(Debug, Default)]
/// struct Counted(AtomicUsize);
///
/// impl Runtime for Counted {
///     fn spawn(&self, job: Job) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         ThreadRuntime.spawn(job);
///     }
/// }
///
/// let cache = Cache::builder(MemoryBackend::new()).runtime(Counted::default()).build()?;
/// # let _: Cache<MemoryBackend> = cache;
/// # Ok::<(), larder::Error>(())
/// ```
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// Runs `job` to its end, apart from the caller.
    fn spawn(&self, job: Job);

    /// Waits for `span`. A cache with a [`Clock`](crate::Clock) of its own waits by that instead.
    ///
    /// By default a timer that needs no runtime.
    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(Delay::new(span))
    }
}

/// What a [`Runtime`] is given to run.
pub type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<T: Runtime + ?Sized> Runtime for Arc<T> {
    fn spawn(&self, job: Job) {
        (**self).spawn(job);
    }

    fn sleep(&self, span: Duration) -> Sleep {
        (**self).sleep(span)
    }
}

/// One plain thread, shared by the caches of the process and started when it is first needed.
///
/// Loaders that need their own runtime around them, as everything of tokio's does, panic on it, and one that blocks
/// holds up all others: give the cache a runtime of theirs with [`CacheBuilder::runtime`](crate::CacheBuilder::runtime).
///
/// # Examples
///
/// ```
/// use larder::{Runtime, ThreadRuntime};
///
/// let (done, is_done) = std::sync::mpsc::channel();
/// ThreadRuntime.spawn(Box::pin(async move { done.send(1).unwrap() }));
/// assert_eq!(is_done.recv(), Ok(1));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadRuntime;

static QUEUE: Mutex<Option<UnboundedSender<Job>>> = Mutex::new(None);

impl Runtime for ThreadRuntime {
    /// Drops the job where no thread can be started.
    fn spawn(&self, job: Job) {
        // What is dropped may spawn in its turn, so it must not be dropped under the lock.
        let _unsent = queue(job);
    }
}

/// Gives `job` to the thread; answers it where there is none and none can be started.
fn queue(job: Job) -> Option<Job> {
    let mut queue = QUEUE.lock();
    let job = match &*queue {
        Some(queue) => match queue.unbounded_send(job) {
            Ok(()) => return None,
            Err(unsent) => unsent.into_inner(),
        },
        None => job,
    };
    let (sender, receiver) = unbounded();
    let thread = thread::Builder::new().name("larder".into());
    if thread.spawn(move || block_on(run(receiver))).is_err() {
        return Some(job);
    }
    match sender.unbounded_send(job) {
        Ok(()) => {
            *queue = Some(sender);
            None
        }
        Err(unsent) => Some(unsent.into_inner()),
    }
}

async fn run(mut queue: UnboundedReceiver<Job>) {
    let mut running = FuturesUnordered::new();
    loop {
        futures::select_biased! {
            job = queue.next() => match job {
                // One job's panic must not take the others with it.
                Some(job) => running.push(AssertUnwindSafe(job).catch_unwind()),
                None => return,
            },
            _ = running.select_next_some() => {}
        }
    }
}
