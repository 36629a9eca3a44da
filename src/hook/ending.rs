use std::{any::Any, fmt, time::Duration};

use crate::error::{Error, ErrorKind};

/// How an [`Operation`](crate::Operation) ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Ending<'a> {
    /// What came of it.
    pub outcome: OperationOutcome,
    /// Why it failed; for a batch of which only a part failed, why the first did.
    pub failure: Option<Failure<'a>>,
    /// How long it took, by the monotonic reading of the cache's clock.
    pub elapsed: Duration,
    /// What came of each key; of a single one too.
    pub counts: Counts,
    /// Entries that it could not decode, and took for nothing.
    pub undecodable: u64,
    /// The bytes of the values that were written or read, serialized and not compressed.
    pub serialized_bytes: Option<u64>,
    /// The bytes of the entries that were written or read, compressed and with their headers.
    pub stored_bytes: Option<u64>,
}

/// Why an operation failed.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Failure<'a> {
    /// The cache or its backend failed.
    Cache(&'a Error),
    /// The loader failed, with this error.
    Loader(&'a (dyn Any + Send + Sync)),
    /// The loader panicked, or something else that the call runs, such as a serializer. A call that is dropped while its
    /// thread unwinds for another reason can not be told from that.
    Panicked,
    /// The call was made by the load of the same key.
    Reentrant,
    /// The load took longer than it was given.
    TimedOut,
}

impl Failure<'_> {
    /// The class of the failure, for labels: the [`ErrorKind`] in `snake_case`, `loader`, `panic`, `reentrant`, or
    /// `load_timeout`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Cache(error) => match error.kind() {
                ErrorKind::Connection => "connection",
                ErrorKind::Timeout => "timeout",
                ErrorKind::Overloaded => "overloaded",
                ErrorKind::Server => "server",
                ErrorKind::Codec => "codec",
                ErrorKind::InvalidInput => "invalid_input",
            },
            Self::Loader(_) => "loader",
            Self::Panicked => "panic",
            Self::Reentrant => "reentrant",
            Self::TimedOut => "load_timeout",
        }
    }
}

// By hand: what a loader fails with may say anything.
impl fmt::Debug for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache(error) => f.debug_tuple("Cache").field(error).finish(),
            Self::Loader(_) => f.write_str("Loader"),
            Self::Panicked => f.write_str("Panicked"),
            Self::Reentrant => f.write_str("Reentrant"),
            Self::TimedOut => f.write_str("TimedOut"),
        }
    }
}

/// What came of an operation, or of one key of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperationOutcome {
    /// The cache had a value.
    Hit,
    /// The cache had nothing.
    Miss,
    /// The cache had a `None`: that there is no value.
    Negative,
    /// The cache had a value past its ttl, which was answered.
    Stale {
        /// How long ago its life ended; of a batch, the longest.
        age: Duration,
    },
    /// Another call of this process loaded it, and this one waited.
    Coalesced,
    /// This call loaded it.
    Loaded,
    /// This call loaded it, and it was not stored, because the key was invalidated or written meanwhile.
    FillVoided,
    /// This call loaded it past the cache: the backend was away, or did not take what was loaded.
    Bypassed,
    /// The cache had something that it could not decode, and that is a miss.
    Undecodable,
    /// The backend was away, and the [`FallbackPolicy`](crate::FallbackPolicy) answered.
    Fallback,
    /// What was asked for is done.
    Done,
    /// There was nothing to do: no value, or one where there should be none.
    Unchanged,
    /// The keys of a batch did not all end alike; [`Ending::counts`] says how.
    Mixed,
    /// It failed.
    Failed,
    /// Its future was dropped before its end.
    Cancelled,
}

/// By index.
const NAMES: [&str; 15] = [
    "hit",
    "miss",
    "negative",
    "stale",
    "coalesced",
    "loaded",
    "fill_voided",
    "bypassed",
    "undecodable",
    "fallback",
    "done",
    "unchanged",
    "mixed",
    "failed",
    "cancelled",
];

impl OperationOutcome {
    /// The outcome in `snake_case`, for labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        NAMES[self.index()]
    }

    #[cfg_attr(not(feature = "collector"), expect(dead_code, reason = "for the collector"))]
    pub(crate) const NAMES: [&'static str; Self::COUNT] = NAMES;

    pub(crate) const COUNT: usize = NAMES.len();

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Hit => 0,
            Self::Miss => 1,
            Self::Negative => 2,
            Self::Stale { .. } => 3,
            Self::Coalesced => 4,
            Self::Loaded => 5,
            Self::FillVoided => 6,
            Self::Bypassed => 7,
            Self::Undecodable => 8,
            Self::Fallback => 9,
            Self::Done => 10,
            Self::Unchanged => 11,
            Self::Mixed => 12,
            Self::Failed => 13,
            Self::Cancelled => 14,
        }
    }

    /// The outcome with this index, a stale one of that age.
    pub(super) const fn with_index(index: usize, age: Duration) -> Self {
        match index {
            0 => Self::Hit,
            1 => Self::Miss,
            2 => Self::Negative,
            3 => Self::Stale { age },
            4 => Self::Coalesced,
            5 => Self::Loaded,
            6 => Self::FillVoided,
            7 => Self::Bypassed,
            8 => Self::Undecodable,
            9 => Self::Fallback,
            10 => Self::Done,
            11 => Self::Unchanged,
            12 => Self::Mixed,
            13 => Self::Failed,
            _ => Self::Cancelled,
        }
    }
}

/// How many keys of an operation ended how.
///
/// # Examples
///
/// ```
/// use larder::{Cache, Ending, Hook, Operation, OperationOutcome};
/// use larder_memory::MemoryBackend;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Misses(AtomicU64);
///
/// impl Hook for Misses {
///     fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
///         if operation.kind.is_call() {
///             self.0.fetch_add(ending.counts.of(OperationOutcome::Miss), Ordering::Relaxed);
///         }
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let misses = std::sync::Arc::new(Misses::default());
/// let cache = Cache::builder(MemoryBackend::new()).hook(misses.clone()).build()?;
/// cache.set("a", &1, 60).await?;
/// cache.get_many::<u32>(["a", "b", "c"]).await?;
/// assert_eq!(misses.0.load(Ordering::Relaxed), 2);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; OperationOutcome::COUNT]);

impl Counts {
    /// The number of keys that ended so; the age of a stale one does not matter.
    #[must_use]
    pub const fn of(&self, outcome: OperationOutcome) -> u64 {
        self.0[outcome.index()]
    }

    /// The number of keys.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The names of the outcomes that there were, and how many keys had each.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }

    /// By index.
    #[cfg_attr(not(feature = "collector"), expect(dead_code, reason = "for the collector"))]
    pub(crate) const fn all(&self) -> [u64; OperationOutcome::COUNT] {
        self.0
    }

    pub(super) fn add(&mut self, outcome: OperationOutcome, keys: u64) {
        self.0[outcome.index()] += keys;
    }

    /// The one outcome that all keys had; `None` where there were several, or no keys.
    pub(super) fn uniform(&self) -> Option<usize> {
        let mut indices = (0..self.0.len()).filter(|&index| self.0[index] > 0);
        let only = indices.next()?;
        indices.next().is_none().then_some(only)
    }
}
