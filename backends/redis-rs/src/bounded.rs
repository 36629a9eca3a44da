//! Deadlines that pass whether or not somebody polls.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture, task::AtomicWaker};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::error::Failure;

/// A command under way, which its deadline takes away from a caller that does not poll it.
///
/// The redis crate writes what is in its queue for as long as the future of the command is there. A caller that polls once
/// and then keeps its future would otherwise have its write sent whenever the socket takes it, however much later.
struct Held<T> {
    command: Mutex<Option<BoxFuture<'static, T>>>,
    deadline: Instant,
    caller: AtomicWaker,
}

impl<T> Held<T> {
    fn give_up(&self) {
        // Dropped behind the lock.
        let command = self.command.lock().take();
        drop(command);
    }
}

/// Wakes by the timer, on the thread of the runtime.
impl<T> Wake for Held<T> {
    fn wake(self: Arc<Self>) {
        // A runtime that ends wakes its timers early.
        if Instant::now() >= self.deadline {
            self.give_up();
        }
        self.caller.wake();
    }
}

/// Waits for a command for `limit` at the most, and drops it then: polled or not.
pub(crate) async fn bounded<T, F>(limit: Duration, command: F) -> Result<T, Failure>
where
    T: 'static,
    F: Future<Output = T> + Send + 'static,
{
    // The first poll would put it into the queue, from where it may go out before it is taken back.
    if limit.is_zero() {
        return Err(Failure::Late);
    }
    let deadline = Instant::now() + limit;
    let held = Arc::new(Held {
        command: Mutex::new(Some(command.boxed())),
        deadline,
        caller: AtomicWaker::new(),
    });
    let timer = Waker::from(Arc::clone(&held));
    let mut passed = pin!(sleep_until(deadline));
    poll_fn(|context| {
        held.caller.register(context.waker());
        let mut command = held.command.lock();
        let Some(running) = command.as_mut() else {
            return Poll::Ready(Err(Failure::Late));
        };
        if let Poll::Ready(answer) = running.poll_unpin(context) {
            *command = None;
            return Poll::Ready(Ok(answer));
        }
        // The timer takes this lock.
        drop(command);
        if passed.as_mut().poll(&mut Context::from_waker(&timer)).is_ready() {
            held.give_up();
            return Poll::Ready(Err(Failure::Late));
        }
        Poll::Pending
    })
    .await
}
