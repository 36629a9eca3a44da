//! What every command goes through: the bound on commands in flight, the deadline, and the watch on the connection.

use std::{
    future::Future,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_utils::CachePadded;
use larder::{Error, ErrorKind, Result};
use tokio::{runtime::Handle, time::sleep};

use crate::{
    boxes::Boxes,
    deadlines::Deadlines,
    sent::{Kept, Sent},
};

/// How long a connection may leave every command unanswered before it is replaced, at the least.
const SILENCE: Duration = Duration::from_secs(1);

/// How many commands may be in flight; clones count together.
#[derive(Debug, Clone)]
pub struct Bound {
    in_flight: Arc<CachePadded<AtomicUsize>>,
    limit: usize,
}

/// Places in flight, given back when dropped: it goes where the commands go.
#[derive(Debug)]
pub struct Permit {
    in_flight: Arc<CachePadded<AtomicUsize>>,
    commands: usize,
}

impl Bound {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            in_flight: Arc::default(),
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

    pub(crate) fn all(&mut self) -> Self {
        self.parts(self.commands)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(self.commands, Ordering::Relaxed);
    }
}

/// What a command that timed out says of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// It may have gone silent just now.
    Suspect,
    /// It was suspected before, not long enough ago.
    Known,
    /// It is time to replace it.
    Silent,
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
        if self.is_suspected() {
            self.since.store(0, Ordering::Relaxed);
        }
    }

    /// Takes back a suspicion that nobody looks into.
    pub fn forget(&self) {
        self.broken();
    }

    fn is_suspected(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    /// Takes note of a command that timed out after `limit`. Of several at once, one is told to replace the connection.
    #[cold]
    fn goes_on(&self, limit: Duration) -> Finding {
        let now = millis(self.origin.elapsed());
        // The command began its limit ago; 0 means that nothing is wrong.
        let began = now.saturating_sub(millis(limit.min(self.deadline))).max(1);
        let set = |from, to| {
            self.since
                .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
        };
        let (since, finding) = match set(0, began) {
            Ok(_) => (began, Finding::Suspect),
            Err(since) => (since, Finding::Known),
        };
        // One that had far less time than others says too little: the probe has all of it.
        let has_waited = limit * 2 >= self.deadline;
        if has_waited && now.saturating_sub(since) >= millis(self.allowed()) && set(since, 0).is_ok() {
            return Finding::Silent;
        }
        finding
    }

    /// How long it may last.
    fn allowed(&self) -> Duration {
        SILENCE.max(self.deadline * 2)
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

    /// What a command fails with that passed its deadline here.
    fn timeout() -> Self::Failure;

    /// The boxes of its commands.
    fn boxes(&self) -> &Boxes;

    /// Drops the connection and makes a new one.
    fn replace_connection(&self);

    /// Asks the server for a sign of life, by a command that is watched.
    fn probe(&self) -> impl Future<Output = ()> + Send;

    /// Replaces the connection after a second in which commands timed out and none was answered.
    fn watch<T>(&self, limit: Duration, answer: &Result<T, Self::Failure>)
    where
        Self: Sized,
    {
        match answer {
            Err(failure) if Self::is_timeout(failure) => match self.silence().goes_on(limit) {
                Finding::Suspect => self.probe_later(),
                Finding::Known => {}
                Finding::Silent => self.replace_soon(),
            },
            _ => self.silence().broken(),
        }
    }

    /// Replaces the connection, but not on the caller's thread, on which no runtime may be to be entered any more.
    #[cold]
    fn replace_soon(&self)
    where
        Self: Sized,
    {
        let connection = self.this();
        self.handle().spawn(async move {
            if let Some(connection) = connection.upgrade() {
                connection.replace_connection();
            }
        });
    }

    /// Sees to it that a silence ends, where nobody else asks for anything.
    fn probe_later(&self)
    where
        Self: Sized,
    {
        let (connection, allowed) = (self.this(), self.silence().allowed());
        self.handle().spawn(async move {
            sleep(allowed).await;
            if let Some(connection) = connection.upgrade()
                && connection.silence().is_suspected()
            {
                connection.probe().await;
            }
        });
    }

    /// Sends a command when first polled, and sees it through to its answer or its deadline, which is after `limit`.
    ///
    /// A client's futures are large; made here, in their box, they are neither copied nor part of the caller's future.
    fn see_through<T, F>(&self, permit: Permit, limit: Duration, command: impl FnOnce() -> F) -> Sent<'_, Self, T, F>
    where
        Self: Sized,
        F: Future<Output = Result<T, Self::Failure>> + Send + 'static,
        T: Send + 'static,
    {
        Sent::new(self, command, permit, limit, Kept::ByCommand)
    }

    /// [`see_through`](Self::see_through) for a command that has no deadline of its own and does no harm when it is sent late.
    fn see_through_by<'a, T, F>(
        &'a self,
        permit: Permit,
        deadlines: &'a Deadlines,
        command: impl FnOnce() -> F,
    ) -> Sent<'a, Self, T, F>
    where
        Self: Sized,
        F: Future<Output = Result<T, Self::Failure>> + Send + 'static,
        T: Send + 'static,
    {
        Sent::new(self, command, permit, deadlines.span(), Kept::By(deadlines, None))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
