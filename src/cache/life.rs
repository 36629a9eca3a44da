use std::time::Duration;

use super::{
    Cache, during,
    write::{ATTEMPTS, contended, done_if},
};
use crate::{
    backend::{CacheBackend, Condition, Expiry, KeyTtl, Outcome, SetOptions},
    envelope::{HEAD_LEN, Header, LONG_LEN, Parsed, SHORT_LEN, Times, parse, with_life},
    error::{Error, Result},
    hook::{OperationKind, Scope},
    ttl::Ttl,
};

impl<B: CacheBackend, S, C> Cache<B, S, C> {
    /// Gives the value under `key` a life of `ttl` from now, without jitter; answers whether there was a value.
    ///
    /// Takes two round trips: one looks at the entry, one changes it if it is still the same. [`Ttl::FOREVER`] takes the expiry off, like [`persist`](Self::persist). Any load of this key that is under way
    /// is voided where it stands in the key.
    ///
    /// # Errors
    ///
    /// A malformed, negative or zero ttl, an over-long key; what the backend raises.
    pub async fn expire(&self, key: &str, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<bool> {
        let ttl = self.settings().ttl(ttl);
        self.live_for(key, ttl, OperationKind::Expire).await
    }

    /// Gives the value under `key` a fresh life of the cache's `default_ttl`; answers whether there was a value.
    ///
    /// # Errors
    ///
    /// A cache without a `default_ttl`; as [`expire`](Self::expire).
    pub async fn touch(&self, key: &str) -> Result<bool> {
        let ttl = self.settings().ttl(Ttl::DEFAULT);
        self.live_for(key, ttl, OperationKind::Touch).await
    }

    /// Takes the expiry off the value under `key`; answers whether there was a value.
    ///
    /// # Errors
    ///
    /// An over-long key; what the backend raises.
    pub async fn persist(&self, key: &str) -> Result<bool> {
        self.live_for(key, Ok(Ttl::FOREVER), OperationKind::Persist).await
    }

    async fn live_for(&self, key: &str, ttl: Result<Ttl>, kind: OperationKind) -> Result<bool> {
        let scope = self.begin(kind, Some(key), None);
        let changed = self.try_live_for(&scope, key, ttl).await;
        scope.end(&changed, done_if);
        changed
    }

    async fn try_live_for(&self, scope: &Scope<'_>, key: &str, ttl: Result<Ttl>) -> Result<bool> {
        let ttl = ttl.map_err(during(scope.name()))?;
        let physical = self.inner.keys.physical(key).map_err(during(scope.name()))?;
        let changed = self.live_at(scope, &physical, ttl).await;
        self.or_nothing(scope, key, changed, false)
    }

    async fn live_at(&self, scope: &Scope<'_>, physical: &str, ttl: Ttl) -> Result<bool> {
        let operation = scope.name();
        for attempt in 1..=ATTEMPTS {
            scope.attempt(attempt);
            let outcome = self.change_life(scope, physical, ttl.as_duration()).await;
            match outcome.map_err(during(operation))? {
                Change::Done(is_value) => return Ok(is_value),
                Change::Again => {}
            }
        }
        Err(contended(operation))
    }

    /// Changes the life of the very entry that it looks at.
    async fn change_life(&self, scope: &Scope<'_>, physical: &str, life: Option<Duration>) -> Result<Change> {
        let backend = self.store(scope);
        let Some(head) = backend.head(physical, HEAD_LEN).await? else {
            return Ok(Change::Done(false));
        };
        let this = || Condition::IfStartsWith(head.bytes().slice(..SHORT_LEN));
        let outcome = match (parse(head.bytes()), life) {
            (Err(_), _) | (Ok(Parsed::Marker(_)), None) => return Ok(Change::Done(false)),
            (Ok(Parsed::Marker(_)), Some(_)) => {
                // A marker that outlived its load's window would stand in the way, so the load is voided instead.
                self.flights().void(physical);
                return match backend.delete(physical, this()).await? {
                    Outcome::Mismatch => Ok(Change::Again),
                    _ => Ok(Change::Done(false)),
                };
            }
            (Ok(Parsed::Value(header)), _) if header.fresh_for(self.now()) == Some(Duration::ZERO) => {
                return Ok(Change::Done(false));
            }
            (Ok(Parsed::Value(header)), _) if header.times().is_some() => {
                return (self.change_logical_life(scope, physical, &header, head.ttl(), life)).await;
            }
            (Ok(Parsed::Value(_)), Some(span)) => backend.expire(physical, span, this()).await?,
            (Ok(Parsed::Value(_)), None) => backend.persist(physical, this()).await?,
        };
        Ok(if outcome.is_done() {
            Change::Done(true)
        } else {
            Change::Again
        })
    }

    /// Rewrites the header of an entry with a logical life, which lives on past it for as long as it did before.
    async fn change_logical_life(
        &self,
        scope: &Scope<'_>,
        physical: &str,
        header: &Header,
        kept: KeyTtl,
        life: Option<Duration>,
    ) -> Result<Change> {
        let backend = self.store(scope);
        let now = self.now();
        let Some(entry) = backend.get(physical).await? else {
            return Ok(Change::Again);
        };
        let beyond = match (kept, header.fresh_for(now)) {
            (KeyTtl::Expires(physical), Some(logical)) => physical.saturating_sub(logical),
            _ => Duration::ZERO,
        };
        let (expires, expiry) = match life {
            Some(life) => (now + life, Expiry::After(life + beyond)),
            None => (Times::NEVER, Expiry::Never),
        };
        let rewritten = match with_life(physical, entry.bytes(), now, expires) {
            Ok(Some(rewritten)) => rewritten,
            Ok(None) => return Ok(Change::Again),
            Err(reason) => return self.undecodable(scope, reason).map(|()| Change::Done(false)),
        };
        // The whole lease block has to be as it was read, or a take-over would be undone.
        let unchanged = Condition::IfStartsWith(entry.bytes().slice(..LONG_LEN));
        let options = SetOptions::new(expiry).with_condition(unchanged);
        Ok(if backend.set(physical, rewritten, options).await?.is_done() {
            Change::Done(true)
        } else {
            Change::Again
        })
    }
}

enum Change {
    /// There was, or was not, a value whose life is now another.
    Done(bool),
    /// Somebody else's write came in between.
    Again,
}
