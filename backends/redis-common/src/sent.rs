//! A command under way.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::FutureExt;
use larder::Result;
use tokio::time::{Instant, timeout_at};

use crate::{
    boxes::Boxed,
    deadlines::{Deadlines, Ticket},
    flight::{Permit, Watched},
};

/// By whom the deadline of a command is kept.
pub(crate) enum Kept<'a> {
    ByCommand,
    By(&'a Deadlines, Option<Ticket>),
}

impl Kept<'_> {
    /// Tells whether the deadline of a command without an answer is over.
    fn is_over(&mut self, caller: &Waker) -> bool {
        match self {
            Self::ByCommand => false,
            Self::By(deadlines, Some(ticket)) => deadlines.is_over(ticket, caller),
            Self::By(deadlines, none) => {
                *none = Some(deadlines.enter(caller));
                false
            }
        }
    }

    /// Ends the wait, and tells what end it had.
    fn end(&mut self) -> Option<Instant> {
        let Self::By(deadlines, ticket) = self else { return None };
        let ticket = ticket.take()?;
        deadlines.leave(&ticket);
        Some(ticket.end)
    }
}

/// A command that is seen through to its deadline even where its caller has stopped waiting.
///
/// What a caller gives up stays with the client. Only the future knows how long the command takes up its place in flight,
/// and whether it was answered: callers who wait less than the deadline would never find out that the connection is
/// silent. And where the future holds the deadline of a command in the client's queue, it is what keeps a write that was
/// given up as the connection broke from being applied when the server is back, however much later.
#[expect(missing_debug_implementations, reason = "there is nothing to see in a future")]
pub struct Sent<'a, C, T, F>
where
    C: Watched,
    F: Future<Output = Result<T, C::Failure>> + Send + 'static,
    T: Send + 'static,
{
    command: Option<Boxed<F>>,
    permit: Permit,
    /// How long the command waits for its answer.
    limit: Duration,
    kept: Kept<'a>,
    begun: bool,
    connection: &'a C,
}

impl<'a, C, T, F> Sent<'a, C, T, F>
where
    C: Watched,
    F: Future<Output = Result<T, C::Failure>> + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn new(
        connection: &'a C,
        command: impl FnOnce() -> F,
        permit: Permit,
        limit: Duration,
        kept: Kept<'a>,
    ) -> Self {
        Self {
            command: Some(connection.boxes().fill(command)),
            permit,
            limit,
            kept,
            begun: false,
            connection,
        }
    }

    /// Takes over the place in flight of a command that was answered, for its next sending.
    pub fn permit(&mut self) -> Permit {
        self.permit.all()
    }
}

impl<C, T, F> Future for Sent<'_, C, T, F>
where
    C: Watched,
    F: Future<Output = Result<T, C::Failure>> + Send + 'static,
    T: Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun = true;
        let Some(command) = self.command.as_mut() else {
            return Poll::Pending;
        };
        let answer = match command.poll_unpin(context) {
            Poll::Ready(answer) => answer,
            Poll::Pending if self.kept.is_over(context.waker()) => Err(C::timeout()),
            Poll::Pending => return Poll::Pending,
        };
        self.kept.end();
        if let Some(command) = self.command.take() {
            self.connection.boxes().take_back(command);
        }
        self.connection.watch(self.limit, &answer);
        Poll::Ready(answer)
    }
}

impl<C, T, F> Drop for Sent<'_, C, T, F>
where
    C: Watched,
    F: Future<Output = Result<T, C::Failure>> + Send + 'static,
    T: Send + 'static,
{
    fn drop(&mut self) {
        if let Some(command) = self.command.take()
            && self.begun
        {
            let permit = self.permit.all();
            let (connection, limit, end) = (self.connection.this(), self.limit, self.kept.end());
            self.connection.handle().spawn(async move {
                let answer = match end {
                    Some(end) => timeout_at(end, command).await.unwrap_or_else(|_| Err(C::timeout())),
                    None => command.await,
                };
                drop(permit);
                if let Some(connection) = connection.upgrade() {
                    connection.watch(limit, &answer);
                }
            });
        }
    }
}
