//! Tasks that run batches, one after the other.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Weak},
    task::{Poll, Waker},
};

use super::{
    batch::Batch,
    errand::{Errand, ErrandTo},
    lane::{Flight, Lane},
};
use crate::sync::Mutex;

/// Where a worker is given its batches.
///
/// It stays when it has ended one: a task for each batch is memory that one thread asks for and another gives back, on which
/// the allocator makes them wait for each other.
pub(super) struct Seat<E: Errand> {
    state: Mutex<State<E>>,
}

struct State<E: Errand> {
    batch: Option<Arc<Batch<E>>>,
    worker: Option<Waker>,
    is_closed: bool,
}

impl<E: Errand> Seat<E> {
    fn with(batch: Arc<Batch<E>>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                batch: Some(batch),
                worker: None,
                is_closed: false,
            }),
        })
    }

    /// Gives a batch to a worker that has none. Answers whether there is one still.
    pub(super) fn give(&self, batch: &Arc<Batch<E>>) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            return false;
        }
        state.batch = Some(Arc::clone(batch));
        let worker = state.worker.take();
        drop(state);
        worker.into_iter().for_each(Waker::wake);
        true
    }

    /// Lets the worker go, and takes what it has not begun.
    pub(super) fn close(&self) -> Option<Arc<Batch<E>>> {
        let mut state = self.state.lock();
        state.is_closed = true;
        let (batch, worker) = (state.batch.take(), state.worker.take());
        drop(state);
        worker.into_iter().for_each(Waker::wake);
        batch
    }

    /// Waits for a batch, or for the end.
    fn next(&self) -> impl Future<Output = Option<Arc<Batch<E>>>> {
        poll_fn(|context| {
            let mut state = self.state.lock();
            if let Some(batch) = state.batch.take() {
                return Poll::Ready(Some(batch));
            }
            if state.is_closed {
                return Poll::Ready(None);
            }
            let former = state.worker.replace(context.waker().clone());
            drop(state);
            drop(former);
            Poll::Pending
        })
    }
}

/// Runs a batch, and those that it is given after that.
pub(super) fn work<B, E>(lane: &Arc<Lane<B, E>>, first: &Arc<Batch<E>>) -> impl Future<Output = ()> + Send + use<B, E>
where
    B: Send + Sync + 'static,
    E: ErrandTo<B>,
{
    // Made here, because a runtime may drop it before its first poll.
    let seated = Seated {
        lane: Arc::downgrade(lane),
        seat: Seat::with(Arc::clone(first)),
    };
    async move {
        while let Some(batch) = seated.seat.next().await {
            let Some(lane) = seated.lane.upgrade() else { return };
            let mut flight = Flight::new(lane, batch);
            let answers = {
                let asks = flight.begin();
                let mut run = pin!(flight.run(asks));
                poll_fn(|context| {
                    if flight.batch.is_given_up(context.waker()) {
                        return Poll::Ready(None);
                    }
                    run.as_mut().poll(context).map(Some)
                })
                .await
            };
            // Before it lands, so that what that makes room for may come here.
            let stays = flight.lane.rest(&seated.seat);
            match answers {
                Some(answers) => flight.land(answers),
                None => drop(flight),
            }
            if !stays {
                return;
            }
        }
    }
}

/// A worker's hold on its seat, which it leaves when it ends or its runtime does.
struct Seated<B, E: Errand>
where
    B: Send + Sync + 'static,
    E: ErrandTo<B>,
{
    lane: Weak<Lane<B, E>>,
    seat: Arc<Seat<E>>,
}

impl<B, E> Drop for Seated<B, E>
where
    B: Send + Sync + 'static,
    E: ErrandTo<B>,
{
    fn drop(&mut self) {
        if let (Some(batch), Some(lane)) = (self.seat.close(), self.lane.upgrade()) {
            // Its callers are told.
            drop(Flight::new(lane, batch));
        }
    }
}
