use std::{
    fmt,
    future::Future,
    sync::{Arc, Weak},
    task::Waker,
    time::Duration,
};

use super::{
    batch::Batch,
    builder::Limits,
    errand::{Errand, ErrandTo},
    expected::Expected,
    hall::{Hall, Queue},
    relay::Relay,
    waiting::Waiting,
    worker::{Seat, work},
};
use crate::{
    clock::{Clock, Sleep},
    error::{Error, ErrorKind, Result},
    runtime::{Job, Runtime},
    sync::{AtomicU64, AtomicUsize, CachePadded, Ordering},
};

/// From so many calls on two batches at once are enough, as far as they hold them.
const MANY: usize = 64;

/// The calls of one kind.
pub(super) struct Lane<B, E: Errand> {
    backend: Arc<B>,
    pub(super) hall: Arc<Hall<E>>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    /// What polls the batches; without one their callers do.
    runtime: Option<Arc<dyn Runtime>>,
    // Each in a line of its own: what is above is read at every call, and these are written at every call or batch.
    calls: CachePadded<AtomicUsize>,
    expected: CachePadded<Expected>,
    pub(super) batches: CachePadded<AtomicU64>,
    pub(super) batched: CachePadded<AtomicU64>,
}

/// A call, from its beginning to its end.
pub(super) struct Call<'a> {
    calls: &'a AtomicUsize,
    /// How many there were when it began.
    before: usize,
}

impl<B, E: Errand> Lane<B, E> {
    pub(super) fn new(
        backend: Arc<B>,
        limits: Limits,
        clock: Arc<dyn Clock>,
        runtime: Option<Arc<dyn Runtime>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            backend,
            hall: Arc::new(Hall::new()),
            limits,
            clock,
            runtime,
            calls: CachePadded::new(AtomicUsize::new(0)),
            expected: CachePadded::default(),
            batches: CachePadded::new(AtomicU64::new(0)),
            batched: CachePadded::new(AtomicU64::new(0)),
        })
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Lets a call in. It goes alone, or is to [`join`](Self::join) a batch.
    pub(super) fn enter(&self) -> Result<Call<'_>> {
        let before = self.calls.fetch_add(1, Ordering::Relaxed);
        let call = Call {
            calls: &self.calls,
            before,
        };
        if before >= self.limits.in_flight {
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!(
                    "{} calls are in flight, as many as max_in_flight allows",
                    self.limits.in_flight
                ),
            )
            .with_operation(E::OPERATION));
        }
        Ok(call)
    }

    /// How long a call may take.
    pub(super) fn deadline(&self) -> Duration {
        self.limits.deadline
    }

    /// Waits for a span by the clock that deadlines are taken from.
    pub(super) fn sleep(&self, span: Duration) -> Sleep {
        self.clock.sleep(span)
    }

    pub(super) fn goes_alone(&self, call: &Call<'_>) -> bool {
        call.before < self.limits.alone
    }

    /// How many batches may be under way.
    ///
    /// Of a few calls some are under way whenever an answer comes. Of many one batch fills while the other is answered:
    /// what a batch costs by itself then weighs more than the time that the store has nothing to do.
    fn width(&self) -> usize {
        let calls = self.calls();
        if calls < MANY {
            return self.limits.batches;
        }
        calls.div_ceil(self.room()).max(2).min(self.limits.batches)
    }

    /// How many calls a batch holds.
    fn room(&self) -> usize {
        self.expected.room(self.limits.bytes, self.limits.calls)
    }

    /// How many of the calls under way a batch should hold.
    fn share(&self) -> usize {
        (self.calls() / self.width()).clamp(1, self.room())
    }

    /// Takes out of `queue` what is to be sent now.
    ///
    /// With nothing under way, whatever there is; else a batch that is worth it, so that the calls of those whose answers
    /// have just come find each other again.
    fn next(&self, queue: &mut Queue<E>) -> Option<Next<E>> {
        while queue.sent.len() < self.width() {
            let (joined, waiting) = {
                let members = queue.unsent.front()?.lock();
                (members.len(), members.waiting())
            };
            let is_full = queue.is_full || queue.unsent.len() > 1;
            let is_due = queue.sent.is_empty() || is_full || joined >= self.share();
            if !is_due {
                return None;
            }
            let batch = queue.unsent.pop_front()?;
            if waiting > 0 {
                queue.sent.push(Arc::clone(&batch));
                let worker = queue.idle.pop();
                return Some(Next { batch, worker });
            }
        }
        None
    }
}

impl<B: Send + Sync + 'static, E: ErrandTo<B>> Lane<B, E> {
    /// Takes a call into the batch that is sent next, once it is polled.
    pub(super) fn join<'a>(self: &'a Arc<Self>, ask: E::Ask<'a>) -> Waiting<'a, B, E> {
        Waiting::new(self, ask)
    }

    /// Takes a call in, for which `waker` waits from now on.
    pub(super) fn take_in(self: &Arc<Self>, ask: E::Ask<'_>, waker: &Waker) -> (Arc<Batch<E>>, usize) {
        let since = self.clock.monotonic();
        let (batch, place, next, begins_watch) = {
            let mut queue = self.hall.lock();
            let batch = match queue.unsent.back() {
                Some(batch) if !queue.is_full => Arc::clone(batch),
                _ => {
                    let batch = Arc::new(Batch::with_capacity(self.share()));
                    queue.unsent.push_back(Arc::clone(&batch));
                    batch
                }
            };
            let place = {
                let mut members = batch.lock();
                let place = members.join(ask, since, waker.clone());
                queue.is_full = members.len() >= self.room() || members.bytes >= self.limits.bytes;
                place
            };
            let next = self.next(&mut queue);
            let begins_watch = !std::mem::replace(&mut queue.is_watched, true);
            (batch, place, next, begins_watch)
        };
        // First, because a runtime that panics as it is given the batch would leave the calls without it.
        if begins_watch {
            self.watch();
        }
        if let Some(next) = next {
            self.send(&next);
        }
        (batch, place)
    }

    /// Begins the job of a batch that was taken out of the queue.
    fn send(self: &Arc<Self>, Next { batch, worker }: &Next<E>) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        if let Some(runtime) = &self.runtime {
            let is_taken = worker.as_ref().is_some_and(|worker| worker.give(batch));
            if !is_taken {
                runtime.spawn(Box::pin(work(self, batch)));
            }
        } else {
            let mut flight = Flight::new(Arc::clone(self), Arc::clone(batch));
            let job: Job = Box::pin(async move {
                let asks = flight.begin();
                let answers = flight.run(asks).await;
                flight.land(answers);
            });
            let relay = Relay::new(job, Arc::downgrade(&self.hall));
            let _ = batch.relay.set(relay);
            self.hall.ring();
        }
        // Who left last before that could not know of it.
        if batch.lock().waiting() == 0 {
            batch.give_up();
        }
    }

    /// Takes a batch out that has come to its end, and sends those it made room for.
    fn landed(self: &Arc<Self>, batch: &Arc<Batch<E>>) {
        let mut queue = self.hall.lock();
        queue.sent.retain(|sent| !Arc::ptr_eq(sent, batch));
        // A runtime that has ended drops what it is given, which lands in there: whoever is sending goes on with it, or
        // each would be sent from inside the one before it.
        if std::mem::replace(&mut queue.is_landing, true) {
            return;
        }
        let landing = Landing(&self.hall);
        while let Some(next) = self.next(&mut queue) {
            drop(queue);
            self.send(&next);
            queue = self.hall.lock();
        }
        queue.is_landing = false;
        drop(queue);
        std::mem::forget(landing);
    }

    /// Takes in a worker that has run its batch, for the next one. Answers whether it is to stay.
    pub(super) fn rest(&self, worker: &Arc<Seat<E>>) -> bool {
        let mut queue = self.hall.lock();
        let stays = queue.idle.len() < self.limits.batches;
        if stays {
            queue.idle.push(Arc::clone(worker));
        }
        stays
    }

    /// Watches the deadlines for as long as anyone waits.
    fn watch(&self) {
        let hall = Arc::downgrade(&self.hall);
        let (clock, deadline) = (Arc::clone(&self.clock), self.limits.deadline);
        let mut unwatched = Unwatched(Some(Weak::clone(&hall)));
        let job: Job = Box::pin(async move {
            loop {
                let next = {
                    let Some(hall) = hall.upgrade() else { return };
                    let mut queue = hall.lock();
                    let Some(oldest) = Hall::oldest(&queue) else {
                        unwatched.disarm();
                        queue.is_watched = false;
                        queue.watch = None;
                        return;
                    };
                    oldest + deadline
                };
                clock.sleep(next.saturating_sub(clock.monotonic())).await;
                let now = clock.monotonic();
                let Some(hall) = hall.upgrade() else { return };
                hall.expire(|since| (since + deadline <= now).then(|| overdue::<E>(deadline)));
            }
        });
        if let Some(runtime) = &self.runtime {
            runtime.spawn(job);
        } else {
            self.hall.lock().watch = Some(Relay::new(job, Arc::downgrade(&self.hall)));
            self.hall.ring();
        }
    }
}

#[cold]
pub(super) fn overdue<E: Errand>(deadline: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("no answer within {deadline:?}")).with_operation(E::OPERATION)
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A batch that is to be sent, and who runs it, where one has nothing to do.
struct Next<E: Errand> {
    batch: Arc<Batch<E>>,
    worker: Option<Arc<Seat<E>>>,
}

/// A batch under way. Dropped before its end, it leaves nobody without an answer.
pub(super) struct Flight<B: Send + Sync + 'static, E: ErrandTo<B>> {
    pub(super) lane: Arc<Lane<B, E>>,
    pub(super) batch: Arc<Batch<E>>,
    places: Vec<usize>,
    has_landed: bool,
}

impl<B: Send + Sync + 'static, E: ErrandTo<B>> Flight<B, E> {
    pub(super) fn new(lane: Arc<Lane<B, E>>, batch: Arc<Batch<E>>) -> Self {
        Self {
            lane,
            batch,
            places: Vec::new(),
            has_landed: false,
        }
    }

    /// What is asked by all who still wait. Only when they are asked for: who has left before that may have written the
    /// same key since.
    pub(super) fn begin(&mut self) -> E {
        let (asks, places) = self.batch.send();
        self.lane.batched.fetch_add(places.len() as u64, Ordering::Relaxed);
        self.places = places;
        asks
    }

    /// Asks for all of them.
    pub(super) fn run(&self, asks: E) -> impl Future<Output = Vec<Result<E::Answer>>> + Send {
        let (backend, now) = (Arc::clone(&self.lane.backend), self.lane.clock.monotonic());
        asks.run(&self.places, now, backend)
    }

    pub(super) fn land(&mut self, answers: Vec<Result<E::Answer>>) {
        self.has_landed = true;
        self.lane.expected.learn::<E>(&answers, self.lane.limits.bytes);
        let mut wakers = Vec::with_capacity(self.places.len());
        self.batch.answer(&self.places, answers, &mut wakers);
        self.lane.landed(&self.batch);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<B: Send + Sync + 'static, E: ErrandTo<B>> Drop for Flight<B, E> {
    fn drop(&mut self) {
        if self.has_landed {
            return;
        }
        let mut wakers = Vec::new();
        // Most often because nobody had the time to wait.
        self.lane.expected.learn_late(self.places.len(), self.lane.limits.bytes);
        // It panicked, or what ran it has ended.
        let kind = if std::thread::panicking() {
            ErrorKind::Server
        } else {
            ErrorKind::Connection
        };
        let error = Error::new(kind, "the batch of this call has ended without an answer");
        self.batch.fail(&error.with_operation(E::OPERATION), &mut wakers);
        self.lane.landed(&self.batch);
        wakers.into_iter().for_each(Waker::wake);
        // Whoever was to poll the others may be the one that ends here.
        self.lane.hall.ring();
        self.lane.hall.wake_all();
    }
}

/// Lets others send, where a runtime panics as it is given a batch.
struct Landing<'a, E: Errand>(&'a Hall<E>);

impl<E: Errand> Drop for Landing<'_, E> {
    fn drop(&mut self) {
        self.0.lock().is_landing = false;
    }
}

/// Lets the next call begin a watch anew, where this one is dropped before its end.
struct Unwatched<E: Errand>(Option<Weak<Hall<E>>>);

impl<E: Errand> Unwatched<E> {
    fn disarm(&mut self) {
        self.0 = None;
    }
}

impl<E: Errand> Drop for Unwatched<E> {
    fn drop(&mut self) {
        if let Some(hall) = self.0.take().and_then(|hall| hall.upgrade()) {
            hall.lock().is_watched = false;
        }
    }
}

impl<B: fmt::Debug, E: Errand> fmt::Debug for Lane<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}
