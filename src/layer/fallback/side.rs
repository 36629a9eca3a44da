use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::journal::Journal;
use crate::{
    error::{Error, ErrorKind},
    layer::Listener,
};

/// Which side of a [`Fallback`](crate::Fallback) answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FallbackState {
    /// The primary, for every key.
    Primary,
    /// The secondary: the primary was away when it was last asked.
    Secondary,
    /// The primary, but for the keys in the journal, which are misses until they are deleted there.
    Replaying,
}

impl FallbackState {
    /// The state in `snake_case`, for labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Replaying => "replaying",
        }
    }
}

/// What the last answers have said of the primary.
#[derive(Debug)]
pub(super) struct Side {
    is_away: AtomicBool,
    /// As it was last told; `is_calm` says that it is `Primary`, which most answers find.
    told: Mutex<FallbackState>,
    is_calm: AtomicBool,
    listener: Listener<FallbackState>,
}

impl Side {
    pub(super) fn new(listener: Listener<FallbackState>) -> Self {
        Self {
            is_away: AtomicBool::new(false),
            told: Mutex::new(FallbackState::Primary),
            is_calm: AtomicBool::new(true),
            listener,
        }
    }

    pub(super) fn state(&self, journal: &Journal) -> FallbackState {
        if self.is_away.load(Ordering::Acquire) {
            FallbackState::Secondary
        } else if journal.is_empty() {
            FallbackState::Primary
        } else {
            FallbackState::Replaying
        }
    }

    /// Tells whether nothing is to be done about an answer of the primary's.
    pub(super) fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Acquire)
    }

    pub(super) fn answered(&self, journal: &Journal) {
        self.is_away.store(false, Ordering::Release);
        self.update(journal);
    }

    pub(super) fn failed(&self, error: &Error, journal: &Journal) {
        // One that is overloaded is there, and answers others.
        if error.kind() != ErrorKind::Overloaded {
            self.is_away.store(true, Ordering::Release);
        }
        self.update(journal);
    }

    pub(super) fn update(&self, journal: &Journal) {
        let mut told = self.told.lock();
        let now = self.state(journal);
        if *told == now {
            return;
        }
        *told = now;
        self.is_calm.store(now == FallbackState::Primary, Ordering::Release);
        drop(told);
        self.listener.tell(now);
    }
}
