//! Another backend in the place of one that is away, and the journal that keeps their truths apart.
//!
//! # Why nothing comes back
//!
//! Call a key *marked* while the journal names it, or a pattern that it matches. Three things hold at all times:
//!
//! 1. What the primary has under a key that is not marked is no older than the last write of this process that has
//!    returned. A write that the primary did not take, or may not have taken, marks its key before it returns; and the
//!    mark goes only after a delete (or an unconditional set) that the primary acknowledged and that began after the
//!    mark was made.
//! 2. What the secondary has under a key was written after the mark was made, and goes before the mark does. A write to
//!    the secondary that is still under way holds the mark. So the secondary is only ever asked for keys that the
//!    journal names, and what it then answers is the last that was written.
//! 3. A marked key is never read at the primary, and is changed there under a condition only once it was deleted.
//!
//! A load that fills against a fence is a conditional write, so it is stored only where its fence still stands, and
//! a fence lives on one side alone:
//!
//! - Fence in the primary, then an outage, then a delete: the delete marks the key. A fill that comes during the outage
//!   finds no fence in the secondary. One that comes after it finds the key marked, deletes it first, and the fence is
//!   gone; or finds the mark gone, and then the fence was deleted with what it stood for. One that passed the check just
//!   before the mark was made may be stored under the mark, where nobody reads it, and is deleted with it.
//! - Fence in the secondary, then the primary is back: the primary never had it, or was told to delete it before the
//!   mark went.
//!
//! What remains is a write that the primary takes in after it has acknowledged the journal's delete of that key: sent
//! before the outage, on a connection that was then given up, and delivered late.

mod batch;
mod builder;
mod commands;
mod journal;
mod one;
mod replay;
mod scan;
mod side;
mod widen;

use std::{fmt, sync::Arc};

pub use self::{builder::FallbackBuilder, journal::JournalStats, side::FallbackState};
use self::{journal::Journal, replay::Bell, side::Side};
use super::Listener;
use crate::{clock::Clock, error::Result};

/// A backend `P` whose place another one, `S`, takes while it is away; usually a bounded map in the process.
///
/// # Behavior
///
/// - Every call asks the primary first. Where that fails with
///   [`Connection`](crate::ErrorKind::Connection), [`Timeout`](crate::ErrorKind::Timeout) or
///   [`Overloaded`](crate::ErrorKind::Overloaded), the secondary answers. A [`Breaker`](crate::Breaker) around the primary
///   makes that take no time. Every other error is the caller's.
/// - The secondary begins empty in each outage: what was not written meanwhile is a miss. Lives in it are cut to 30 s.
/// - Every key that is written, conditionally or not, and every pattern that is deleted while the primary is away goes
///   into a journal: one entry per key, 100 000 keys at most. A write that timed out is in it too, and one whose
///   future was dropped where it would have invalidated the key. Keys beyond that are noted together as a prefix
///   that covers them and are not kept in the secondary; nothing that has to go is ever forgotten.
/// - Once the primary is back, what the journal names is deleted there, and never set: whatever others have written
///   since is at worst a miss. Until its delete is acknowledged a key is a miss, and all others are served by the
///   primary at once. A call that meets such a key deletes it itself; the rest is done on a background thread, which
///   also tries every second where no calls come.
///
/// The journal lives in this process: [`replay`](Self::replay) it before the process ends. Clones share it.
///
/// A pattern that was deleted in an outage hides all keys that match it, new ones included, until the scan for it is
/// over.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use larder::{CacheBackend, ErrorKind, Expiry, Fallback, FallbackState, SetOptions};
/// use larder_local::LocalBackend;
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let store = MemoryBackend::new();
/// let backend = Fallback::new(store.clone(), LocalBackend::builder().capacity(10_000).build());
/// let forever = SetOptions::new(Expiry::Never);
/// backend.set("k", Bytes::from("old"), forever.clone()).await?;
///
/// store.faults().fail_all(ErrorKind::Connection);
/// backend.set("k", Bytes::from("new"), forever).await?;
/// assert_eq!(backend.get("k").await?.unwrap().bytes().as_ref(), b"new");
/// assert_eq!(backend.state(), FallbackState::Secondary);
///
/// store.faults().recover();
/// backend.replay().await?;
/// assert!(backend.get("k").await?.is_none()); // neither "old", nor "new", which the store never saw
/// assert_eq!(backend.state(), FallbackState::Primary);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub struct Fallback<P, S> {
    inner: Arc<Inner<P, S>>,
}

struct Inner<P, S> {
    primary: P,
    secondary: S,
    max_ttl: std::time::Duration,
    retry_every: Option<std::time::Duration>,
    clock: Arc<dyn Clock>,
    journal: Journal,
    side: Side,
    /// Who is told how many entries have left the journal.
    replayed: Listener<usize>,
    bell: Arc<Bell>,
    /// For the background, which must not keep the layer alive.
    this: std::sync::Weak<Self>,
}

impl<P, S> Fallback<P, S> {
    /// A fallback with every default.
    #[must_use]
    pub fn new(primary: P, secondary: S) -> Self {
        FallbackBuilder::new(primary, secondary).assemble()
    }

    /// Starts to configure a fallback.
    pub fn builder(primary: P, secondary: S) -> FallbackBuilder<P, S> {
        FallbackBuilder::new(primary, secondary)
    }

    /// Which side answers now.
    #[must_use]
    pub fn state(&self) -> FallbackState {
        self.inner.side.state(&self.inner.journal)
    }

    /// How much is to be deleted at the primary.
    #[must_use]
    pub fn journal(&self) -> JournalStats {
        self.inner.journal.stats()
    }

    /// The backend that answers when it can.
    #[must_use]
    pub fn primary(&self) -> &P {
        &self.inner.primary
    }

    /// The backend that answers when the primary is away.
    #[must_use]
    pub fn secondary(&self) -> &S {
        &self.inner.secondary
    }
}

impl<P, S> Fallback<P, S>
where
    P: crate::CacheBackend + 'static,
    S: crate::CacheBackend + 'static,
{
    /// Deletes at the primary everything that is in the journal now. Need not be called but before the process ends.
    ///
    /// # Errors
    ///
    /// What the primary raises; what it had not acknowledged stays in the journal.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped loses nothing: an entry goes once its delete is acknowledged.
    pub async fn replay(&self) -> Result<()> {
        self.inner.replay().await
    }
}

impl<P, S> Clone for Fallback<P, S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<P: fmt::Debug, S: fmt::Debug> fmt::Debug for Fallback<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("primary", &self.inner.primary)
            .field("secondary", &self.inner.secondary)
            .field("state", &self.state())
            .field("journal", &self.journal())
            .finish_non_exhaustive()
    }
}
