use std::{fmt, time::Duration};

use bytes::Bytes;

use crate::error::{Error, Result};

/// What must hold of a key for a write to happen, tested and acted upon in one atomic step.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Condition {
    /// Whatever stands there, or nothing.
    #[default]
    Always,
    /// The key does not exist. Only `set` takes it.
    IfAbsent,
    /// The key exists and holds a value, the empty one included.
    IfPresent,
    /// The key exists and its bytes begin with these, of which there is at least one.
    IfStartsWith(Bytes),
}

impl Condition {
    /// Checks that the condition makes sense for a change to a key that stands: `delete`, `expire` or `persist`.
    ///
    /// Backends call it first, so that all of them refuse the same calls in the same words.
    ///
    /// # Errors
    ///
    /// Invalid input for `IfAbsent` and for an empty prefix.
    pub fn check_for_change(&self) -> Result<()> {
        match self {
            Self::IfAbsent => Err(Error::invalid(
                "Condition::IfAbsent: only set can act on a key that does not exist",
            )),
            Self::IfStartsWith(prefix) => check_prefix(prefix),
            Self::Always | Self::IfPresent => Ok(()),
        }
    }
}

// By hand, like every type here that holds a part of a key or a value: those are nobody's to print.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("Always"),
            Self::IfAbsent => f.write_str("IfAbsent"),
            Self::IfPresent => f.write_str("IfPresent"),
            Self::IfStartsWith(prefix) => write!(f, "IfStartsWith({} bytes)", prefix.len()),
        }
    }
}

fn check_prefix(prefix: &Bytes) -> Result<()> {
    if prefix.is_empty() {
        return Err(Error::invalid(
            "Condition::IfStartsWith: the prefix is empty; IfPresent means any value that exists",
        ));
    }
    Ok(())
}

/// What became of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The condition held and the write was applied.
    Done,
    /// The key exists and the condition did not hold; nothing changed.
    Mismatch,
    /// The write needs a key that exists, and it does not; nothing changed.
    Missing,
}

impl Outcome {
    /// Tells whether the write was applied.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Done)
    }
}

/// What a `set` does to the life of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Expiry {
    /// The key dies this long from now, to the millisecond; a part of a millisecond counts as a whole one.
    After(Duration),
    /// The key does not expire.
    Never,
    /// The key keeps the life it has. Implies that it exists: on a missing key the write answers
    /// [`Outcome::Missing`], because Redis itself would make the key immortal.
    Keep,
}

impl Expiry {
    /// The longest life a backend is asked for, in milliseconds: far above [`Ttl::MAX`](crate::Ttl::MAX), and far
    /// below where Redis's own arithmetic overflows.
    pub const MAX_MILLIS: u64 = 1 << 53;

    /// A life in whole milliseconds: a part of a millisecond counts as a whole one.
    ///
    /// # Errors
    ///
    /// Invalid input for a zero span, which would delete the key, and for one above [`Expiry::MAX_MILLIS`].
    ///
    /// ```
    /// use larder::Expiry;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Expiry::whole_millis(Duration::from_micros(1_001)).unwrap(), 2);
    /// assert!(Expiry::whole_millis(Duration::ZERO).is_err());
    /// ```
    pub fn whole_millis(span: Duration) -> Result<u64> {
        match u64::try_from(span.as_nanos().div_ceil(1_000_000)) {
            Ok(0) => Err(Error::invalid("expiry 0ms: it would delete the key")),
            Ok(millis) if millis <= Self::MAX_MILLIS => Ok(millis),
            _ => Err(Error::invalid(format!(
                "expiry {span:?}: longer than {} ms; use Expiry::Never",
                Self::MAX_MILLIS
            ))),
        }
    }
}

/// The remaining life of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyTtl {
    /// No value stands under the key.
    Missing,
    /// The value does not expire.
    Persistent,
    /// The value expires after this span, which has millisecond resolution and is at least 1 ms.
    Expires(Duration),
}

impl KeyTtl {
    /// The remaining span, where there is one.
    ///
    /// ```
    /// use larder::KeyTtl;
    /// use std::time::Duration;
    ///
    /// assert_eq!(KeyTtl::Expires(Duration::from_secs(5)).remaining(), Some(Duration::from_secs(5)));
    /// assert_eq!(KeyTtl::Persistent.remaining(), None);
    /// ```
    #[must_use]
    pub const fn remaining(self) -> Option<Duration> {
        match self {
            Self::Expires(span) => Some(span),
            Self::Missing | Self::Persistent => None,
        }
    }
}

/// How a `set` treats what stands under its key.
///
/// # Examples
///
/// ```
/// use larder::{Condition, Expiry, SetOptions};
/// use std::time::Duration;
///
/// let options = SetOptions::new(Expiry::After(Duration::from_secs(60))).with_condition(Condition::IfAbsent);
/// assert_eq!(options.condition, Condition::IfAbsent);
///
/// let hurried = options.with_deadline(Duration::from_millis(20));
/// assert!(hurried.check().is_ok());
/// let error = hurried.with_deadline(Duration::ZERO).check().unwrap_err();
/// assert_eq!(error.to_string(), "deadline 0ns: the write could never be sent");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetOptions {
    /// What the write does to the life of the key.
    pub expiry: Expiry,
    /// What must hold for the write to happen. [`Condition::Always`] unless set.
    pub condition: Condition,
    /// How long the write may take, from the beginning of its call: one that has not left this process by then fails with
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) and is never applied. The backend's own deadline counts where it
    /// is shorter, and alone where there is none here, as is the default. A backend in this process acts at once and has
    /// no use for it.
    pub deadline: Option<Duration>,
}

impl SetOptions {
    /// An unconditional write with this expiry.
    #[must_use]
    pub const fn new(expiry: Expiry) -> Self {
        Self {
            expiry,
            condition: Condition::Always,
            deadline: None,
        }
    }

    /// Makes the write conditional.
    #[must_use]
    pub fn with_condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Gives the write a [deadline](Self::deadline) of its own. [`check`](Self::check) refuses zero.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Checks that the options make sense together.
    ///
    /// Backends call it first, so that all of them refuse the same calls in the same words.
    ///
    /// # Errors
    ///
    /// Invalid input for an expiry that [`Expiry::whole_millis`] refuses, for `Keep` with `IfAbsent`, for an empty
    /// prefix, and for a deadline of zero.
    pub fn check(&self) -> Result<()> {
        if self.deadline.is_some_and(|deadline| deadline.is_zero()) {
            return Err(Error::invalid("deadline 0ns: the write could never be sent"));
        }
        if let Expiry::After(span) = self.expiry {
            Expiry::whole_millis(span)?;
        }
        match &self.condition {
            Condition::IfAbsent if self.expiry == Expiry::Keep => Err(Error::invalid(
                "Expiry::Keep with Condition::IfAbsent: an absent key has no life to keep",
            )),
            Condition::IfStartsWith(prefix) => check_prefix(prefix),
            Condition::Always | Condition::IfAbsent | Condition::IfPresent => Ok(()),
        }
    }
}

/// One write of a [`set_many`](crate::CacheBackend::set_many).
#[derive(Clone)]
#[non_exhaustive]
pub struct SetItem {
    /// The physical key.
    pub key: String,
    /// The bytes to store.
    pub value: Bytes,
    /// How this one write treats what stands there.
    pub options: SetOptions,
}

impl SetItem {
    /// The write of `value` under `key`.
    pub fn new(key: impl Into<String>, value: impl Into<Bytes>, options: SetOptions) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            options,
        }
    }
}

impl fmt::Debug for SetItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetItem")
            .field("key_len", &self.key.len())
            .field("value_len", &self.value.len())
            .field("options", &self.options)
            .finish()
    }
}

/// What a backend is and may do that Redis does not, as data; tests select by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The backend is bounded and may drop any entry at any time. Default: `false`.
    pub evicts: bool,
    /// The system that it stores in, by its name in OpenTelemetry's `db.system.name`, such as `redis`. Default:
    /// `larder`, for what is in the process itself.
    pub system: &'static str,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            evicts: false,
            system: "larder",
        }
    }
}

impl Capabilities {
    /// Says whether entries may be dropped before they expire.
    #[must_use]
    pub const fn with_evicts(mut self, evicts: bool) -> Self {
        self.evicts = evicts;
        self
    }

    /// Names the system that the backend stores in.
    #[must_use]
    pub const fn with_system(mut self, system: &'static str) -> Self {
        self.system = system;
        self
    }
}
