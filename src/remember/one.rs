use std::{
    future::Future,
    ops::ControlFlow,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use futures::future::{Either, select};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::LoadError,
    loaded::{Loaded, Remembered, Source, StaleReason},
    look::{Found, Seen},
    options::{LoadOptions, OnError},
    outcome::end_remembered,
    plan::Plan,
};
use crate::{
    backend::CacheBackend,
    cache::Cache,
    compressor::Compressor,
    envelope::Opened,
    error::{Error, Result},
    flight::{Arrival, Boarding, Follower, Landing, Leader, Ticket},
    hook::{OperationKind, Scope, Store},
    serializer::{Decoded, Serializer},
    ttl::Ttl,
};

/// Everything about one call but its loader.
#[derive(Debug)]
pub(super) struct Call<'a, B, S, C> {
    pub(super) cache: &'a Cache<B, S, C>,
    pub(super) physical: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) ttl: Ttl,
    /// When the call began.
    pub(super) ticket: Ticket,
    /// The call has to answer a value: a stored `None` is a miss to it.
    pub(super) wants_value: bool,
    /// When the call first had to wait, by the monotonic clock.
    pub(super) waits_since: OnceLock<Duration>,
    /// Whether its own loader has ended; kept where somebody asks.
    pub(super) has_loaded: OnceLock<Arc<AtomicBool>>,
    /// What the call is to hooks.
    pub(super) scope: &'a Scope<'a>,
}

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// Answers the value under `key`; on a miss runs `loader`, stores what it answers for `ttl`, and answers that.
    ///
    /// # Behavior
    ///
    /// - A hit costs one read and nothing else.
    /// - **One load.** Of the calls of this process that miss at the same time, one runs its loader and the others wait
    ///   for it and decode its value. A load is shared only by calls that began before it did, or that saw its marker
    ///   standing in the key: a call made after an invalidation has returned never gets an older value.
    /// - **Nothing is resurrected.** Before it loads, the call puts a marker in the key, and what it loads is stored
    ///   only if that marker still stands. Whoever deletes or sets the key meanwhile, in this process or another,
    ///   through larder or not, voids the fill: the caller gets its value, and the cache keeps nothing.
    /// - **An outage costs no value.** Where the backend fails, the loader runs and its value is returned;
    ///   [`OnError::Raise`] asks for the error.
    /// - A `None` that is loaded is stored like any value; see [`LoadOptions::negative_ttl`].
    ///
    /// The loader may borrow: it runs inside this call's own future, and nothing is spawned.
    /// [`remember_with`](Self::remember_with) takes options, and tells where the value came from.
    ///
    /// # Errors
    ///
    /// [`LoadError::Loader`] where the load failed, for every call that shared it; the next call loads again. The
    /// other kinds are said at [`LoadError`].
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped while it loads hands the key over to exactly one of those that wait, which runs its own
    /// loader. If nobody waits, its marker is removed.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder::Cache;
    /// use larder_memory::MemoryBackend;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::new());
    /// let id = 1;
    /// let load = async || Ok::<_, std::io::Error>(format!("user {id}"));
    ///
    /// let user: String = cache.remember("user:1", "1h", load).await?;
    /// assert_eq!(user, "user 1");
    /// let again: String = cache.remember("user:1", "1h", async || Err(std::io::Error::other("not asked"))).await?;
    /// assert_eq!(again, "user 1");
    /// # Ok::<(), larder::LoadError<std::io::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn remember<T, E, F, Fut>(
        &self,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        loader: F,
    ) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let defaults = &self.settings().load_options;
        let answer = self
            .remember_by(key, ttl, defaults, true, async || loader().await.map(Loaded::value))
            .await?;
        answer
            .value
            .ok_or_else(|| LoadError::Cache(Error::codec("remember: the value is gone")))
    }

    /// [`remember`](Self::remember) with options, for a loader that answers a [`Loaded`], and an answer that says
    /// where the value came from.
    ///
    /// # Errors
    ///
    /// As [`remember`](Self::remember), and an option out of range.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder::{Cache, LoadOptions, Loaded, Source};
    /// use larder_memory::MemoryBackend;
    ///
    /// # futures::executor::block_on(async {
    /// let cache = Cache::new(MemoryBackend::new());
    /// let options = LoadOptions::new().negative_ttl("30s");
    /// let nobody = || async { Ok::<Loaded<String>, std::io::Error>(Loaded::absent()) };
    ///
    /// let first = cache.remember_with("user:9", "1h", &options, nobody).await.unwrap();
    /// assert_eq!((first.value, first.source), (None, Source::Loaded));
    /// let second = cache.remember_with("user:9", "1h", &options, nobody).await.unwrap();
    /// assert_eq!((second.value, second.source), (None, Source::Hit));
    /// # });
    /// ```
    pub async fn remember_with<T, E, F, Fut>(
        &self,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        loader: F,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded<T>, E>>,
    {
        self.remember_by(key, ttl, options, false, async || loader().await)
            .await
    }

    /// Answers a value where `wants_value`: a stored `None` is a miss then, unless `T` is an `Option`.
    pub(crate) async fn remember_by<T, E, F>(
        &self,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        wants_value: bool,
        loader: F,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: AsyncFnOnce() -> Result<Loaded<T>, E>,
    {
        let scope = self.begin(OperationKind::Remember, Some(key), None);
        let answer = self.try_remember(&scope, key, ttl, options, wants_value, loader).await;
        end_remembered(scope, &answer);
        answer
    }

    async fn try_remember<T, E, F>(
        &self,
        scope: &Scope<'_>,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        wants_value: bool,
        loader: F,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: AsyncFnOnce() -> Result<Loaded<T>, E>,
    {
        let ticket = self.flights().ticket();
        let plan = self.plan(options)?;
        let call = Call {
            cache: self,
            physical: &self.physical(key, "remember")?,
            plan: &plan,
            ttl: self.ttl_of(ttl, "remember")?,
            ticket,
            wants_value,
            waits_since: OnceLock::new(),
            has_loaded: OnceLock::new(),
            scope,
        };
        let seen = match call.look().await?.answer(&plan, self.now()) {
            ControlFlow::Break(answer) => return Ok(answer),
            ControlFlow::Continue(seen) => seen,
        };
        let kept = seen.kept(&plan, self.now());
        // Boxed, so that a hit pays nothing for the size of a load.
        let load = Box::pin(async {
            // Declared before any leader or follower, so that it is dropped after them and sees what they leave.
            let _sweeper = self.sweeper();
            match call.board(seen).await {
                Boarded::Answered(answer) => answer,
                Boarded::Leads(leader, seen) => call.lead(leader, seen, loader).await,
                Boarded::Refreshes(leader, found) => call.lead(leader, Seen::Due(found), loader).await,
                Boarded::IsAlone(seen) => call.load_alone(seen, loader).await,
            }
        });
        call.in_time(load, kept, None).await
    }
}

/// What a call has to do once it has looked at the flights.
pub(super) enum Boarded<T, E> {
    /// Nothing: another call has loaded, or loads.
    Answered(Result<Remembered<T>, LoadError<E>>),
    /// To load what somebody waits for.
    Leads(Leader, Seen<T>),
    /// To reload a value that can be answered at once.
    Refreshes(Leader, Found<T>),
    /// To load for itself: what another call's load answered is of no use to it.
    IsAlone(Seen<T>),
}

impl<B, S, C> Call<'_, B, S, C> {
    /// Waits for another call's flight, for as long as the options allow.
    pub(super) async fn follow(&self, follower: Follower) -> Option<Arrival> {
        // What is left of the wait counts for leases too, should this call come to lead.
        let _ = self.patience();
        let bound = follower.bound(self.plan.wait, &*self.cache.settings().clock);
        match select(follower, bound).await {
            Either::Left((arrival, _)) => Some(arrival),
            Either::Right(((), follower)) => {
                follower.give_up();
                None
            }
        }
    }
}

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend,
    S: Serializer,
    C: Compressor,
{
    pub(super) async fn look<T: DeserializeOwned>(&self) -> Result<Seen<T>> {
        let entry = self.store().get(self.physical).await;
        self.cache
            .classify(self.scope, self.physical, entry, self.plan, self.wants_value)
    }

    /// The backend as this call asks it.
    pub(super) fn store(&self) -> Store<'_, B> {
        self.cache.store(self.scope)
    }

    /// What the landing of a shared flight is to this call; `None` where it has to load by itself.
    pub(super) fn landed<T, E>(
        &self,
        landing: Landing,
        seen: &mut Seen<T>,
    ) -> Option<Result<Remembered<T>, LoadError<E>>>
    where
        T: DeserializeOwned,
        E: Send + Sync + 'static,
    {
        let error = match landing {
            Landing::Entry(bytes) => {
                return match self.cache.open(self.scope, self.physical, &bytes, self.plan.schema) {
                    Ok(Opened::Value(Decoded::Value(value), _)) => {
                        Some(Ok(Remembered::new(Some(value), Source::Shared)))
                    }
                    Ok(Opened::Value(Decoded::Absent, _)) if !self.wants_value => {
                        Some(Ok(Remembered::new(None, Source::Shared)))
                    }
                    // Another call's type or schema version.
                    _ => None,
                };
            }
            Landing::Failed(error) => LoadError::Loader(error.downcast::<E>().ok()?),
            Landing::Panicked => LoadError::Panicked,
            Landing::Raised(error) if self.plan.on_error == OnError::Raise => LoadError::Cache(error),
            Landing::Raised(_) | Landing::Found | Landing::Nothing => return None,
        };
        Some(self.or_stale(seen, error))
    }

    /// The stale value in the place of a failure, where the options and the entry allow it.
    pub(super) fn or_stale<T, E>(
        &self,
        seen: &mut Seen<T>,
        error: LoadError<E>,
    ) -> Result<Remembered<T>, LoadError<E>> {
        let seen = std::mem::replace(seen, Seen::Nothing);
        match seen.fall_back(self.plan, self.cache.now(), StaleReason::LoadFailed) {
            ControlFlow::Break(answer) => Ok(answer),
            ControlFlow::Continue(_) => Err(error),
        }
    }
}

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// Waits for a load of the key that may be shared, or comes to lead one.
    pub(super) async fn board<T, E>(&self, mut seen: Seen<T>) -> Boarded<T, E>
    where
        T: DeserializeOwned,
        E: Send + Sync + 'static,
    {
        let flights = self.cache.flights();
        loop {
            if let Seen::Due(found) = seen {
                // One call reloads, and nobody waits for it.
                return match flights.lead_if_none(self.physical) {
                    Some(leader) => Boarded::Refreshes(leader, found),
                    None => Boarded::Answered(Ok(found.answer(self.cache.now()))),
                };
            }
            let follower = match flights.board(self.physical, self.ticket, seen.sight(self.plan)) {
                Boarding::Reentrant => return Boarded::Answered(Err(LoadError::Reentrant)),
                Boarding::Leader(leader) => return Boarded::Leads(leader, seen),
                Boarding::Follower(follower) => follower,
            };
            match self.follow(follower).await {
                Some(Arrival::TakeOver(leader)) => return Boarded::Leads(leader, seen),
                Some(Arrival::Landed(Landing::Found)) => match self.look().await {
                    Ok(again) => match again.answer(self.plan, self.cache.now()) {
                        ControlFlow::Break(answer) => return Boarded::Answered(Ok(answer)),
                        ControlFlow::Continue(again) => seen = again,
                    },
                    Err(error) => return Boarded::Answered(Err(LoadError::Cache(error))),
                },
                Some(Arrival::Landed(landing)) => {
                    return match self.landed(landing, &mut seen) {
                        Some(answer) => Boarded::Answered(answer),
                        None => Boarded::IsAlone(seen),
                    };
                }
                // Its leader is too slow, or was forgotten by whoever should poll it.
                None => {}
            }
        }
    }
}
