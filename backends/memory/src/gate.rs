use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

/// A closed gate in front of a backend: the calls it holds wait until it is released or dropped.
///
/// Made by [`Faults::hold`](crate::Faults::hold). No timer is involved, so a test decides the order of events.
///
/// # Examples
///
/// ```
/// use futures::{executor::block_on, join};
/// use larder::CacheBackend;
/// use larder_memory::MemoryBackend;
///
/// let backend = MemoryBackend::new();
/// let gate = backend.faults().hold();
/// let read = backend.get("k");
/// let test = async {
///     gate.wait_for(1).await;
///     assert_eq!(gate.waiting(), 1);
///     gate.release();
/// };
/// let (entry, ()) = block_on(async { join!(read, test) });
/// assert!(entry.unwrap().is_none());
/// ```
#[derive(Debug)]
#[must_use = "a gate that is dropped is open"]
pub struct Gate {
    state: Arc<GateState>,
}

impl Gate {
    pub(crate) fn new(state: Arc<GateState>) -> Self {
        Self { state }
    }

    /// Opens the gate: every call that waits at it goes on. The same as dropping it.
    pub fn release(self) {
        drop(self);
    }

    /// The number of calls that wait at the gate now. A call that was dropped no longer waits.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state.inside.lock().waiting.len()
    }

    /// Waits until at least `calls` calls wait at the gate.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn wait_for(&self, calls: usize) {
        poll_fn(|cx| {
            let mut inside = self.state.inside.lock();
            if inside.waiting.len() >= calls {
                return Poll::Ready(());
            }
            if !inside.watchers.iter().any(|watcher| watcher.will_wake(cx.waker())) {
                inside.watchers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let (waiting, watchers) = {
            let mut inside = self.state.inside.lock();
            inside.is_open = true;
            (
                std::mem::take(&mut inside.waiting),
                std::mem::take(&mut inside.watchers),
            )
        };
        waiting.into_values().chain(watchers).for_each(Waker::wake);
    }
}

#[derive(Debug, Default)]
pub(crate) struct GateState {
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    is_open: bool,
    next_ticket: u64,
    waiting: BTreeMap<u64, Waker>,
    watchers: Vec<Waker>,
}

impl GateState {
    pub(crate) fn is_open(&self) -> bool {
        self.inside.lock().is_open
    }

    pub(crate) async fn pass(&self) {
        let mut ticket = Ticket {
            gate: self,
            number: None,
        };
        poll_fn(|cx| ticket.poll(cx)).await;
    }
}

/// A place at a gate, given up when the call that holds it is dropped.
struct Ticket<'a> {
    gate: &'a GateState,
    number: Option<u64>,
}

impl Ticket<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inside = self.gate.inside.lock();
        if inside.is_open {
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert(inside.next_ticket);
        inside.next_ticket = inside.next_ticket.max(number + 1);
        if inside.waiting.insert(number, cx.waker().clone()).is_none() {
            let watchers = std::mem::take(&mut inside.watchers);
            drop(inside);
            watchers.into_iter().for_each(Waker::wake);
        }
        Poll::Pending
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.gate.inside.lock().waiting.remove(&number);
        }
    }
}
