//! What every command goes through: the bound on commands in flight, the deadline, and the watch on the connection.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use fred::{
    clients::{Client, WithOptions},
    error::{Error as FredError, ErrorKind as FredKind},
    interfaces::ClientLike,
    types::Key,
};
use larder::{Error, ErrorKind, Result};

use crate::{cluster::Answer, error, link::Link, script::Sending};

/// How long a connection may leave every command unanswered before it is replaced, at the least.
const SILENCE: Duration = Duration::from_secs(1);

/// Places in flight, given back when dropped: it goes where the commands go.
#[derive(Debug)]
pub(crate) struct Permit {
    in_flight: Arc<AtomicUsize>,
    commands: usize,
}

impl Permit {
    /// Splits off the place of one command.
    pub(crate) fn part(&mut self) -> Self {
        let commands = self.commands.min(1);
        self.commands -= commands;
        Self {
            in_flight: Arc::clone(&self.in_flight),
            commands,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(self.commands, Ordering::Relaxed);
    }
}

impl Link {
    /// Takes places for `commands`, all or none.
    ///
    /// A batch larger than the limit is let in while there is room at all: refused, it could never run.
    pub(crate) fn admit(&self, commands: usize) -> Result<Permit> {
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Connection, "the connection manager was closed"));
        }
        let before = self.in_flight.fetch_add(commands, Ordering::Relaxed);
        let permit = Permit {
            in_flight: Arc::clone(&self.in_flight),
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
        self.client().with_options(&self.options)
    }

    /// Asks the server for an answer, or the primaries of a cluster for one of any of them.
    pub(crate) async fn ping(&self) -> Result<()> {
        match &self.cluster {
            Some(cluster) => Box::pin(cluster.ping(self)).await,
            None => self.ping_by(self.admit(1)?).await,
        }
    }

    pub(crate) async fn ping_by(&self, permit: Permit) -> Result<()> {
        let client = self.bounded();
        self.read(permit, async move { client.ping::<()>(None).await }).await
    }

    /// Sends a command about `key` to the server that has it.
    pub(crate) async fn send_to<T, F>(
        &self,
        key: &Key,
        permit: Permit,
        command: impl Fn(WithOptions<Client>, Sending) -> F + Send,
    ) -> Answer<T>
    where
        F: Future<Output = Result<T, FredError>> + Send + 'static,
        T: Send + 'static,
    {
        match &self.cluster {
            // Boxed, so that what only clusters need is no part of every call.
            Some(cluster) => Box::pin(cluster.send(&self.client(), key, permit, command)).await,
            None => Answer {
                found: self.send(permit, command(self.bounded(), Sending::ByHash)).await,
                by: None,
            },
        }
    }

    /// Sends a command when first polled, and sees it through to its answer or its deadline.
    ///
    /// fred's futures are 7 KiB each; boxed here, they are neither copied from future to future nor part of the
    /// caller's.
    pub(crate) fn send<T, F>(&self, permit: Permit, command: F) -> Sent<'_, T, F>
    where
        F: Future<Output = Result<T, FredError>> + Send + 'static,
        T: Send + 'static,
    {
        Sent {
            under_way: Some((Box::pin(command), permit)),
            begun: false,
            link: self,
        }
    }

    /// Waits for a command that reads.
    pub(crate) fn read<T, F>(
        &self,
        permit: Permit,
        command: F,
    ) -> impl Future<Output = Result<T>> + Send + use<'_, T, F>
    where
        F: Future<Output = Result<T, FredError>> + Send + 'static,
        T: Send + 'static,
    {
        let sent = self.send(permit, command);
        async move { self.judge(sent.await, false) }
    }

    /// Converts the error of an answer.
    pub(crate) fn judge<T>(&self, answer: Result<T, FredError>, writes: bool) -> Result<T> {
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

/// A command that is seen through to its deadline even where its caller has stopped waiting.
///
/// What a caller gives up stays with fred. A queued command whose deadline has passed is skipped, but only if the
/// future that holds the deadline still runs: without it, a write that was given up as the connection broke would be
/// applied when the server is back, however much later. And only the future knows how long the command takes up its
/// place in flight, and whether it was answered: callers who wait less than the deadline would never find out that
/// the connection is silent.
pub(crate) struct Sent<'a, T, F>
where
    F: Future<Output = Result<T, FredError>> + Send + 'static,
    T: Send + 'static,
{
    under_way: Option<(Pin<Box<F>>, Permit)>,
    begun: bool,
    link: &'a Link,
}

impl<T, F> Future for Sent<'_, T, F>
where
    F: Future<Output = Result<T, FredError>> + Send + 'static,
    T: Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun = true;
        let Some((command, _)) = self.under_way.as_mut() else {
            return Poll::Pending;
        };
        let answer = ready!(command.as_mut().poll(context));
        self.under_way = None;
        self.link.watch(&answer);
        Poll::Ready(answer)
    }
}

impl<T, F> Drop for Sent<'_, T, F>
where
    F: Future<Output = Result<T, FredError>> + Send + 'static,
    T: Send + 'static,
{
    fn drop(&mut self) {
        if let Some((command, permit)) = self.under_way.take()
            && self.begun
        {
            let link = Weak::clone(&self.link.this);
            self.link.driver.handle().spawn(async move {
                let answer = command.await;
                drop(permit);
                if let Some(link) = link.upgrade() {
                    link.watch(&answer);
                }
            });
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
