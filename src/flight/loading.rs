use std::{
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use super::{leader::Leader, place::Place, table::Flight};
use crate::sync::Arc;

thread_local! {
    /// The flights whose loads this thread is polling right now, the innermost last.
    static POLLED: RefCell<Vec<*const Flight>> = const { RefCell::new(Vec::new()) };
}

/// Tells whether the calling code was polled by the load of `flight`.
pub(super) fn is_loading(flight: &Arc<Flight>) -> bool {
    let is_polled = |polled: &RefCell<Vec<_>>| polled.borrow().contains(&Arc::as_ptr(flight));
    // A thread that is ending has no locals any more.
    POLLED.try_with(is_polled).unwrap_or(false)
}

/// The loads that poll the calling code, by the addresses of their flights.
pub(super) fn polled() -> Vec<usize> {
    let addresses = |polled: &RefCell<Vec<*const Flight>>| polled.borrow().iter().map(|flight| flight.addr()).collect();
    POLLED.try_with(addresses).unwrap_or_default()
}

/// By what a flight is told from others while it lives.
pub(super) fn address(flight: &Arc<Flight>) -> usize {
    Arc::as_ptr(flight).addr()
}

/// A load while it runs: calls made from inside it know its flight, and a panic comes out as `None`.
pub(crate) struct Loading<F> {
    flights: Vec<Arc<Flight>>,
    // Boxed because a future can not be pinned inside a struct without unsafe code, and a load is the slow path.
    load: Pin<Box<F>>,
}

impl<F: Future> Loading<F> {
    /// The load that all of `leaders` run together.
    pub(crate) fn new<'l>(leaders: impl IntoIterator<Item = &'l Leader>, load: F) -> Self {
        Self {
            flights: leaders.into_iter().map(|leader| Arc::clone(leader.flight())).collect(),
            load: Box::pin(load),
        }
    }
}

impl<F: Future> Future for Loading<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let here = Place::here();
        for flight in &self.flights {
            flight.state.lock().place = here;
        }
        let outer = POLLED.try_with(|polled| {
            let mut polled = polled.borrow_mut();
            let outer = polled.len();
            polled.extend(self.flights.iter().map(Arc::as_ptr));
            outer
        });
        // What a panic leaves broken belongs to the loader, which is not polled again.
        let poll = catch_unwind(AssertUnwindSafe(|| self.load.as_mut().poll(cx)));
        if let Ok(outer) = outer {
            let _ = POLLED.try_with(|polled| polled.borrow_mut().truncate(outer));
        }
        match poll {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}
