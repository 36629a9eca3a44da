use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts threads and waits of all kinds; none has the number 0.
static NUMBERED: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The number of this thread; 0 while it has none.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    /// The blocking wait that this thread is in, the innermost; 0 outside of all.
    static WAIT: Cell<u64> = const { Cell::new(0) };
}

/// Where a load is polled: a thread, and the blocking wait that it is in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    thread: u64,
    wait: u64,
}

impl Place {
    /// The place of the calling code.
    pub(super) fn here() -> Self {
        let thread = match THREAD.get() {
            0 => {
                let number = next();
                THREAD.set(number);
                number
            }
            number => number,
        };
        Self {
            thread,
            wait: WAIT.get(),
        }
    }

    pub(super) fn thread(self) -> u64 {
        self.thread
    }

    /// The blocking wait; 0 outside of all.
    pub(super) fn wait(self) -> u64 {
        self.wait
    }

    /// The thread, where it can poll nothing else before the calling code is done.
    pub(super) fn thread_if_blocked(self) -> Option<u64> {
        (self.wait != 0).then_some(self.thread)
    }

    /// Tells whether nobody would poll a load that was polled here last, were the calling code to wait for it: the
    /// thread blocks, and gets back to the load only when it is done waiting.
    pub(super) fn would_starve(self) -> bool {
        let here = Self::here();
        here.wait != 0 && here.thread == self.thread && here.wait != self.wait
    }
}

/// Marks the calling thread as blocked while it lives.
#[derive(Debug)]
pub(crate) struct Blocked {
    outer: u64,
}

impl Blocked {
    pub(crate) fn begin() -> Self {
        Self {
            outer: WAIT.replace(next()),
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        WAIT.set(self.outer);
    }
}

pub(super) fn next() -> u64 {
    NUMBERED.fetch_add(1, Ordering::Relaxed)
}
