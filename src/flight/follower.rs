use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::Shared};

use super::{
    leader::{Leader, hand_over},
    place::Place,
    table::{Flight, Flights, Landing, Phase},
    waits::Waits,
};
use crate::{
    clock::{Clock, Sleep},
    sync::Arc,
};

/// A call that waits for a flight another one leads. Resolves to its landing, or to the lead of it.
#[derive(Debug)]
pub(crate) struct Follower {
    flights: Flights,
    flight: Arc<Flight>,
    number: u64,
    /// Gone with the wait.
    waits: Option<Waits>,
    has_left: bool,
}

/// What a follower's wait came to.
#[derive(Debug)]
pub(crate) enum Arrival {
    Landed(Landing),
    /// The leader is gone, and this call leads in its place.
    TakeOver(Leader),
}

impl Follower {
    pub(super) fn new(flights: Flights, flight: Arc<Flight>, number: u64, waits: Waits) -> Self {
        Self {
            flights,
            flight,
            number,
            waits: Some(waits),
            has_left: false,
        }
    }

    /// Ends when this call has waited for `wait`, or a little sooner: those that wait as long share the timer of the
    /// first, because a timer for each of ten thousand costs more than the rest of their wait.
    pub(crate) fn bound(&self, wait: Duration, clock: &dyn Clock) -> Shared<Sleep> {
        let mut state = self.flight.state.lock();
        match &state.bound {
            Some((shared, bound)) if *shared == wait && bound.peek().is_none() => bound.clone(),
            _ => {
                let bound = clock.sleep(wait).shared();
                state.bound = Some((wait, bound.clone()));
                bound
            }
        }
    }

    /// Takes the flight out of the table, so that this call and others like it can lead or share a newer one.
    pub(crate) fn give_up(self) {
        self.flights.displace(&self.flight);
    }
}

impl Future for Follower {
    type Output = Arrival;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Arrival> {
        let flight = Arc::clone(&self.flight);
        let mut state = flight.state.lock();
        let arrival = match &state.phase {
            Phase::Led => {
                state.waiting.wait(self.number, cx.waker());
                return Poll::Pending;
            }
            Phase::Landed(landing) => Arrival::Landed(landing.clone()),
            Phase::Vacant => {
                state.phase = Phase::Led;
                state.place = Place::here();
                Arrival::TakeOver(Leader::new(self.flights.clone(), Arc::clone(&flight)))
            }
        };
        state.waiting.remove(self.number);
        drop(state);
        self.waits = None;
        self.has_left = true;
        Poll::Ready(arrival)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.has_left {
            return;
        }
        let is_vacant = {
            let mut state = self.flight.state.lock();
            state.waiting.remove(self.number);
            matches!(state.phase, Phase::Vacant)
        };
        // This may have been the one that was woken to take over.
        if is_vacant {
            hand_over(&self.flights, &self.flight);
        }
    }
}
