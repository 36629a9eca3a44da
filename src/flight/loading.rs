use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures::FutureExt;

use super::{leader::Leader, sync::Arc, table::Flight};

thread_local! {
    /// The flights whose loads this thread is polling right now, the innermost last.
    static POLLED: RefCell<Vec<*const Flight>> = const { RefCell::new(Vec::new()) };
}

/// Tells whether the calling code was polled by the load of `flight`.
pub(super) fn is_loading(flight: &Arc<Flight>) -> bool {
    POLLED.with_borrow(|polled| polled.contains(&Arc::as_ptr(flight)))
}

/// A load while it runs: knows its flight to calls made from inside, and turns a panic into `None`.
#[derive(Debug)]
pub(crate) struct Loading<F> {
    flight: Arc<Flight>,
    load: F,
}

impl<F: Future> Loading<F> {
    pub(crate) fn new(leader: &Leader<'_>, load: F) -> Loading<Pin<Box<F>>> {
        Loading {
            flight: Arc::clone(leader.flight()),
            load: Box::pin(load),
        }
    }
}
