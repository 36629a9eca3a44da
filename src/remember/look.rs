use std::{ops::ControlFlow, time::Duration};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{
    loaded::{Remembered, Source, StaleReason},
    options::OnError,
    plan::Plan,
};
use crate::{
    backend::{CacheBackend, Entry},
    cache::Cache,
    compressor::Compressor,
    envelope::{Header, Opened, SHORT_LEN, lease_of},
    error::{ErrorKind, Result},
    flight::Sight,
    hook::Scope,
    serializer::{Decoded, Serializer},
};

/// What a call saw under its key.
#[derive(Debug)]
pub(super) enum Seen<T> {
    /// A value to be answered.
    Fresh(Found<T>),
    /// A value to be answered, past its life or not, and to be reloaded by one call.
    Due(Found<T>),
    /// A value past its logical life.
    Stale(Found<T>),
    /// A value that does not answer this call; its whole entry.
    Unwanted(Bytes),
    /// A load under way, here or elsewhere; its whole marker.
    Marker(Bytes),
    /// Bytes that are neither.
    Undecodable(Bytes),
    Nothing,
    /// The backend did not say.
    Away,
}

#[derive(Debug)]
pub(super) struct Found<T> {
    /// `None` where a `None` is stored and `T` is no `Option`.
    pub(super) value: Option<T>,
    pub(super) header: Header,
    pub(super) bytes: Bytes,
}

impl<T> Found<T> {
    pub(super) fn fence(&self) -> Bytes {
        self.bytes.slice(..SHORT_LEN)
    }

    pub(super) fn age(&self, now: Duration) -> Duration {
        self.header
            .times()
            .map_or(Duration::ZERO, |times| now.saturating_sub(times.expires))
    }
}

impl<T> Found<T> {
    /// This as an answer at once: a hit, or a stale value that is being reloaded.
    pub(super) fn answer(self, now: Duration) -> Remembered<T> {
        let source = if self.is_stale(now) {
            Source::Stale {
                age: self.age(now),
                why: self.why_not_loaded(now),
            }
        } else {
            Source::Hit
        };
        Remembered::new(self.value, source)
    }

    /// Why a stale value is answered without a load.
    fn why_not_loaded(&self, now: Duration) -> StaleReason {
        if self.is_held(now) && !self.is_loading(now) {
            StaleReason::Throttled
        } else {
            StaleReason::Revalidating
        }
    }

    pub(super) fn is_stale(&self, now: Duration) -> bool {
        self.header.fresh_for(now) == Some(Duration::ZERO)
    }

    /// Somebody else reloads it, or it is to be left alone after a reload that failed.
    pub(super) fn is_held(&self, now: Duration) -> bool {
        self.header.lease().is_some_and(|lease| lease.is_held(now))
    }

    /// Somebody else reloads it.
    pub(super) fn is_loading(&self, now: Duration) -> bool {
        self.header.lease().is_some_and(|lease| lease.is_loading(now))
    }
}

impl<T> Seen<T> {
    /// The part of this that decides which flights may be shared.
    pub(super) fn sight(&self, plan: &Plan) -> Sight<'_> {
        if plan.force_refresh {
            return Sight::Nothing;
        }
        if !plan.is_fenced {
            return Sight::Blind;
        }
        match self {
            Self::Fresh(found) | Self::Due(found) | Self::Stale(found) => Sight::Fence(&found.bytes[..SHORT_LEN]),
            Self::Unwanted(entry) | Self::Marker(entry) => Sight::Fence(&entry[..SHORT_LEN]),
            Self::Undecodable(_) | Self::Nothing => Sight::Nothing,
            Self::Away => Sight::Blind,
        }
    }

    /// What stands under the key, where that is a marker or a value to be reloaded.
    pub(super) fn entry(&self) -> Option<&Bytes> {
        match self {
            Self::Marker(bytes) | Self::Unwanted(bytes) => Some(bytes),
            Self::Due(found) | Self::Stale(found) => Some(&found.bytes),
            _ => None,
        }
    }

    /// Tells whether somebody else may be loading what stands under the key.
    pub(super) fn is_loading(&self, now: Duration) -> bool {
        match self {
            Self::Marker(_) => true,
            Self::Unwanted(entry) => lease_of(entry).is_some_and(|lease| lease.is_loading(now)),
            Self::Due(found) | Self::Stale(found) => found.is_loading(now),
            _ => false,
        }
    }

    /// The entry that may be answered in the place of a load that takes too long.
    pub(super) fn kept(&self, plan: &Plan, now: Duration) -> Option<Bytes> {
        match self {
            Self::Fresh(found) | Self::Due(found) | Self::Stale(found)
                if !found.is_stale(now) || plan.stale_window().is_some_and(|window| found.age(now) < window) =>
            {
                Some(found.bytes.clone())
            }
            _ => None,
        }
    }

    /// What a load of this call may fill against besides a marker of its own.
    pub(super) fn fence(&self) -> Option<Bytes> {
        self.entry().map(|entry| entry.slice(..SHORT_LEN))
    }

    /// Notes the entry as it stands now that its lease is taken.
    pub(super) fn take(&mut self, entry: Bytes) {
        match self {
            Self::Due(found) | Self::Stale(found) => found.bytes = entry,
            Self::Unwanted(bytes) => *bytes = entry,
            _ => {}
        }
    }

    /// The entry that a load of this call reloads.
    pub(super) fn refreshed(&self) -> Option<Bytes> {
        match self {
            Self::Due(found) | Self::Stale(found) => Some(found.bytes.clone()),
            _ => None,
        }
    }

    /// The answer that this is without a load, where it is one.
    pub(super) fn answer(self, plan: &Plan, now: Duration) -> ControlFlow<Remembered<T>, Self> {
        match self {
            Self::Fresh(found) => ControlFlow::Break(Remembered::new(found.value, Source::Hit)),
            Self::Stale(found) if found.is_held(now) => {
                let why = found.why_not_loaded(now);
                Self::Stale(found).fall_back(plan, now, why)
            }
            seen => ControlFlow::Continue(seen),
        }
    }

    /// The answer that this is when the load has failed, where it is one.
    pub(super) fn fall_back(self, plan: &Plan, now: Duration, why: StaleReason) -> ControlFlow<Remembered<T>, Self> {
        match self {
            Self::Fresh(found) | Self::Due(found) if !found.is_stale(now) => {
                ControlFlow::Break(Remembered::new(found.value, Source::Hit))
            }
            // It may have been fresh when the load began.
            Self::Fresh(found) | Self::Due(found) | Self::Stale(found) => {
                let age = found.age(now);
                match plan.stale_window() {
                    Some(window) if age < window => {
                        ControlFlow::Break(Remembered::new(found.value, Source::Stale { age, why }))
                    }
                    _ => ControlFlow::Continue(Self::Stale(found)),
                }
            }
            seen => ControlFlow::Continue(seen),
        }
    }
}

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// What an entry is to a `remember`.
    ///
    /// `wants_value`: a stored `None` does not answer a call that has to return a `T`.
    pub(super) fn classify<T: DeserializeOwned>(
        &self,
        scope: &Scope<'_>,
        physical: &str,
        entry: Result<Option<Entry>>,
        plan: &Plan,
        wants_value: bool,
    ) -> Result<Seen<T>> {
        let bytes = match entry {
            Ok(Some(entry)) => entry.into_bytes(),
            Ok(None) => return Ok(Seen::Nothing),
            Err(error) if plan.on_error == OnError::Raise || error.kind() == ErrorKind::InvalidInput => {
                return Err(error.with_operation("remember"));
            }
            Err(_) => return Ok(Seen::Away),
        };
        let (value, header) = match self.open(scope, physical, &bytes, plan.schema) {
            Ok(Opened::Marker) => return Ok(Seen::Marker(bytes)),
            Ok(Opened::Value(value, header)) => (value, header),
            Err(reason) => {
                self.undecodable(scope, reason)
                    .map_err(|error| error.with_operation("remember"))?;
                return Ok(Seen::Undecodable(bytes));
            }
        };
        let value = match value {
            Decoded::Value(value) => Some(value),
            Decoded::Absent => None,
        };
        if plan.force_refresh || (value.is_none() && wants_value) {
            return Ok(Seen::Unwanted(bytes));
        }
        let now = self.now();
        let found = Found { value, header, bytes };
        Ok(if found.is_stale(now) {
            let is_revalidated = plan
                .stale_while_revalidate
                .is_some_and(|window| found.age(now) < window);
            if is_revalidated && !found.is_held(now) {
                Seen::Due(found)
            } else {
                Seen::Stale(found)
            }
        } else if plan.is_due(&found.header, now) {
            Seen::Due(found)
        } else {
            Seen::Fresh(found)
        })
    }
}
