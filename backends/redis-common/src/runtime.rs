//! The tokio runtime a connection lives on, for callers on any executor.

use std::{
    future::Future,
    panic::catch_unwind,
    pin::{Pin, pin},
    sync::mpsc::sync_channel,
    task::{Context, Poll},
    time::Duration,
};

use larder::{Error, ErrorKind, Job, Result};
use pin_project_lite::pin_project;
use tokio::{
    net::UdpSocket,
    runtime::{Builder, Handle, Runtime, RuntimeFlavor},
    task::coop::{has_budget_remaining, unconstrained},
    time::sleep,
};

/// A handle on the runtime that drives a connection, and the runtime itself where it is ours.
#[derive(Debug)]
pub struct Driver {
    handle: Handle,
    owned: Option<Runtime>,
}

impl Driver {
    /// Takes the multi-thread runtime the caller is on, where it may and there is one, or starts a background one.
    ///
    /// A current-thread runtime is not taken: it makes progress only while its one thread polls it, so a caller on
    /// another thread would wait without its deadline. Nor is one without timers or sockets.
    pub fn shared_or_own(may_share: bool) -> Result<Self> {
        match Handle::try_current() {
            Ok(handle)
                if may_share && handle.runtime_flavor() == RuntimeFlavor::MultiThread && has_drivers(&handle) =>
            {
                Ok(Self { handle, owned: None })
            }
            _ => Self::own(),
        }
    }

    /// Takes a runtime that somebody else keeps.
    #[must_use]
    pub fn on(handle: Handle) -> Self {
        Self { handle, owned: None }
    }

    /// Starts a background runtime of one thread, which ends with this value.
    pub fn own() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("larder-redis")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(
                    ErrorKind::Connection,
                    format!("the background runtime could not start: {error}"),
                )
                .with_source(error)
            })?;
        Ok(Self {
            handle: runtime.handle().clone(),
            owned: Some(runtime),
        })
    }

    /// The runtime.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs `future` on the runtime and waits for it on the calling thread, which may be any but the runtime's own.
    pub fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let (sender, receiver) = sync_channel(1);
        self.handle.spawn(async move {
            let _ = sender.send(future.await);
        });
        receiver
            .recv()
            .map_err(|_| Error::new(ErrorKind::Connection, "the background runtime has ended"))
    }

    /// Polls `future` inside the runtime, whichever executor polls the result.
    ///
    /// # Errors
    ///
    /// A connection error on a thread that is ending, which no runtime can be entered on any more.
    pub fn enter<F: Future>(&self, future: F) -> Entered<'_, F> {
        Entered {
            handle: Some(&self.handle),
            future,
        }
    }

    /// [`enter`](Self::enter) for what needs no runtime around it, and waits for one answer.
    pub(crate) fn pass<F: Future>(future: F) -> Entered<'static, F> {
        Entered { handle: None, future }
    }
}

pin_project! {
    /// A future that is polled inside a runtime.
    #[must_use = "futures do nothing unless polled"]
    pub struct Entered<'a, F> {
        handle: Option<&'a Handle>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Entered<'_, F> {
    type Output = Result<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(handle) = this.handle else {
            // It waits for one thing, which is there when a turn that has ended is begun anew.
            return if has_budget_remaining() {
                this.future.poll(context).map(Ok)
            } else {
                pin!(unconstrained(this.future)).poll(context).map(Ok)
            };
        };
        // A caller may block on this inside a tokio task that has used up its turn. Every wait would then be put off to the
        // task's next turn, which never comes.
        let mut future = pin!(unconstrained(this.future.as_mut()));
        let answer = match Handle::try_current() {
            Ok(current) if current.id() == handle.id() => future.as_mut().poll(context),
            // To enter would panic.
            Err(error) if error.is_thread_local_destroyed() => {
                let message = "the thread that makes the call is ending; make it before its thread-locals are dropped";
                return Poll::Ready(Err(Error::new(ErrorKind::Connection, message)));
            }
            _ => {
                let _entered = handle.enter();
                future.as_mut().poll(context)
            }
        };
        answer.map(Ok)
    }
}

/// Runs jobs where a connection lives. Its timers are those of no runtime.
#[derive(Debug)]
pub(crate) struct Spawner(pub(crate) Handle);

impl larder::Runtime for Spawner {
    fn spawn(&self, job: Job) {
        self.0.spawn(job);
    }
}

/// Tells whether timers and sockets work on a runtime, which its builder decides and its handle does not tell: the
/// first of either panics where they do not.
fn has_drivers(handle: &Handle) -> bool {
    catch_unwind(|| {
        let _entered = handle.enter();
        drop(sleep(Duration::ZERO));
        // A machine that gives out no socket at all says nothing of the runtime.
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0));
        if let Ok(socket) = socket
            && socket.set_nonblocking(true).is_ok()
        {
            drop(UdpSocket::from_std(socket));
        }
    })
    .is_ok()
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.owned.take() {
            // A plain drop waits for the runtime's threads, which panics inside another runtime.
            runtime.shutdown_background();
        }
    }
}
