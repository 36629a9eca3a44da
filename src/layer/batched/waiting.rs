use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    batch::{Answer, Batch},
    errand::ErrandTo,
    lane::Lane,
};

/// A call that goes in a batch.
#[must_use]
pub(super) struct Waiting<'a, B: Send + Sync + 'static, E: ErrandTo<B>> {
    lane: &'a Arc<Lane<B, E>>,
    stage: Stage<E::Ask<'a>, Arc<Batch<E>>>,
}

impl<'a, B: Send + Sync + 'static, E: ErrandTo<B>> Waiting<'a, B, E> {
    pub(super) fn new(lane: &'a Arc<Lane<B, E>>, ask: E::Ask<'a>) -> Self {
        Self {
            lane,
            stage: Stage::Outside(ask),
        }
    }
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
            self.lane.hall.discard(batch);
        }
    }
}
