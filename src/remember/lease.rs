//! Leases: who loads while others wait, how they wait, and how a holder shows that it lives.
//!
//! A lease is the last part of a marker's header, or of a value's that is being reloaded. Its holder writes it anew
//! from time to time; whoever waits goes by its own clock, and by whether the bytes have changed.

use std::{
    future::{Future, pending},
    pin::pin,
    time::Duration,
};

use bytes::Bytes;
use futures::future::{Either, select};
use serde::de::DeserializeOwned;

use super::{fence::Placing, look::Seen, one::Call};
use crate::{
    backend::{CacheBackend, Condition, Expiry, SetOptions},
    clock::Clock,
    compressor::Compressor,
    envelope::{HELD_LEN, KIND_MARKER, LONG_LEN, Lease, lease_of, with_lease},
    error::Result,
    flight::Leader,
    hook::{Event, LeaseOutcome},
    random,
    serializer::Serializer,
    ttl::Ttl,
};

/// The longest pause between two looks of one that waits.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// What came of waiting for a holder.
pub(super) enum Waited<T> {
    Changed(Seen<T>),
    /// No sign of it for the length of its lease; what it wrote last.
    Silent(Bytes),
    GaveUp,
}

/// How long one call waits for holders, all of them together.
pub(super) struct Patience {
    until: Duration,
}

impl<B, S, C> Call<'_, B, S, C> {
    /// Until when this call waits, from the first time that it asks.
    pub(super) fn patience(&self) -> Patience {
        let since = *self.waits_since.get_or_init(|| self.clock().monotonic());
        Patience {
            until: since + self.plan.wait,
        }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.cache.settings().clock
    }

    /// The entry with this call as the holder of its lease, and how it is to be set; `None` where it has no room for
    /// one.
    pub(super) fn taken(&self, entry: &Bytes, length: Duration) -> Option<Placing> {
        let taken = with_lease(entry, Lease::new(self.cache.now(), length))?;
        Some(self.rewriting(entry, taken))
    }

    /// A marker outlives its lease, so that a load that takes longer can still be stored.
    pub(super) fn marker_expiry(&self) -> Expiry {
        let lease = self.plan.lease.unwrap_or_default();
        Expiry::After(self.plan.fill_window.max(lease * 2).min(Ttl::MAX))
    }

    /// How `entry` is to be set to the same with another lease.
    fn rewriting(&self, entry: &Bytes, rewritten: Bytes) -> Placing {
        let is_marker = entry.starts_with(&KIND_MARKER);
        let expiry = if is_marker { self.marker_expiry() } else { Expiry::Keep };
        let unchanged = Condition::IfStartsWith(entry.slice(..LONG_LEN));
        Placing {
            entry: rewritten,
            options: SetOptions::new(expiry).with_condition(unchanged),
            is_marker,
        }
    }
}

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Looks at the key from time to time until something else stands there than `entry` in the hands of its holder.
    pub(super) async fn wait_for_holder<T: DeserializeOwned>(
        &self,
        entry: &Bytes,
        length: Duration,
        patience: &Patience,
    ) -> Result<Waited<T>> {
        let began = self.clock().monotonic();
        // One that was placed without a lease shows no sign of life either; it has as long as this call would.
        let length = lease_of(entry)
            .map(|lease| lease.length)
            .filter(|length| !length.is_zero())
            .unwrap_or(length);
        let longest = (length / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut pause = (longest / 8).max(SHORTEST_PAUSE);
        let mut silent_at = began + length;
        let mut last = entry.clone();
        let waited = loop {
            let now = self.clock().monotonic();
            if now >= patience.until {
                break Waited::GaveUp;
            }
            if now >= silent_at {
                break Waited::Silent(last);
            }
            // Spread, or all that wait would look at the same moments.
            let spread = pause.mul_f64(random::range(0.5..1.5));
            let left = silent_at.min(patience.until).saturating_sub(now);
            self.clock().sleep(spread.min(left)).await;
            pause = (pause * 2).min(longest);
            let again = self.look().await?;
            match again.entry() {
                Some(now) if now[..] == last[..] && again.is_loading(self.cache.now()) => {}
                // The holder lives.
                Some(now) if now[..HELD_LEN] == last[..HELD_LEN] && again.is_loading(self.cache.now()) => {
                    last = now.clone();
                    silent_at = self.clock().monotonic() + length;
                }
                _ => break Waited::Changed(again),
            }
        };
        let waited_for = self.clock().monotonic().saturating_sub(began);
        self.cache.hook_list().emit(|cache| Event::LeaseWaited {
            cache,
            key: self.physical,
            waited: waited_for,
            outcome: match waited {
                Waited::Changed(_) => LeaseOutcome::Changed,
                Waited::Silent(_) => LeaseOutcome::TakenOver,
                Waited::GaveUp => LeaseOutcome::GaveUp,
            },
        });
        Ok(waited)
    }

    /// Runs `load`, and renews the lease that the leader holds for as long as that takes.
    pub(super) async fn while_renewing<F>(&self, leader: &Leader, load: F) -> F::Output
    where
        F: Future + Unpin,
    {
        let (Some(length), Some(_)) = (self.plan.lease, leader.held()) else {
            return load.await;
        };
        match select(load, pin!(self.renew(leader, length))).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((never, _)) => match never {},
        }
    }

    async fn renew(&self, leader: &Leader, length: Duration) -> std::convert::Infallible {
        while let Some(held) = leader.held() {
            self.clock().sleep(length / 3).await;
            let lease = lease_of(&held).and_then(|lease| {
                let until = self.cache.now() + length;
                with_lease(&held, Lease { until, ..lease })
            });
            let Some(renewed) = lease else { break };
            let rewriting = self.rewriting(&held, renewed);
            let options = rewriting.options;
            if let Ok(outcome) = self.store().set(self.physical, rewriting.entry.clone(), options).await
                && outcome.is_done()
            {
                leader.hold(Some(rewriting.entry));
                continue;
            }
            // It may stand as it was, or as it was to be, or with another life; or it is somebody else's now.
            match self.store().get(self.physical).await {
                Ok(Some(entry)) if entry.bytes().starts_with(&held[..HELD_LEN]) => {
                    leader.hold(Some(entry.into_bytes()));
                }
                Ok(_) => leader.hold(None),
                Err(_) => {}
            }
        }
        pending().await
    }
}
