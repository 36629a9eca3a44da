//! Who waits for which flight, so that no ring of loads waits for itself.
//!
//! Only two kinds of wait can close a ring, and only those are kept: one made from inside a load, which that load then
//! waits for, and one that blocks its thread, which whatever that thread should poll then waits for. Whoever closes a
//! ring boards last, and sees it.

use std::collections::BTreeMap;

use parking_lot::Mutex as StdMutex;

use super::{
    loading,
    place::{self, Place},
    table::{Flight, Phase},
};
use crate::sync::Arc;

/// The flights that loads and threads wait for, in the whole process: a ring may lead through several caches. It is
/// locked before the state of any flight, and after the table of one's own.
static AWAITED: StdMutex<BTreeMap<Waiter, Vec<Await>>> = StdMutex::new(BTreeMap::new());

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Waiter {
    /// A load, by the address of its flight.
    Load(usize),
    /// A thread, by its number.
    Thread(u64),
}

#[derive(Debug)]
struct Await {
    number: u64,
    /// The blocking wait of the thread, the inner ones with the higher numbers.
    wait: u64,
    flight: Arc<Flight>,
}

/// One wait for a flight, for as long as it lives.
#[derive(Debug)]
pub(super) struct Waits {
    number: u64,
    waiters: Vec<Waiter>,
}

impl Waits {
    /// Notes that the calling code is about to wait for `flight`; `None` where `flight` itself waits for that code.
    pub(super) fn begin(flight: &Arc<Flight>) -> Option<Self> {
        let here = Place::here();
        let loads = loading::polled();
        let thread = here.thread_if_blocked();
        if loads.is_empty() && thread.is_none() {
            return Some(Self {
                number: 0,
                waiters: Vec::new(),
            });
        }
        let mut awaited = AWAITED.lock();
        if closes_a_ring(&awaited, flight, &loads) {
            return None;
        }
        let number = place::next();
        let loads = loads.into_iter().map(Waiter::Load);
        let waiters: Vec<Waiter> = loads.chain(thread.map(Waiter::Thread)).collect();
        for waiter in &waiters {
            awaited.entry(*waiter).or_default().push(Await {
                number,
                wait: here.wait(),
                flight: Arc::clone(flight),
            });
        }
        Some(Self { number, waiters })
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if self.waiters.is_empty() {
            return;
        }
        let mut over = Vec::with_capacity(self.waiters.len());
        let mut awaited = AWAITED.lock();
        for waiter in &self.waiters {
            let Some(of_waiter) = awaited.get_mut(waiter) else {
                continue;
            };
            if let Some(at) = of_waiter.iter().position(|wait| wait.number == self.number) {
                over.push(of_waiter.swap_remove(at));
            }
            if of_waiter.is_empty() {
                awaited.remove(waiter);
            }
        }
        drop(awaited);
        // A flight ends outside of the lock: with it go wakers and timers of whoever made them.
        drop(over);
    }
}

/// Tells whether `flight` waits, over whatever many others, for one of `loads` or for the calling thread.
fn closes_a_ring(awaited: &BTreeMap<Waiter, Vec<Await>>, flight: &Arc<Flight>, loads: &[usize]) -> bool {
    let mut seen: Vec<usize> = Vec::new();
    let mut open = vec![flight];
    while let Some(flight) = open.pop() {
        let address = loading::address(flight);
        if seen.contains(&address) {
            continue;
        }
        seen.push(address);
        let place = {
            let state = flight.state.lock();
            if !matches!(state.phase, Phase::Led) {
                continue;
            }
            state.place
        };
        if loads.contains(&address) || place.would_starve() {
            return true;
        }
        if let Some(of_load) = awaited.get(&Waiter::Load(address)) {
            open.extend(of_load.iter().map(|wait| &wait.flight));
        }
        if let Some(of_thread) = awaited.get(&Waiter::Thread(place.thread())) {
            // The thread gets back to the load when every wait inside of the load's own is over.
            let inner = of_thread.iter().filter(|wait| wait.wait > place.wait());
            open.extend(inner.map(|wait| &wait.flight));
        }
    }
    false
}
