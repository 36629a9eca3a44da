use std::time::Duration;

use crate::{error::Error, ttl::Ttl};

/// What a loader answers where a plain value does not say enough: its own ttl, that there is none, or that it should
/// not be stored.
///
/// # Examples
///
/// ```
/// use larder::{Cache, LoadOptions, Loaded};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let cache = Cache::new(MemoryBackend::new());
/// let options = LoadOptions::new().negative_ttl("30s");
/// let user = cache
///     .remember_with("user:1", "1h", &options, || async {
///         let guest = String::from("guest");
///         Ok::<_, std::io::Error>(Loaded::value(guest).ttl("5m"))
///     })
///     .await
///     .unwrap();
/// assert_eq!(user.value.as_deref(), Some("guest"));
/// # });
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Loaded<T> {
    pub(super) value: Option<T>,
    pub(super) ttl: Option<Result<Ttl, Error>>,
    pub(super) is_stored: bool,
}

impl<T> Loaded<T> {
    /// A value to be stored and returned.
    pub const fn value(value: T) -> Self {
        Self {
            value: Some(value),
            ttl: None,
            is_stored: true,
        }
    }

    /// That there is no value, which is stored for the negative ttl.
    pub const fn absent() -> Self {
        Self {
            value: None,
            ttl: None,
            is_stored: true,
        }
    }

    /// Gives this one answer a ttl of its own, in the place of the call's.
    pub fn ttl(mut self, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.ttl = Some(ttl.try_into().map_err(Into::into));
        self
    }

    #[cfg(feature = "macros")]
    pub(crate) fn ttl_or_error(mut self, ttl: Result<Ttl, Error>) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Returns the answer to the callers and stores nothing.
    pub const fn do_not_store(mut self) -> Self {
        self.is_stored = false;
        self
    }
}

impl<T> From<T> for Loaded<T> {
    fn from(value: T) -> Self {
        Self::value(value)
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remembered<T> {
    /// The value; `None` where it is cached, or was just loaded, that there is none.
    pub value: Option<T>,
    /// Where it came from.
    pub source: Source,
}

impl<T> Remembered<T> {
    pub(super) const fn new(value: Option<T>, source: Source) -> Self {
        Self { value, source }
    }

    /// Tells whether the value is past its ttl.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        matches!(self.source, Source::Stale { .. })
    }
}

/// Where a remembered value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The cache had it.
    Hit,
    /// This call loaded it.
    Loaded,
    /// Another call of this process loaded it, and this one waited.
    Shared,
    /// The cache had it, past its ttl by `age`.
    Stale {
        /// How long ago the value's life ended.
        age: Duration,
        /// Why a stale value was good enough.
        why: StaleReason,
    },
}

/// Why a stale value was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaleReason {
    /// The load failed just now.
    LoadFailed,
    /// A load failed a short while ago, and the next is not due yet: [`throttle`](crate::LoadOptions::throttle).
    Throttled,
    /// It is being reloaded, in the background
    /// ([`stale_while_revalidate`](crate::LoadOptions::stale_while_revalidate)), by another call, or by another process
    /// that holds its [`lease`](crate::LoadOptions::lease).
    Revalidating,
    /// The load took longer than the [soft](crate::LoadOptions::soft_timeout) or the
    /// [hard](crate::LoadOptions::hard_timeout) timeout.
    TimedOut,
}
