use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::future::abortable;

use super::{
    batch::{Answer, Batch},
    errand::{Errand, ErrandTo},
    hall::{Hall, Queue},
    relay::Relay,
};
use crate::{
    clock::{Clock, Sleep},
    error::{Error, ErrorKind, Result},
    runtime::{Job, Runtime},
    sync::{AtomicU64, AtomicUsize, Ordering},
};

/// From so many calls on two batches at once are enough, as far as they hold them.
const MANY: usize = 64;

/// How calls are put together.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// This many calls go through alone; those beyond them go in batches.
    pub(super) alone: usize,
    pub(super) calls: usize,
    pub(super) bytes: usize,
    pub(super) batches: usize,
    pub(super) in_flight: usize,
    pub(super) deadline: Duration,
}

/// The calls of one kind.
pub(super) struct Lane<B, E: Errand> {
    backend: Arc<B>,
    hall: Arc<Hall<E>>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    /// What polls the batches; without one their callers do.
    runtime: Option<Arc<dyn Runtime>>,
    calls: AtomicUsize,
    pub(super) batches: AtomicU64,
    pub(super) batched: AtomicU64,
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
            calls: AtomicUsize::new(0),
            batches: AtomicU64::new(0),
            batched: AtomicU64::new(0),
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
        calls.div_ceil(self.limits.calls).max(2).min(self.limits.batches)
    }

    /// How many of the calls under way a batch should hold.
    fn share(&self) -> usize {
        (self.calls() / self.width()).clamp(1, self.limits.calls)
    }

    /// Takes out of `queue` what is to be sent now.
    ///
    /// With nothing under way, whatever there is; else a batch that is worth it, so that the calls of those whose answers
    /// have just come find each other again.
    fn next(&self, queue: &mut Queue<E>) -> Option<Arc<Batch<E>>> {
        while queue.sent.len() < self.width() {
            let (joined, waiting) = {
                let members = queue.unsent.front()?.lock();
                (members.len(), members.waiting())
            };
            let is_due = queue.sent.is_empty() || queue.unsent.len() > 1 || joined >= self.share();
            if !is_due {
                return None;
            }
            let batch = queue.unsent.pop_front()?;
            if waiting > 0 {
                queue.sent.push(Arc::clone(&batch));
                return Some(batch);
            }
        }
        None
    }
}

impl<B: Send + Sync + 'static, E: ErrandTo<B>> Lane<B, E> {
    /// Takes a call into the batch that is sent next, once it is polled.
    pub(super) fn join<'a>(self: &'a Arc<Self>, ask: E::Ask<'a>) -> Waiting<'a, B, E> {
        Waiting {
            lane: self,
            stage: Stage::Outside(ask),
        }
    }

    /// Takes a call in, for which `waker` waits from now on.
    fn take_in(self: &Arc<Self>, ask: E::Ask<'_>, waker: &Waker) -> (Arc<Batch<E>>, usize) {
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
                queue.is_full = members.len() >= self.limits.calls || members.bytes >= self.limits.bytes;
                place
            };
            let next = self.next(&mut queue);
            let begins_watch = !std::mem::replace(&mut queue.is_watched, true);
            (batch, place, next, begins_watch)
        };
        if let Some(next) = next {
            self.send(&next);
        }
        if begins_watch {
            self.watch();
        }
        (batch, place)
    }

    /// Begins the job of a batch that was taken out of the queue.
    fn send(self: &Arc<Self>, batch: &Arc<Batch<E>>) {
        let (asks, places) = batch.send();
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.batched.fetch_add(places.len() as u64, Ordering::Relaxed);
        let mut flight = Flight {
            lane: Arc::clone(self),
            batch: Arc::clone(batch),
            places,
            has_landed: false,
        };
        let job: Job = Box::pin(async move {
            let backend = Arc::clone(&flight.lane.backend);
            let now = flight.lane.clock.monotonic();
            let answers = asks.run(&flight.places, now, backend).await;
            flight.land(answers);
        });
        if let Some(runtime) = &self.runtime {
            let (job, abort) = abortable(job);
            let _ = batch.abort.set(abort);
            runtime.spawn(Box::pin(async move {
                let _ = job.await;
            }));
        } else {
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
        while let Some(next) = self.next(&mut queue) {
            drop(queue);
            self.send(&next);
            queue = self.hall.lock();
        }
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

/// A batch under way. Dropped before its end, it leaves nobody without an answer.
struct Flight<B: Send + Sync + 'static, E: ErrandTo<B>> {
    lane: Arc<Lane<B, E>>,
    batch: Arc<Batch<E>>,
    places: Vec<usize>,
    has_landed: bool,
}

impl<B: Send + Sync + 'static, E: ErrandTo<B>> Flight<B, E> {
    fn land(&mut self, answers: Vec<Result<E::Answer>>) {
        self.has_landed = true;
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

/// A call that goes in a batch.
#[must_use]
pub(super) struct Waiting<'a, B: Send + Sync + 'static, E: ErrandTo<B>> {
    lane: &'a Arc<Lane<B, E>>,
    stage: Stage<E::Ask<'a>, Arc<Batch<E>>>,
}

/// How far a call has come.
enum Stage<A, B> {
    Outside(A),
    In(B, usize),
    Left,
}

impl<B: Send + Sync + 'static, E: ErrandTo<B>> Future for Waiting<'_, B, E> {
    type Output = Answer<E::Answer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answer = match std::mem::replace(&mut self.stage, Stage::Left) {
            // It can not have an answer yet: whoever answers it wakes it.
            Stage::Outside(ask) => {
                let (batch, place) = self.lane.take_in(ask, cx.waker());
                self.stage = Stage::In(batch, place);
                None
            }
            Stage::In(batch, place) => {
                let answer = batch.take(place, cx.waker());
                self.stage = Stage::In(batch, place);
                answer
            }
            Stage::Left => return Poll::Pending,
        };
        // Whoever waits polls for all, so that one who is left unpolled keeps nobody waiting.
        if answer.is_none()
            && self.lane.hall.drive()
            && let Stage::In(batch, place) = &self.stage
        {
            answer = batch.take(*place, cx.waker());
        }
        match answer {
            Some(answer) => {
                self.stage = Stage::Left;
                Poll::Ready(answer)
            }
            None => Poll::Pending,
        }
    }
}

impl<B: Send + Sync + 'static, E: ErrandTo<B>> Drop for Waiting<'_, B, E> {
    fn drop(&mut self) {
        if let Stage::In(batch, place) = &self.stage
            && batch.leave(*place)
        {
            batch.give_up();
        }
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
