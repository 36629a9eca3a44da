use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use crate::flight::Blocked;

thread_local! {
    /// The parker of this thread, while no wait of its own has it.
    static IDLE: Cell<Option<Arc<Parker>>> = const { Cell::new(None) };
}

/// Puts one wait of a thread to sleep. Waits inside waits have one each: they share the thread's token, but not the
/// word that says who was meant.
struct Parker {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Parker {
    fn wait(&self) {
        while !self.is_woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// Runs `future` to its end on this thread, which sleeps while there is nothing to do.
///
/// Unlike the executor of the futures crate this may be called inside itself: the loader of a blocking call is polled
/// by the call, and may make another.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    // A thread that is ending has no locals any more, and still gets its answer.
    let idle = IDLE.try_with(Cell::take).ok().flatten();
    let parker = idle.unwrap_or_else(|| {
        Arc::new(Parker {
            thread: thread::current(),
            is_woken: AtomicBool::new(false),
        })
    });
    let waker = Waker::from(Arc::clone(&parker));
    let mut future = pin!(future);
    let blocked = Blocked::begin();
    let output = loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => break output,
            Poll::Pending => parker.wait(),
        }
    };
    drop(blocked);
    let _ = IDLE.try_with(|idle| idle.set(Some(parker)));
    output
}

#[cfg(test)]
mod tests {
    use futures::channel::oneshot;

    use super::*;

    #[test]
    fn a_wait_inside_a_wait_leaves_the_outer_one_its_wake() {
        let (outer, outer_wait) = oneshot::channel();
        let (inner, inner_wait) = oneshot::channel();
        let (waits, is_waiting) = std::sync::mpsc::channel();
        let answers = thread::spawn(move || {
            block_on(async {
                let mut outer_wait = outer_wait;
                assert!(futures::poll!(&mut outer_wait).is_pending());
                waits.send(()).unwrap();
                let inner = block_on(inner_wait).unwrap();
                (inner, outer_wait.await.unwrap())
            })
        });
        is_waiting.recv().unwrap();
        // The outer wake arrives while the inner wait has the thread.
        outer.send("outer").unwrap();
        inner.send("inner").unwrap();
        assert_eq!(answers.join().unwrap(), ("inner", "outer"));
    }

    #[test]
    fn a_wake_of_an_earlier_wait_disturbs_no_later_one() {
        let mut earlier = None;
        block_on(std::future::poll_fn(|cx| {
            earlier = Some(cx.waker().clone());
            Poll::Ready(())
        }));
        earlier.unwrap().wake();
        let (sender, receiver) = oneshot::channel();
        let sending = thread::spawn(|| sender.send(5).unwrap());
        assert_eq!(block_on(receiver), Ok(5));
        sending.join().unwrap();
    }

    #[test]
    fn a_panic_passes_through_and_the_thread_can_wait_again() {
        let panicked = std::panic::catch_unwind(|| block_on(async { panic!("on purpose") }));
        assert!(panicked.is_err());
        assert_eq!(block_on(async { 1 }), 1);
    }
}
