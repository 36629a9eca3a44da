use std::{any::Any, fmt, time::Duration};

use super::OperationKind;
use crate::{
    error::Error,
    layer::{BreakerState, FallbackState},
};

/// Something that happened and is no [`Operation`](crate::Operation).
///
/// Keys are those the backend sees, prefix included. Each event carries the name of its cache, or, from a layer, the
/// name that the layer was given.
#[non_exhaustive]
pub enum Event<'a> {
    /// A load ended that went on without the call that began it.
    #[non_exhaustive]
    BackgroundLoad {
        /// The name of the cache.
        cache: &'a str,
        /// The key that was loaded.
        key: &'a str,
        /// How it ended.
        outcome: BackgroundOutcome<'a>,
    },
    /// A call waited for the load of another process.
    #[non_exhaustive]
    LeaseWaited {
        /// The name of the cache.
        cache: &'a str,
        /// The key whose lease another process held.
        key: &'a str,
        /// How long.
        waited: Duration,
        /// How the wait ended.
        outcome: LeaseOutcome,
    },
    /// The backend was away, and the [`FallbackPolicy`](crate::FallbackPolicy) of a call answered for one key.
    #[non_exhaustive]
    FallbackAnswered {
        /// The name of the cache.
        cache: &'a str,
        /// The call.
        kind: OperationKind,
        /// What the backend failed with.
        error: &'a Error,
    },
    /// A [`Breaker`](crate::Breaker) is in another state.
    #[non_exhaustive]
    BreakerChanged {
        /// The name that the breaker was given.
        cache: &'a str,
        /// The new state.
        state: BreakerState,
    },
    /// Another side of a [`Fallback`](crate::Fallback) layer answers.
    #[non_exhaustive]
    FallbackSwitched {
        /// The name that the layer was given.
        cache: &'a str,
        /// Who answers now.
        state: FallbackState,
    },
    /// Entries have left the journal of a [`Fallback`](crate::Fallback) layer: the primary has deleted, or replaced,
    /// what they name.
    #[non_exhaustive]
    JournalReplayed {
        /// The name that the layer was given.
        cache: &'a str,
        /// How many entries.
        entries: usize,
    },
    /// The journal of a [`Fallback`](crate::Fallback) layer had no place for a key or a pattern, and widened a pattern.
    #[non_exhaustive]
    JournalOverflowed {
        /// The name that the layer was given.
        cache: &'a str,
    },
}

impl Event<'_> {
    /// The name of the cache, or of the layer, that it happened in.
    #[must_use]
    pub const fn cache(&self) -> &str {
        match self {
            Self::BackgroundLoad { cache, .. }
            | Self::LeaseWaited { cache, .. }
            | Self::FallbackAnswered { cache, .. }
            | Self::BreakerChanged { cache, .. }
            | Self::FallbackSwitched { cache, .. }
            | Self::JournalReplayed { cache, .. }
            | Self::JournalOverflowed { cache } => cache,
        }
    }
}

// By hand: keys are nobody's to print.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct(match self {
            Self::BackgroundLoad { .. } => "BackgroundLoad",
            Self::LeaseWaited { .. } => "LeaseWaited",
            Self::FallbackAnswered { .. } => "FallbackAnswered",
            Self::BreakerChanged { .. } => "BreakerChanged",
            Self::FallbackSwitched { .. } => "FallbackSwitched",
            Self::JournalReplayed { .. } => "JournalReplayed",
            Self::JournalOverflowed { .. } => "JournalOverflowed",
        });
        text.field("cache", &self.cache());
        match self {
            Self::BackgroundLoad { outcome, .. } => text.field("outcome", outcome),
            Self::LeaseWaited { waited, outcome, .. } => text.field("waited", waited).field("outcome", outcome),
            Self::FallbackAnswered { kind, error, .. } => text.field("kind", kind).field("error", error),
            Self::BreakerChanged { state, .. } => text.field("state", state),
            Self::FallbackSwitched { state, .. } => text.field("state", state),
            Self::JournalReplayed { entries, .. } => text.field("entries", entries),
            Self::JournalOverflowed { .. } => &mut text,
        };
        text.finish_non_exhaustive()
    }
}

/// How a load ended that went on without the call that began it.
#[non_exhaustive]
pub enum BackgroundOutcome<'a> {
    /// With an answer, stored or not.
    Loaded,
    /// With the loader's own error.
    Failed(&'a (dyn Any + Send + Sync)),
    /// With an error of the cache or its backend.
    Raised(&'a Error),
    /// With a panic of the loader, or of what encodes its value.
    Panicked,
    /// It was given up: it ran longer than the [`fill_window`](crate::LoadOptions::fill_window) without a caller.
    TimedOut,
    /// It did not begin, or was not allowed to go on: as much as may runs already, or the cache was closed.
    Refused,
}

/// How a wait for another process's load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseOutcome {
    /// There was news: a value, or a key that is free again.
    Changed,
    /// The holder was silent for the length of its lease, and this call loads in its place.
    TakenOver,
    /// The wait took as long as it may, and this call loads beside the holder.
    GaveUp,
}

impl BackgroundOutcome<'_> {
    /// The outcome in `snake_case`, for labels.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Failed(_) => "failed",
            Self::Raised(_) => "raised",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
        }
    }
}

// By hand: what a loader fails with may say anything.
impl fmt::Debug for BackgroundOutcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded => f.write_str("Loaded"),
            Self::Failed(_) => f.write_str("Failed"),
            Self::Raised(error) => f.debug_tuple("Raised").field(error).finish(),
            Self::Panicked => f.write_str("Panicked"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Refused => f.write_str("Refused"),
        }
    }
}

impl LeaseOutcome {
    /// The outcome in `snake_case`, for labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::TakenOver => "taken_over",
            Self::GaveUp => "gave_up",
        }
    }
}
