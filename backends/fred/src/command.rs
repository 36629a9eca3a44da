//! What every command goes through: the bound on commands in flight, the deadline, and the watch on the connection.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use fred::{
    clients::{Client, WithOptions},
    error::{Error as FredError, ErrorKind as FredKind},
    interfaces::ClientLike,
};
use larder::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

use crate::{error, link::Link};

/// How long a connection may leave every command unanswered before it is replaced, at the least.
const SILENCE: Duration = Duration::from_secs(1);

/// Places in flight, given back when dropped.
pub(crate) struct Permit<'a> {
    in_flight: &'a AtomicUsize,
    commands: usize,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(self.commands, Ordering::Relaxed);
    }
}

impl Link {
    /// Takes places for `commands`, all or none.
    ///
    /// A batch larger than the limit is let in while there is room at all: refused, it could never run.
    pub(crate) fn admit(&self, commands: usize) -> Result<Permit<'_>> {
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Connection, "the connection manager was closed"));
        }
        let before = self.in_flight.fetch_add(commands, Ordering::Relaxed);
        let permit = Permit {
            in_flight: &self.in_flight,
            commands,
        };
        if before >= self.max_in_flight {
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!(
                    "{} commands are in flight, as many as RedisConfig::with_max_in_flight allows",
                    self.max_in_flight
                ),
            ));
        }
        Ok(permit)
    }

    /// A client whose commands have the deadline on them.
    pub(crate) fn bounded(&self) -> WithOptions<Client> {
        self.client.with_options(&self.options)
    }

    /// Waits for a command that reads.
    ///
    /// fred's futures are 7 KiB each; boxed here, they are neither copied from future to future nor part of the
    /// caller's.
    pub(crate) fn read<'a, T: 'a>(
        &'a self,
        command: impl Future<Output = Result<T, FredError>> + Send + 'a,
    ) -> impl Future<Output = Result<T>> + Send + 'a {
        let command = Box::pin(command);
        async move { self.judge(command.await, false) }
    }

    /// Waits for a command that writes, whose outcome is unknown when it times out.
    pub(crate) fn write<T, F>(&self, command: F) -> impl Future<Output = Result<T>> + Send + use<'_, T, F>
    where
        F: Future<Output = Result<T, FredError>> + Send + 'static,
        T: Send + 'static,
    {
        let finished = Finished {
            command: Some(Box::pin(command)),
            begun: false,
            handle: self.driver.handle(),
        };
        async move { self.judge(finished.await, true) }
    }

    /// Takes note of what an answer says of the connection, and converts its error.
    pub(crate) fn judge<T>(&self, answer: Result<T, FredError>, writes: bool) -> Result<T> {
        self.watch(&answer);
        answer.map_err(|failure| error::convert(&failure, &self.context(writes)))
    }

    /// Replaces the connection after a second in which commands timed out and none was answered.
    fn watch<T>(&self, answer: &Result<T, FredError>) {
        match answer {
            Err(failure) if *failure.kind() == FredKind::Timeout => self.note_silence(),
            _ => {
                if self.silent_since.load(Ordering::Relaxed) != 0 {
                    self.silent_since.store(0, Ordering::Relaxed);
                }
            }
        }
    }

    #[cold]
    fn note_silence(&self) {
        let now = millis(self.origin.elapsed());
        // The command began a deadline ago; 0 means that nothing is wrong.
        let began = now.saturating_sub(millis(self.deadline)).max(1);
        let since = match self
            .silent_since
            .compare_exchange(0, began, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => began,
            Err(since) => since,
        };
        let allowed = millis(SILENCE.max(self.deadline * 2));
        if now.saturating_sub(since) >= allowed
            && self
                .silent_since
                .compare_exchange(since, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.replace_connection();
        }
    }
}

/// A write that is seen through to its deadline even where its caller has stopped waiting.
///
/// fred skips a queued command whose deadline has passed, but only if the future that holds the deadline still runs.
/// Without it, a write that was given up as the connection broke would be applied when the server is back, however
/// much later.
struct Finished<'a, F>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    command: Option<Pin<Box<F>>>,
    begun: bool,
    handle: &'a Handle,
}

impl<F> Future for Finished<'_, F>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun = true;
        let Some(command) = self.command.as_mut() else {
            return Poll::Pending;
        };
        let answer = ready!(command.as_mut().poll(context));
        self.command = None;
        Poll::Ready(answer)
    }
}

impl<F> Drop for Finished<'_, F>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn drop(&mut self) {
        if let Some(command) = self.command.take()
            && self.begun
        {
            self.handle.spawn(command);
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
