//! Bodies that outlive the calls that began them.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    task::{Context, Waker},
    time::Duration,
};

use futures::{FutureExt, poll, task::Poll};
use larder::{BackgroundOutcome, Cache, ErrorKind, Event, Hook, Job, LoadError, ManualClock, Runtime, cached};
use larder_memory::MemoryBackend;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};

use crate::support::{Database, Memory, Runs, block_on, seconds_left};

/// A runtime whose jobs a test polls by hand.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<Job>>>);

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} jobs", self.0.lock().len())
    }
}

impl Runtime for Shelf {
    fn spawn(&self, job: Job) {
        self.0.lock().push(job);
    }
}

impl Shelf {
    /// Polls every job once; how many are left.
    fn poll(&self) -> usize {
        let mut jobs = std::mem::take(&mut *self.0.lock());
        jobs.retain_mut(|job| job.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let mut kept = self.0.lock();
        kept.extend(jobs);
        kept.len()
    }
}

/// How background loads ended.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Hook for Log {
    fn event(&self, event: &Event<'_>) {
        if let Event::BackgroundLoad { key, outcome, .. } = event {
            let outcome = match outcome {
                BackgroundOutcome::Failed(error) => format!("failed: {}", error.downcast_ref::<&str>().unwrap()),
                outcome => format!("{outcome:?}"),
            };
            self.0.lock().push(format!("{key} {outcome}"));
        }
    }
}

struct Shop {
    cache: Memory,
    clock: ManualClock,
    shelf: Shelf,
    log: Log,
    database: Database,
}

fn shop() -> Arc<Shop> {
    let (clock, shelf, log) = (ManualClock::new(), Shelf::default(), Log::default());
    let builder = Cache::builder(MemoryBackend::with_clock(clock.clone())).clock(clock.clone());
    Arc::new(Shop {
        cache: builder.runtime(shelf.clone()).hook(log.clone()).build().unwrap(),
        clock,
        shelf,
        log,
        database: Database::default(),
    })
}

impl Shop {
    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// In the place of `&self`, which a body that outlives its call can not borrow.
    #[cached(cache = this.cache, key = "price:{id}", ttl = 100, stale_while_revalidate = "50s")]
    async fn price(this: Arc<Self>, id: u64) -> usize {
        this.database.read().await
    }
}

#[test]
fn a_stale_value_is_answered_at_once_and_the_body_runs_behind() {
    let shop = shop();
    let price = || Shop::price(Arc::clone(&shop), 1);
    shop.database.open();
    assert_eq!(price().now_or_never(), Some(0));
    assert_eq!(shop.shelf.poll(), 0, "nothing to do in the background for a cold key");
    let newer = shop.database.write();
    shop.database.hold();
    shop.pass(110);
    for _ in 0..20 {
        assert_eq!(price().now_or_never(), Some(0));
    }
    assert_eq!((shop.shelf.poll(), shop.database.loads.count()), (1, 2));
    assert_eq!(price().now_or_never(), Some(0));
    shop.database.open();
    assert_eq!(shop.shelf.poll(), 0);
    assert_eq!(price().now_or_never(), Some(newer));
    assert_eq!(shop.database.loads.count(), 2);
    assert_eq!(*shop.log.0.lock(), ["price:1 Loaded"]);
}

#[test]
fn an_invalidation_during_a_background_run_voids_what_it_answers() {
    let shop = shop();
    let price = || Shop::price(Arc::clone(&shop), 1);
    shop.database.open();
    assert_eq!(price().now_or_never(), Some(0));
    shop.database.hold();
    shop.pass(110);
    assert_eq!(price().now_or_never(), Some(0));
    assert_eq!((shop.shelf.poll(), shop.database.loads.count()), (1, 2));
    let newer = shop.database.write();
    block_on(Shop::price_invalidate(Arc::clone(&shop), 1)).unwrap();

    // A call made now shares nothing with the run that began before.
    let mut call = Box::pin(price());
    assert!(call.as_mut().now_or_never().is_none());
    assert_eq!(shop.database.loads.count(), 3);
    shop.database.open();
    assert_eq!(shop.shelf.poll(), 0);
    let peek = || block_on(Shop::price_peek(Arc::clone(&shop), 1)).unwrap();
    assert_eq!(peek(), None);
    assert_eq!(block_on(call), newer);
    assert_eq!(peek(), Some(newer));
}

#[cached(cache = shop.cache, key = "ahead", ttl = 100, refresh_ahead = 0.5, background)]
async fn ahead(shop: Arc<Shop>) -> Result<usize, &'static str> {
    match shop.database.read().await {
        13 => Err("unlucky"),
        value => Ok(value),
    }
}

#[test]
fn a_refresh_ahead_in_the_background_makes_nobody_wait() {
    let shop = shop();
    let ahead = || ahead(Arc::clone(&shop)).now_or_never();
    shop.database.open();
    assert_eq!(ahead(), Some(Ok(0)));
    let newer = shop.database.write();
    shop.database.hold();
    shop.pass(60);
    assert_eq!((ahead(), ahead()), (Some(Ok(0)), Some(Ok(0))));
    assert_eq!((shop.shelf.poll(), shop.database.loads.count()), (1, 2));
    shop.database.open();
    assert_eq!(shop.shelf.poll(), 0);
    assert_eq!(ahead(), Some(Ok(newer)));

    // What fails behind its callers fails none of them.
    while shop.database.write() < 13 {}
    shop.pass(60);
    assert_eq!(ahead(), Some(Ok(newer)));
    assert_eq!(shop.shelf.poll(), 0);
    assert_eq!(ahead(), Some(Ok(newer)));
    assert_eq!(*shop.log.0.lock(), ["ahead Loaded", "ahead failed: unlucky"]);
}

#[cached(cache = shop.cache, key = "soft", ttl = 100, stale_if_error = "10m", soft_timeout = "50ms")]
async fn soft(shop: Arc<Shop>) -> usize {
    shop.database.read().await
}

#[test]
fn after_the_soft_timeout_the_stale_value_is_answered_and_the_body_goes_on() {
    let shop = shop();
    shop.database.open();
    assert_eq!(soft(Arc::clone(&shop)).now_or_never(), Some(0));
    let newer = shop.database.write();
    shop.database.hold();
    shop.pass(110);
    block_on(async {
        let mut call = Box::pin(soft(Arc::clone(&shop)));
        assert!(poll!(&mut call).is_pending());
        shop.clock.advance(Duration::from_millis(49));
        assert!(poll!(&mut call).is_pending());
        shop.clock.advance(Duration::from_millis(1));
        assert_eq!(poll!(&mut call), Poll::Ready(0));
    });
    assert_eq!(shop.shelf.poll(), 1);
    shop.database.open();
    assert_eq!(shop.shelf.poll(), 0);
    assert_eq!(soft(Arc::clone(&shop)).now_or_never(), Some(newer));
    assert_eq!(shop.database.loads.count(), 2);
}

#[cached(cache = shop.cache, key = "alone", ttl = |found| found.map_or(7, |found| found + 20), background)]
async fn alone(shop: Arc<Shop>) -> Option<u64> {
    u64::try_from(shop.database.read().await).ok().filter(|read| *read > 0)
}

#[test]
fn a_body_whose_caller_has_gone_goes_on_and_is_stored_for_the_ttl_of_its_result() {
    let shop = shop();
    for life in [7, 21] {
        let mut call = Box::pin(alone(Arc::clone(&shop)));
        assert!(call.as_mut().now_or_never().is_none());
        drop(call);
        assert_eq!(shop.shelf.poll(), 1);
        shop.database.open();
        assert_eq!(shop.shelf.poll(), 0);
        assert_eq!(seconds_left(&shop.cache, "alone"), life);
        shop.database.write();
        shop.database.hold();
        shop.pass(life);
    }
    assert_eq!(shop.database.loads.count(), 2);
}

#[derive(Debug, PartialEq)]
struct TooLong;

impl From<LoadError<TooLong>> for TooLong {
    fn from(error: LoadError<TooLong>) -> Self {
        assert!(matches!(error, LoadError::TimedOut), "{error:?}");
        Self
    }
}

#[cached(cache = shop.cache, key = "hard", ttl = 100, hard_timeout = "1s", background)]
async fn hard(shop: Arc<Shop>) -> Result<usize, TooLong> {
    Ok(shop.database.read().await)
}

#[test]
fn after_a_hard_timeout_a_body_in_the_background_goes_on() {
    let shop = shop();
    block_on(async {
        let mut call = Box::pin(hard(Arc::clone(&shop)));
        assert!(poll!(&mut call).is_pending());
        shop.pass(1);
        assert_eq!(poll!(&mut call), Poll::Ready(Err(TooLong)));
    });
    shop.database.open();
    assert_eq!(shop.shelf.poll(), 0);
    assert_eq!(hard(shop).now_or_never(), Some(Ok(0)));
}

#[cached(cache = shop.cache, key = "panics", ttl = 100, stale_while_revalidate = "50s", skip(fails))]
async fn panics(shop: Arc<Shop>, fails: bool) -> usize {
    let read = shop.database.read().await;
    assert!(!fails, "on purpose");
    read
}

#[test]
fn a_panic_is_the_callers_in_its_own_load_and_nobodys_behind_it() {
    let shop = shop();
    let call = |fails| {
        AssertUnwindSafe(panics(Arc::clone(&shop), fails))
            .catch_unwind()
            .now_or_never()
    };
    shop.database.open();
    let panic = call(true).unwrap().unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    assert_eq!(call(false).unwrap().unwrap(), 0);
    shop.pass(110);
    assert_eq!(call(true).unwrap().unwrap(), 0);
    assert_eq!(shop.shelf.poll(), 0);
    assert_eq!(*shop.log.0.lock(), ["panics Panicked"]);
}

static UNSET: OnceLock<Memory> = OnceLock::new();

#[cached(cache = UNSET, key = "unset", ttl = 100, background, skip(runs))]
async fn unset(runs: Arc<Runs>) -> usize {
    runs.run()
}

#[cached(cache = cache, key = "{name}", ttl = 100, background, skip(runs))]
async fn away(cache: Memory, name: String, runs: Arc<Runs>) -> usize {
    runs.run()
}

#[test]
fn where_the_cache_is_away_the_body_runs_once() {
    let (shop, runs) = (shop(), Arc::new(Runs::default()));
    shop.cache.backend().faults().fail_all(ErrorKind::Connection);
    assert_eq!(unset(Arc::clone(&runs)).now_or_never(), Some(1));
    assert_eq!(away(shop.cache.clone(), "away".into(), runs).now_or_never(), Some(2));
}

#[test]
fn refresh_runs_the_body_whatever_is_cached() {
    let (shop, runs) = (shop(), Arc::new(Runs::default()));
    let name = || "name".to_owned();
    let call = || away(shop.cache.clone(), name(), Arc::clone(&runs)).now_or_never();
    assert_eq!((call(), call()), (Some(1), Some(1)));
    let refreshed = away::refresh(shop.cache.clone(), name(), Arc::clone(&runs)).now_or_never();
    assert_eq!((refreshed, call()), (Some(2), Some(2)));
}

#[cached(cache = cache, key = "{name}", ttl = 100, background, skip(load, T))]
async fn generic<T, F>(cache: Memory, name: &'static str, load: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    load().await
}

#[test]
fn a_generic_function_bounds_what_it_takes() {
    let shop = shop();
    let call = |value| generic(shop.cache.clone(), "name", move || std::future::ready(value)).now_or_never();
    assert_eq!((call(Some(1)), call(None)), (Some(Some(1)), Some(Some(1))));
}

#[test]
fn a_call_can_be_spawned_as_its_body_is() {
    let (shop, runtime) = (shop(), tokio::runtime::Runtime::new().unwrap());
    shop.database.open();
    let price = runtime.spawn(Shop::price(Arc::clone(&shop), 1));
    assert_eq!(runtime.block_on(price).unwrap(), 0);
}
