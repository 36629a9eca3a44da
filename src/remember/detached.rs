use std::{
    future::Future,
    ops::ControlFlow,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::LoadError,
    loaded::{Loaded, Remembered},
    look::{Found, Seen},
    one::{Boarded, Call},
    options::LoadOptions,
    outcome::{end_detached, end_remembered},
};
use crate::{
    backend::CacheBackend,
    background::Slot,
    cache::Cache,
    compressor::Compressor,
    error::{Error, Result},
    flight::Leader,
    hook::{BackgroundOutcome, Event, OperationKind, Scope},
    serializer::Serializer,
    ttl::Ttl,
};

impl<B, S, C> Cache<B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// [`remember_with`](Self::remember_with) for a loader that owns what it needs, so that the load can outlive the
    /// call: nobody waits for a refresh, and no load is lost because its caller went away.
    ///
    /// # Behavior
    ///
    /// - A value that is due for a refresh ([`refresh_ahead`](LoadOptions::refresh_ahead),
    ///   [`early`](LoadOptions::early)), or past its life within
    ///   [`stale_while_revalidate`](LoadOptions::stale_while_revalidate), is answered at once, and reloaded in the
    ///   background by one call.
    /// - After the [`soft_timeout`](LoadOptions::soft_timeout) a stale value is answered where there is one, and the load
    ///   goes on in the background. What it answers is stored, and is fenced from its beginning on: an invalidation in
    ///   between voids it.
    /// - A key without any value is loaded in the caller's own future, as by `remember_with`, with all of its
    ///   promises. Those that wait share that load.
    /// - Background loads run on the cache's [`runtime`](crate::CacheBuilder::runtime), no more than
    ///   [`background_limit`](crate::CacheBuilder::background_limit) of them, and none for longer than the
    ///   [`fill_window`](LoadOptions::fill_window) after its caller has left it. How they end is told to the
    ///   [`hooks`](crate::CacheBuilder::hook). [`close`](Self::close) waits for them. Where there is no room for a load,
    ///   or the cache was closed, nobody leaves one: the soft timeout of the call that loads does not end its wait.
    ///
    /// # Errors
    ///
    /// As [`remember_with`](Self::remember_with). A refresh that fails in the background fails no call: after the
    /// [`throttle`](LoadOptions::throttle) another one is tried.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped while it loads leaves its load to the background. Where that has no room, it hands the
    /// load over as `remember` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder::{Cache, LoadOptions, Loaded, ManualClock, Source};
    /// use larder_memory::MemoryBackend;
    /// use std::time::Duration;
    ///
    /// # futures::executor::block_on(async {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(MemoryBackend::with_clock(clock.clone()))
    ///     .clock(clock.clone())
    ///     .load_options(LoadOptions::new().stale_while_revalidate("10m"))
    ///     .build()
    ///     .unwrap();
    /// let options = LoadOptions::new();
    /// let load = |price: u32| move || async move { Ok::<_, String>(Loaded::value(price)) };
    ///
    /// let first = cache.remember_detached("price", "1m", &options, load(10)).await.unwrap();
    /// assert_eq!((first.value, first.source), (Some(10), Source::Loaded));
    ///
    /// clock.advance(Duration::from_secs(90));
    /// let stale = cache.remember_detached("price", "1m", &options, load(11)).await.unwrap();
    /// assert_eq!(stale.value, Some(10)); // at once
    /// assert!(stale.is_stale());
    ///
    /// cache.close().await; // waits for the refresh
    /// assert_eq!(cache.get::<u32>("price").await.unwrap(), Some(11));
    /// # });
    /// ```
    pub async fn remember_detached<T, E, F, Fut>(
        &self,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        loader: F,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        self.remember_detached_by(key, ttl, options, false, loader).await
    }

    /// Answers a value where `wants_value`, as [`remember_by`](Self::remember_by) does.
    pub(crate) async fn remember_detached_by<T, E, F, Fut>(
        &self,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        wants_value: bool,
        loader: F,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let scope = self.begin(OperationKind::RememberDetached, Some(key), None);
        let answer = (self.try_remember_detached(&scope, key, ttl, options, wants_value, loader)).await;
        end_remembered(scope, &answer);
        answer
    }

    async fn try_remember_detached<T, E, F, Fut>(
        &self,
        scope: &Scope<'_>,
        key: &str,
        ttl: impl TryInto<Ttl, Error: Into<Error>>,
        options: &LoadOptions,
        wants_value: bool,
        loader: F,
    ) -> Result<Remembered<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let ticket = self.flights().ticket();
        let plan = self.plan(options)?;
        let call = Call {
            cache: self,
            physical: &self.physical(key, "remember_detached")?,
            plan: &plan,
            ttl: self.ttl_of(ttl, "remember_detached")?,
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
        let leads = AtomicBool::new(false);
        // Boxed, so that a hit pays nothing for the size of a load.
        let load = Box::pin(async {
            let _sweeper = self.sweeper();
            match call.board(seen).await {
                Boarded::Answered(answer) => answer,
                Boarded::Leads(leader, seen) => {
                    leads.store(true, Ordering::Relaxed);
                    let refreshed = seen.refreshed();
                    let load = Some(call.detached(leader, seen, loader));
                    Leaving {
                        call: &call,
                        load,
                        refreshed,
                    }
                    .await
                }
                Boarded::Refreshes(leader, found) => Ok(call.refresh_behind(leader, found, loader)),
                Boarded::IsAlone(seen) => call.load_alone(seen, async || loader().await).await,
            }
        });
        let goes_on = || !leads.load(Ordering::Relaxed) || self.settings().background.has_room();
        call.in_time(load, kept, Some(&goes_on)).await
    }
}

type Answer<T, E> = Result<Remembered<T>, LoadError<E>>;

/// A load with everything that it needs; where it fails, it gives back what its call has seen.
type Load<T, E> = BoxFuture<'static, Result<Remembered<T>, (LoadError<E>, Seen<T>)>>;

impl<B, S, C> Call<'_, B, S, C>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
{
    /// The load of this call, with everything that it needs.
    fn detached<T, E, F, Fut>(&self, leader: Leader, seen: Seen<T>, loader: F) -> Load<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let (cache, physical, plan) = (self.cache.clone(), self.physical.to_owned(), self.plan.clone());
        let (ttl, ticket, wants_value) = (self.ttl, self.ticket, self.wants_value);
        let (waits_since, has_loaded) = (self.waits_since.clone(), OnceLock::from(self.has_loaded()));
        let scope = self.scope.detached(OperationKind::DetachedLoad, self.physical);
        Box::pin(async move {
            let _sweeper = cache.sweeper();
            let call = Call {
                cache: &cache,
                physical: &physical,
                plan: &plan,
                ttl,
                ticket,
                wants_value,
                waits_since,
                has_loaded,
                scope: &scope,
            };
            let answer = call.try_lead(leader, seen, async || loader().await).await;
            end_detached(scope, &answer);
            answer
        })
    }

    /// Answers a value, and reloads it in the background.
    fn refresh_behind<T, E, F, Fut>(&self, leader: Leader, found: Found<T>, loader: F) -> Remembered<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let refreshed = Found {
            value: None,
            header: found.header.clone(),
            bytes: found.bytes.clone(),
        };
        match self.cache.settings().background.reserve() {
            Some(slot) => {
                let entry = Some(found.bytes.clone());
                self.run_behind(slot, self.detached(leader, Seen::Due(refreshed), loader), entry);
            }
            None => self.cache.tell_of_background(self.physical, BackgroundOutcome::Refused),
        }
        found.answer(self.cache.now())
    }

    /// Runs a load of what may be there already in the background, for the fill window and no longer.
    fn run_behind<T, E>(&self, slot: Slot, load: Load<T, E>, refreshed: Option<Bytes>)
    where
        T: Send + 'static,
        E: Send + Sync + 'static,
    {
        let (cache, physical, plan) = (self.cache.clone(), self.physical.to_owned(), self.plan.clone());
        let (ttl, ticket) = (self.ttl, self.ticket);
        let bound = self.clock().sleep(self.plan.fill_window);
        // A serializer may panic as well as a loader, and with nobody else to tell of it.
        let load = AssertUnwindSafe(load).catch_unwind();
        self.cache.settings().background.spawn(slot, async move {
            let outcome = match select(load, bound).await {
                Either::Left((outcome, _)) => Some(outcome),
                Either::Right(((), load)) => {
                    drop(load);
                    None
                }
            };
            if outcome.is_none()
                && let Some(refreshed) = refreshed
            {
                // The next call would begin what takes too long again.
                let call = Call {
                    cache: &cache,
                    physical: &physical,
                    plan: &plan,
                    ttl,
                    ticket,
                    wants_value: false,
                    waits_since: OnceLock::new(),
                    has_loaded: OnceLock::new(),
                    scope: &Scope::unwatched(OperationKind::DetachedLoad),
                };
                call.throttle_given_up(&refreshed).await;
            }
            let outcome = match &outcome {
                Some(Ok(Ok(_))) => BackgroundOutcome::Loaded,
                Some(Ok(Err((LoadError::Loader(error), _)))) => BackgroundOutcome::Failed(&**error),
                Some(Ok(Err((LoadError::Cache(error), _)))) => BackgroundOutcome::Raised(error),
                Some(Err(_) | Ok(Err((LoadError::Panicked | LoadError::Reentrant, _)))) => BackgroundOutcome::Panicked,
                Some(Ok(Err((LoadError::TimedOut, _)))) | None => BackgroundOutcome::TimedOut,
            };
            cache.tell_of_background(&physical, outcome);
        });
    }
}

impl<B, S, C> Cache<B, S, C> {
    /// Begins no background load any more, and waits for the end of those that run.
    ///
    /// For the end of a service. The cache, its clones and its scopes go on working; what would be refreshed in the
    /// background is then refreshed by nobody. A loader that runs in the background must not wait for this: it would wait
    /// for itself.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the loads running, and the cache closed.
    pub async fn close(&self) {
        self.settings().background.close().await;
    }

    fn tell_of_background(&self, key: &str, outcome: BackgroundOutcome<'_>) {
        self.hook_list()
            .emit(|cache| Event::BackgroundLoad { cache, key, outcome });
    }
}

/// A load in its caller's future. Dropping it leaves the load to the background.
struct Leaving<'a, B, S, C, T, E>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    call: &'a Call<'a, B, S, C>,
    load: Option<Load<T, E>>,
    refreshed: Option<Bytes>,
}

impl<B, S, C, T, E> Future for Leaving<'_, B, S, C, T, E>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Output = Answer<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<T, E>> {
        let Some(load) = &mut self.load else {
            return Poll::Pending;
        };
        let outcome = std::task::ready!(load.as_mut().poll(cx));
        self.load = None;
        Poll::Ready(match outcome {
            Ok(answer) => Ok(answer),
            Err((failure, mut seen)) => self.call.or_stale(&mut seen, failure),
        })
    }
}

impl<B, S, C, T, E> Drop for Leaving<'_, B, S, C, T, E>
where
    B: CacheBackend + 'static,
    S: Serializer + 'static,
    C: Compressor + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    fn drop(&mut self) {
        let Some(load) = self.load.take() else {
            return;
        };
        match self.call.cache.settings().background.reserve() {
            Some(slot) => self.call.run_behind(slot, load, self.refreshed.take()),
            None => self
                .call
                .cache
                .tell_of_background(self.call.physical, BackgroundOutcome::Refused),
        }
    }
}
