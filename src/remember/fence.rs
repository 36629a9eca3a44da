use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{
    lease::Waited,
    look::{Found, Seen},
    one::Call,
    options::OnError,
};
use crate::{
    backend::{CacheBackend, Condition, Expiry, SetOptions},
    compressor::Compressor,
    envelope::{HELD_LEN, KIND_VALUE, LONG_LEN, Lease, SHORT_LEN, marker, with_lease},
    error::Result,
    flight::Leader,
    serializer::Serializer,
};

/// How often a leader looks again when its marker is refused. Each time means that somebody else's write came first.
const ATTEMPTS: usize = 4;

/// What a leader writes to have its place.
pub(super) struct Placing {
    pub(super) entry: Bytes,
    pub(super) options: SetOptions,
    /// It is a marker, which somebody has to release, and not a value with its lease taken.
    pub(super) is_marker: bool,
}

/// What a leader has to do next, on its way to a fence.
enum Step {
    /// Nothing: there is a value after all.
    Answer,
    /// To load, and to store nothing.
    Load,
    /// To load, and to fill what begins with this.
    LoadAgainst(Bytes),
    LookAgain,
    Place(Placing),
    /// To wait for whoever holds the lease of this entry, or has held it for longer than this.
    WaitFor(Bytes, Duration),
}

/// What a leader found when it went to place its fence.
pub(super) enum Ready<T> {
    Load,
    /// Somebody else's load was quicker.
    Found(Found<T>),
}

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    /// Gives the leader a fence that the store has acknowledged, so that the load may begin.
    ///
    /// A leader that gets none (the backend is away, or the key changes all the time) loads and stores nothing.
    pub(super) async fn place_fence<T: DeserializeOwned>(
        &self,
        leader: &Leader,
        seen: &mut Seen<T>,
    ) -> Result<Ready<T>> {
        if !self.plan.is_fenced {
            // Another call's load may have landed between this call's look and its boarding.
            if self.cache.flights().has_begun_since(self.ticket) && !matches!(seen, Seen::Away) {
                *seen = self.look().await?;
                if let Seen::Fresh(_) = seen {
                    return Ok(ready(seen));
                }
            }
            return Ok(Ready::Load);
        }
        let mut has_looked_again = false;
        let patience = self.patience();
        let mut refusals = 0;
        while refusals < ATTEMPTS {
            let placing = match self.next_step(leader, seen, has_looked_again) {
                Step::Answer => return Ok(ready(seen)),
                Step::Load => return Ok(Ready::Load),
                Step::LoadAgainst(fence) => {
                    leader.fill_against(fence);
                    return Ok(Ready::Load);
                }
                Step::LookAgain => {
                    *seen = self.look().await?;
                    has_looked_again = true;
                    continue;
                }
                Step::Place(placing) => Some(placing),
                Step::WaitFor(entry, length) => match self.wait_for_holder(&entry, length, &patience).await? {
                    Waited::Changed(again) => {
                        *seen = again;
                        has_looked_again = true;
                        continue;
                    }
                    Waited::Silent(entry) => self.taken(&entry, length),
                    Waited::GaveUp => None,
                },
            };
            let Some(placing) = placing else {
                // Beside the holder, against the same fence.
                if let Some(fence) = seen.fence() {
                    leader.fill_against(fence);
                }
                return Ok(Ready::Load);
            };
            if self.place(leader, seen, placing).await? {
                return Ok(Ready::Load);
            }
            refusals += 1;
            let was_nothing = matches!(seen, Seen::Nothing);
            *seen = self.look().await?;
            has_looked_again = true;
            if was_nothing && matches!(seen, Seen::Nothing) {
                // A key of another type reads as nothing and refuses a marker. It is left as it is.
                return Ok(Ready::Load);
            }
        }
        Ok(Ready::Load)
    }

    /// What a leader has to do next with what it has seen.
    fn next_step<T>(&self, leader: &Leader, seen: &Seen<T>, has_looked_again: bool) -> Step {
        match seen {
            Seen::Fresh(_) => Step::Answer,
            // It may have been reloaded since it was read.
            Seen::Due(_) | Seen::Stale(_) | Seen::Unwanted(_)
                if !has_looked_again
                    && !self.plan.force_refresh
                    && self.cache.flights().has_begun_since(self.ticket) =>
            {
                Step::LookAgain
            }
            Seen::Due(found) => match self.plan.lease {
                Some(_) if found.is_held(self.cache.now()) => Step::Answer,
                lease => self.take_or_join(&found.bytes, lease),
            },
            // What is loaded now is to be stored, and not what another load answers.
            Seen::Unwanted(entry) if self.plan.force_refresh => Step::LoadAgainst(entry.slice(..SHORT_LEN)),
            Seen::Stale(Found { bytes: entry, .. }) | Seen::Unwanted(entry) => match self.plan.lease {
                Some(_) if leader.is_instead_of_waiting() && seen.is_loading(self.cache.now()) => {
                    self.take_or_join(entry, None)
                }
                Some(length) if seen.is_loading(self.cache.now()) => Step::WaitFor(entry.clone(), length),
                lease => self.take_or_join(entry, lease),
            },
            Seen::Marker(marker) if leader.placed().is_some_and(|placed| marker.starts_with(&placed)) => {
                // The predecessor's own, which went before the store's answer could reach it.
                leader.hold(self.plan.lease.map(|_| marker.clone()));
                Step::LoadAgainst(marker.slice(..SHORT_LEN))
            }
            // What is loaded now is to be stored, and not what that load answers.
            Seen::Marker(marker) if self.plan.force_refresh => {
                Step::Place(self.placing(Condition::IfStartsWith(marker.slice(..SHORT_LEN))))
            }
            Seen::Marker(marker) => match self.plan.lease.filter(|_| !leader.is_instead_of_waiting()) {
                Some(length) => Step::WaitFor(marker.clone(), length),
                None if has_looked_again => Step::LoadAgainst(marker.slice(..SHORT_LEN)),
                // It may have been a flight of this process that has landed since.
                None => Step::LookAgain,
            },
            Seen::Away => Step::Load,
            // The predecessor's marker may stand there all the same.
            Seen::Nothing if !has_looked_again && leader.placed().is_some() => Step::LookAgain,
            Seen::Nothing => Step::Place(self.placing(Condition::IfAbsent)),
            Seen::Undecodable(bytes) => Step::Place(self.placing(instead_of(bytes))),
        }
    }

    /// Takes the lease of a value where that is asked for and there is room for one, else loads beside others.
    fn take_or_join(&self, entry: &Bytes, lease: Option<Duration>) -> Step {
        lease
            .and_then(|length| self.taken(entry, length))
            .map_or_else(|| Step::LoadAgainst(entry.slice(..SHORT_LEN)), Step::Place)
    }

    /// Writes what gives the leader its place; answers whether it may load now. Where not, somebody else's write came
    /// first.
    async fn place<T>(&self, leader: &Leader, seen: &mut Seen<T>, placing: Placing) -> Result<bool> {
        let entry = placing.entry;
        if placing.is_marker {
            leader.attempt(entry.slice(..HELD_LEN));
        }
        match self.store().set(self.physical, entry.clone(), placing.options).await {
            Ok(outcome) if outcome.is_done() => {
                leader.fill_against(entry.slice(..SHORT_LEN));
                leader.hold(self.plan.lease.map(|_| entry.clone()));
                seen.take(entry);
                Ok(true)
            }
            Ok(_) => {
                leader.settle();
                Ok(false)
            }
            // It may have been applied all the same; its token is never filled against, only released.
            Err(error) if self.plan.on_error == OnError::Raise => Err(error.with_operation("remember")),
            Err(_) => {
                // A fence that was there before is another matter: the store has shown it to this call.
                if let Some(fence) = seen.fence().filter(|fence| entry.starts_with(fence)) {
                    leader.fill_against(fence);
                }
                Ok(true)
            }
        }
    }

    /// A new marker, and how it is to be set.
    fn placing(&self, condition: Condition) -> Placing {
        let (entry, options) = self.marker(condition, self.plan.lease);
        Placing {
            entry,
            options,
            is_marker: true,
        }
    }

    /// A new marker with a lease of this length or none, and how it is to be set.
    pub(super) fn marker(&self, condition: Condition, lease: Option<Duration>) -> (Bytes, SetOptions) {
        let now = self.cache.now();
        let window = self.plan.fill_window;
        let lease = match lease {
            Some(length) => Lease::new(now, length),
            None => Lease {
                length: Duration::ZERO,
                ..Lease::new(now, window)
            },
        };
        let options = SetOptions::new(self.marker_expiry()).with_condition(condition);
        (marker(lease), options)
    }

    /// Removes the marker that this flight placed, and nothing else. What can not be removed now is left to the
    /// background.
    pub(super) async fn release(&self, leader: &Leader) {
        let Some(placed) = leader.placed() else {
            return;
        };
        let condition = Condition::IfStartsWith(placed);
        if self.store().delete(self.physical, condition).await.is_ok() {
            leader.settle();
        }
    }

    /// Removes the marker of a load that is not stored, and the old value where the load has shown that it is gone.
    pub(super) async fn clear(&self, leader: &Leader, is_gone: bool) {
        if let (true, None, Some(fence)) = (is_gone, leader.placed(), leader.fence()) {
            // What can not be removed now dies at the end of its life.
            let _ = self.store().delete(self.physical, Condition::IfStartsWith(fence)).await;
        }
        self.release(leader).await;
    }

    /// Notes in the value itself that its refresh has failed, so that nobody tries again before the throttle is over.
    pub(super) async fn throttle(&self, refreshed: Option<Bytes>) {
        let Some(entry) = refreshed.filter(|entry| entry.starts_with(&KIND_VALUE)) else {
            return;
        };
        let Some(paused) = with_lease(&entry, Lease::pause(self.cache.now(), self.plan.throttle)) else {
            return;
        };
        let unchanged = Condition::IfStartsWith(entry.slice(..LONG_LEN));
        let options = SetOptions::new(Expiry::Keep).with_condition(unchanged);
        // Without the note the next call tries again, which is no worse than no throttle.
        let _ = self.store().set(self.physical, paused, options).await;
    }

    /// [`throttle`](Self::throttle) for a refresh that was given up, which may have taken the value's lease meanwhile.
    pub(super) async fn throttle_given_up(&self, refreshed: &Bytes) {
        if let Ok(Some(entry)) = self.store().get(self.physical).await
            && entry.bytes().starts_with(&refreshed[..SHORT_LEN])
        {
            self.throttle(Some(entry.into_bytes())).await;
        }
    }
}

/// The condition under which a marker may take the place of these bytes.
pub(super) fn instead_of(bytes: &Bytes) -> Condition {
    if bytes.is_empty() {
        // An empty prefix means nothing; an empty value is no entry of anybody's.
        Condition::IfPresent
    } else {
        Condition::IfStartsWith(bytes.clone())
    }
}

fn ready<T>(seen: &mut Seen<T>) -> Ready<T> {
    match std::mem::replace(seen, Seen::Nothing) {
        Seen::Fresh(found) | Seen::Due(found) => Ready::Found(found),
        other => {
            *seen = other;
            Ready::Load
        }
    }
}
