//! What every command goes through: the bound on commands in flight, the deadline, and the watch on the connection.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use larder::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

/// How long a connection may leave every command unanswered before it is replaced, at the least.
const SILENCE: Duration = Duration::from_secs(1);

/// How many commands may be in flight; clones count together.
#[derive(Debug, Clone)]
pub struct Bound {
    in_flight: Arc<AtomicUsize>,
    limit: usize,
}

/// Places in flight, given back when dropped: it goes where the commands go.
#[derive(Debug)]
pub struct Permit {
    in_flight: Arc<AtomicUsize>,
    commands: usize,
}

impl Bound {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            in_flight: Arc::new(AtomicUsize::new(0)),
            limit,
        }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// How many commands are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes places for `commands`, all or none.
    ///
    /// A batch larger than the limit is let in while there is room at all: refused, it could never run.
    pub(crate) fn admit(&self, commands: usize) -> Result<Permit> {
        let before = self.in_flight.fetch_add(commands, Ordering::Relaxed);
        let permit = Permit {
            in_flight: Arc::clone(&self.in_flight),
            commands,
        };
        if before >= self.limit {
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!(
                    "{} commands are in flight, as many as RedisConfig::with_max_in_flight allows",
                    self.limit
                ),
            ));
        }
        Ok(permit)
    }
}

impl Permit {
    /// Splits off the place of one command.
    #[must_use]
    pub fn part(&mut self) -> Self {
        self.parts(1)
    }

    /// Splits off the places of some commands, as far as there are any.
    #[must_use]
    pub fn parts(&mut self, commands: usize) -> Self {
        let commands = self.commands.min(commands);
        self.commands -= commands;
        Self {
            in_flight: Arc::clone(&self.in_flight),
            commands,
        }
    }

    fn all(&mut self) -> Self {
        self.parts(self.commands)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(self.commands, Ordering::Relaxed);
    }
}

/// How long a connection has left every command unanswered.
#[derive(Debug)]
pub struct Silence {
    /// Since when, in milliseconds after `origin`; 0 while commands are answered.
    since: AtomicU64,
    origin: Instant,
    deadline: Duration,
}

impl Silence {
    /// The silence of a connection whose commands have that deadline.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self {
            since: AtomicU64::new(0),
            origin: Instant::now(),
            deadline,
        }
    }

    fn broken(&self) {
        if self.since.load(Ordering::Relaxed) != 0 {
            self.since.store(0, Ordering::Relaxed);
        }
    }

    /// Tells, of a command that timed out after this long, whether it is time to replace the connection. Of several at
    /// once, one is told so.
    #[cold]
    fn lasts(&self, waited: Duration) -> bool {
        let now = millis(self.origin.elapsed());
        // A busy machine takes its time before it sends. 0 means that nothing is wrong.
        let began = now.saturating_sub(millis(waited.min(self.deadline))).max(1);
        let set = |from, to| {
            self.since
                .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
        };
        let since = set(0, began).map_or_else(|since| since, |_| began);
        let allowed = millis(SILENCE.max(self.deadline * 2));
        now.saturating_sub(since) >= allowed && set(since, 0).is_ok()
    }
}

/// A connection whose commands are watched.
pub trait Watched: Send + Sync + 'static {
    /// What commands fail with.
    type Failure: Send + 'static;

    /// Itself, for what goes on after a call's future was dropped and must not keep the connection.
    fn this(&self) -> Weak<Self>;

    /// Where what was given up goes on.
    fn handle(&self) -> &Handle;

    /// Its silence.
    fn silence(&self) -> &Silence;

    /// Tells whether a command passed its deadline.
    fn is_timeout(failure: &Self::Failure) -> bool;

    /// Drops the connection and makes a new one.
    fn replace_connection(&self);

    /// Replaces the connection after a second in which commands timed out and none was answered.
    fn watch<T>(&self, began: Instant, answer: &Result<T, Self::Failure>) {
        match answer {
            Err(failure) if Self::is_timeout(failure) => {
                if self.silence().lasts(began.elapsed()) {
                    self.replace_connection();
                }
            }
            _ => self.silence().broken(),
        }
    }

    /// Sends a command when first polled, and sees it through to its answer or its deadline.
    ///
    /// A client's futures are large; boxed here, they are neither copied from future to future nor part of the caller's.
    fn see_through<T, F>(&self, permit: Permit, command: F) -> Sent<'_, Self, T, F>
    where
        Self: Sized,
        F: Future<Output = Result<T, Self::Failure>> + Send + 'static,
        T: Send + 'static,
    {
        Sent {
            command: Some(Box::pin(command)),
            permit,
            began: None,
            connection: self,
        }
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
    command: Option<Pin<Box<F>>>,
    permit: Permit,
    /// When it was first polled.
    began: Option<Instant>,
    connection: &'a C,
}

impl<C, T, F> Sent<'_, C, T, F>
where
    C: Watched,
    F: Future<Output = Result<T, C::Failure>> + Send + 'static,
    T: Send + 'static,
{
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
        let began = *self.began.get_or_insert_with(Instant::now);
        let Some(command) = self.command.as_mut() else {
            return Poll::Pending;
        };
        let answer = ready!(command.as_mut().poll(context));
        self.command = None;
        self.connection.watch(began, &answer);
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
            && let Some(began) = self.began
        {
            let permit = self.permit.all();
            let connection = self.connection.this();
            self.connection.handle().spawn(async move {
                let answer = command.await;
                drop(permit);
                if let Some(connection) = connection.upgrade() {
                    connection.watch(began, &answer);
                }
            });
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
