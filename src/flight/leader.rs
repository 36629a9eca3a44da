use bytes::Bytes;

use super::table::{Flight, Flights, Landing, Phase};
use crate::sync::Arc;

/// The one call that runs the load of a flight. Dropping it hands the flight over, or ends it.
#[derive(Debug)]
pub(crate) struct Leader {
    flights: Flights,
    flight: Arc<Flight>,
    is_instead_of_waiting: bool,
    is_done: bool,
}

impl Leader {
    pub(super) fn new(flights: Flights, flight: Arc<Flight>) -> Self {
        Self {
            flights,
            flight,
            is_instead_of_waiting: false,
            is_done: false,
        }
    }

    /// Says whether it leads because the flight that it took the place of would be waited for in vain.
    pub(super) fn instead_of_waiting(mut self, is: bool) -> Self {
        self.is_instead_of_waiting = is;
        self
    }

    /// Tells whether a load that is under way would be waited for in vain, in the store as well as here.
    pub(crate) fn is_instead_of_waiting(&self) -> bool {
        self.is_instead_of_waiting
    }

    pub(super) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// What the flight fills against; one that took over finds its predecessor's.
    pub(crate) fn fence(&self) -> Option<Bytes> {
        self.flight.state.lock().fence.clone()
    }

    /// The marker that this flight has in the key, or may have: a predecessor may have gone before it was answered.
    pub(crate) fn placed(&self) -> Option<Bytes> {
        self.flight.state.lock().placed.clone()
    }

    /// Says that a marker that begins with `placed` is about to be sent. Whatever happens to this call, somebody will
    /// release it.
    pub(crate) fn attempt(&self, placed: Bytes) {
        let earlier = self.flight.state.lock().placed.replace(placed);
        self.flights.abandon(&self.flight.key, earlier);
    }

    /// Fills against `fence`, which the store has acknowledged. Calls that see it standing may share the flight.
    pub(crate) fn fill_against(&self, fence: Bytes) {
        self.flight.state.lock().fence = Some(fence);
    }

    /// Says that there is no marker to release any more: it was filled, released, or never placed.
    pub(crate) fn settle(&self) {
        self.flight.state.lock().placed = None;
    }

    /// Notes the entry whose lease the flight holds now, as it was last written; `None` where it holds none any more.
    pub(crate) fn hold(&self, entry: Option<Bytes>) {
        self.flight.state.lock().held = entry;
    }

    /// The entry whose lease the flight holds; one that took over finds its predecessor's.
    pub(crate) fn held(&self) -> Option<Bytes> {
        self.flight.state.lock().held.clone()
    }

    /// Says that the load begins now. Calls made later share it only if they see its fence.
    pub(crate) fn begin(&self) {
        let load = self.flights.begin();
        self.flight.state.lock().load = Some(load);
    }

    /// Tells whether an invalidation in this process has forbidden to store what is loaded.
    pub(crate) fn is_voided(&self) -> bool {
        self.flight.state.lock().voided
    }

    /// Gives every follower the outcome. One that landed a value stays in the table until
    /// the leader is dropped.
    pub(crate) fn land(&mut self, landing: Landing) {
        if !matches!(landing, Landing::Entry(_)) {
            // The next call loads again, and does not wait for what the leader has still to clear away.
            self.flights.remove(&self.flight);
        }
        let wakers = {
            let mut state = self.flight.state.lock();
            state.phase = Phase::Landed(landing);
            state.waiting.take_all()
        };
        self.is_done = true;
        wakers.for_each(std::task::Waker::wake);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.is_done {
            self.flights.remove(&self.flight);
            let placed = self.flight.state.lock().placed.take();
            self.flights.abandon(&self.flight.key, placed);
        } else {
            hand_over(&self.flights, &self.flight);
        }
    }
}

/// Wakes one follower to take over a flight that has no leader; where nobody waits, the flight is over.
pub(super) fn hand_over(flights: &Flights, flight: &Arc<Flight>) {
    // The table first, as everywhere, and held throughout: nobody boards between the look and the removal.
    let mut table = flights.lock_table();
    let mut state = flight.state.lock();
    if state.waiting.is_empty() {
        state.phase = Phase::Landed(Landing::Nothing);
        if table.get(&flight.key).is_some_and(|there| Arc::ptr_eq(there, flight)) {
            table.remove(&flight.key);
        }
        flights.abandon(&flight.key, state.placed.take());
        return;
    }
    state.phase = Phase::Vacant;
    let first = state.waiting.first();
    drop(state);
    drop(table);
    if let Some(waker) = first {
        waker.wake();
    }
}
