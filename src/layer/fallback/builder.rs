use std::{sync::Arc, time::Duration};

use super::{
    Fallback, Inner,
    journal::Journal,
    replay::Bell,
    side::{FallbackState, Side},
};
use crate::{
    backend::Expiry,
    clock::{Clock, SystemClock},
    error::{Error, Result},
    hook::{Event, Hook},
    layer::{Listener, Watched},
};

/// The settings of a [`Fallback`], each with a default.
///
/// A setting out of range is reported by [`build`](Self::build).
///
/// # Examples
///
/// ```
/// use larder::{Fallback, FallbackState};
/// use larder_memory::MemoryBackend;
/// use std::time::Duration;
///
/// let backend = Fallback::builder(MemoryBackend::new(), MemoryBackend::new())
///     .max_ttl(Duration::from_secs(10))
///     .journal_capacity(1_000_000)
///     .on_change(|state| println!("{state:?} answers"))
///     .build()?;
/// assert_eq!(backend.state(), FallbackState::Primary);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct FallbackBuilder<P, S> {
    primary: P,
    secondary: S,
    max_ttl: Duration,
    capacity: usize,
    retry_every: Option<Duration>,
    clock: Arc<dyn Clock>,
    listener: Listener<FallbackState>,
    watched: Watched,
}

impl<P, S> FallbackBuilder<P, S> {
    pub(super) fn new(primary: P, secondary: S) -> Self {
        Self {
            primary,
            secondary,
            max_ttl: Duration::from_secs(30),
            capacity: 100_000,
            retry_every: Some(Duration::from_secs(1)),
            clock: Arc::new(SystemClock::new()),
            listener: Listener(None),
            watched: Watched::default(),
        }
    }

    /// The longest life in the secondary: during an outage nobody hears of the invalidations of other processes.
    /// Default: 30 s.
    pub fn max_ttl(mut self, span: Duration) -> Self {
        self.max_ttl = span;
        self
    }

    /// The most keys that the journal names one by one, about 100 bytes each and the key. Default: 100 000.
    ///
    /// Further keys are covered by what they have in common, at least up to their first colon, and everything
    /// that begins so is deleted when the primary is back: give caches a prefix.
    pub fn journal_capacity(mut self, keys: usize) -> Self {
        self.capacity = keys;
        self
    }

    /// How often the background thread tries the primary while there is a journal and no call finds it back.
    /// Default: 1 s.
    pub fn retry_every(mut self, span: Duration) -> Self {
        self.retry_every = Some(span);
        self
    }

    /// Leaves the replay to the calls, each for its own key, and to [`Fallback::replay`]. Nothing runs on the background
    /// thread.
    pub fn without_background(mut self) -> Self {
        self.retry_every = None;
        self
    }

    /// Takes the time from the monotonic reading of `clock`. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Tells `listener` of every change of side, from within the call that brought it about; it should be quick.
    ///
    /// Two changes that follow each other closely may be told by two threads in either order; a panic is caught.
    pub fn on_change(mut self, listener: impl Fn(FallbackState) + Send + Sync + 'static) -> Self {
        self.listener = Listener(Some(Arc::new(listener)));
        self
    }

    /// Tells `hook` of every change of side and of the journal, after the one that [`on_change`](Self::on_change) names. May be called
    /// several times; to give one hook to a cache and its layers, hand over an `Arc` of it.
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.watched.hooks.push(Arc::new(hook));
        self
    }

    /// The name of the cache that the events carry. Default: `larder`.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.watched.name = Some(name.as_ref().into());
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a zero `retry_every`, and for a `max_ttl` that is
    /// no expiry.
    pub fn build(self) -> Result<Fallback<P, S>> {
        Expiry::whole_millis(self.max_ttl)?;
        if self.retry_every.is_some_and(|span| span.is_zero()) {
            return Err(Error::invalid("retry_every 0ns: it would never rest"));
        }
        Ok(self.assemble())
    }

    pub(super) fn assemble(self) -> Fallback<P, S> {
        let hooks = self.watched.hooks(&self.clock);
        let listener = (self.listener).and(&hooks, |cache, state| Event::FallbackSwitched { cache, state });
        let overflow = Listener(None).and(&hooks, |cache, ()| Event::JournalOverflowed { cache });
        let replayed = Listener(None).and(&hooks, |cache, entries| Event::JournalReplayed { cache, entries });
        Fallback {
            inner: Arc::new_cyclic(|this| Inner {
                primary: self.primary,
                secondary: self.secondary,
                max_ttl: self.max_ttl,
                retry_every: self.retry_every,
                clock: self.clock,
                journal: Journal::new(self.capacity, overflow),
                side: Side::new(listener),
                replayed,
                bell: Arc::new(Bell::default()),
                this: this.clone(),
            }),
        }
    }
}
