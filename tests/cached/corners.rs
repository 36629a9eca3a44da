//! What services write besides the plain cases, and what happens to it.
#![expect(
    clippy::pedantic,
    clippy::needless_lifetimes,
    reason = "functions as users write them"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{Cache, ErrorKind, KeyTtl, Ttl, cached};
use larder_memory::MemoryBackend;

use crate::support::{Memory, Runs, block_on, memory};

#[cached(cache = cache, key = "{name}", ttl = "1h", skip(runs))]
fn by_name(cache: &Memory, name: &str, runs: &Runs) -> usize {
    runs.run()
}

#[test]
fn an_empty_argument_is_cached_like_any() {
    let (cache, runs) = (memory(), Runs::default());
    assert_eq!(by_name(&cache, "", &runs), 1);
    assert_eq!(by_name(&cache, "", &runs), 1);
}

#[cached(cache = cache, key = "dflt", ttl = |_r: &u8| Ttl::DEFAULT)]
fn default_of_result(cache: &Memory) -> u8 {
    1
}

#[test]
fn a_ttl_of_the_result_may_be_the_caches_own() {
    let cache = Cache::builder(MemoryBackend::new()).default_ttl("10m").build().unwrap();
    default_of_result(&cache);
    assert!(matches!(block_on(cache.ttl("dflt")).unwrap(), KeyTtl::Expires(left) if left <= Duration::from_secs(600)));
}

#[cached(cache = cache, key = "nested:{n}", ttl = "1h")]
fn nested(cache: &Memory, n: u8) -> Option<Option<u8>> {
    match n {
        0 => None,
        1 => Some(None),
        n => Some(Some(n)),
    }
}

#[test]
fn options_in_options_come_back_as_they_were() {
    let cache = memory();
    for _ in 0..2 {
        assert_eq!(nested(&cache, 0), None);
        assert_eq!(nested(&cache, 1), Some(None));
        assert_eq!(nested(&cache, 2), Some(Some(2)));
    }
}

#[cached(cache = cache, key = "or:{n}", ttl = "1h")]
fn option_of_result(cache: &Memory, n: u8) -> Option<Result<u8, String>> {
    Some(if n == 0 { Err("zero".into()) } else { Ok(n) })
}

#[test]
fn an_option_of_a_result_comes_back() {
    let cache = memory();
    for _ in 0..2 {
        assert_eq!(option_of_result(&cache, 0), Some(Err("zero".into())));
        assert_eq!(option_of_result(&cache, 1), Some(Ok(1)));
    }
}

#[cached(cache = cache, key = "unit", ttl = "1h", skip(runs))]
fn unit(cache: &Memory, runs: &Runs) -> Result<(), String> {
    runs.run();
    Ok(())
}

#[test]
fn ok_of_unit_is_cached() {
    let (cache, runs) = (memory(), Runs::default());
    unit(&cache, &runs).unwrap();
    unit(&cache, &runs).unwrap();
    assert_eq!(runs.count(), 1);
}

#[cached(cache = cache, key = "fib:{n}", ttl = "1h", skip(runs))]
async fn fib(cache: &Memory, n: u64, runs: &Runs) -> u64 {
    runs.run();
    if n < 2 {
        return n;
    }
    Box::pin(fib(cache, n - 1, runs)).await + Box::pin(fib(cache, n - 2, runs)).await
}

#[test]
fn an_async_function_may_recur() {
    let (cache, runs) = (memory(), Runs::default());
    assert_eq!(block_on(fib(&cache, 20, &runs)), 6765);
    assert_eq!(runs.count(), 21);
}

#[cached(cache = cache, key = "gen", ttl = "1h", skip(generation, gate))]
async fn generation(cache: &Memory, generation: &AtomicUsize, gate: &tokio::sync::Semaphore) -> usize {
    let value = generation.load(Ordering::SeqCst);
    gate.acquire().await.unwrap().forget();
    value
}

#[test]
fn refresh_does_not_share_a_load_that_began_before_it() {
    let (cache, n, gate) = (memory(), AtomicUsize::new(0), tokio::sync::Semaphore::new(0));
    block_on(async {
        let mut old = std::pin::pin!(generation(&cache, &n, &gate));
        assert!(futures::poll!(&mut old).is_pending());
        n.store(1, Ordering::SeqCst);
        gate.add_permits(2);
        let (refreshed, _) = futures::join!(generation::refresh(&cache, &n, &gate), old);
        assert_eq!(refreshed, 1);
        assert_eq!(generation::peek(&cache).await.unwrap(), Some(1));
    });
}

struct Fails;
impl serde::Serialize for Fails {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("never"))
    }
}
impl<'de> serde::Deserialize<'de> for Fails {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("never"))
    }
}

#[cached(cache = cache, key = "fails", ttl = "1h", skip(runs))]
fn not_encoded(cache: &Memory, runs: &Runs) -> Fails {
    runs.run();
    Fails
}

#[test]
fn what_can_not_be_encoded_is_answered_and_the_body_runs_once() {
    let (cache, runs) = (memory(), Runs::default());
    not_encoded(&cache, &runs);
    assert_eq!(runs.count(), 1);
}

#[derive(Debug, PartialEq)]
enum AppError {
    Cache(ErrorKind),
    Other,
}
impl From<larder::Error> for AppError {
    fn from(error: larder::Error) -> Self {
        Self::Cache(error.kind())
    }
}
impl From<larder::LoadError<AppError>> for AppError {
    fn from(_: larder::LoadError<AppError>) -> Self {
        Self::Other
    }
}

#[cached(cache = cache, key = "raise", ttl = "1h", on_error = "raise", skip(runs))]
fn raises(cache: &Memory, runs: &Runs) -> Result<u8, AppError> {
    runs.run();
    Ok(1)
}

#[cached(cache = cache, key = "exec", ttl = "1h", skip(runs))]
fn executes(cache: &Memory, runs: &Runs) -> Result<u8, AppError> {
    runs.run();
    Ok(1)
}

#[cached(cache = cache, key = "none", ttl = "1h", on_error = "return_none", skip(runs))]
fn returns_none(cache: &Memory, runs: &Runs) -> Result<Option<u8>, AppError> {
    runs.run();
    Ok(Some(1))
}

#[test]
fn every_kind_of_failure_under_every_rule() {
    for kind in [
        ErrorKind::Connection,
        ErrorKind::Timeout,
        ErrorKind::Overloaded,
        ErrorKind::Server,
        ErrorKind::Codec,
        ErrorKind::InvalidInput,
    ] {
        let (cache, runs) = (memory(), Runs::default());
        cache.backend().faults().fail_all(kind);
        assert_eq!(executes(&cache, &runs), Ok(1), "{kind:?}");
        assert_eq!(runs.count(), 1, "{kind:?}");
        assert_eq!(raises(&cache, &runs), Err(AppError::Cache(kind)), "{kind:?}");
        assert_eq!(returns_none(&cache, &runs), Ok(None), "{kind:?}");
        assert!(executes::invalidate(&cache).is_err());
        assert!(executes::peek(&cache).is_err());
        assert_eq!(executes::refresh(&cache, &runs), Ok(1));
    }
}

struct Arced {
    cache: Memory,
    id: u8,
}
impl Arced {
    #[cached(cache = self.cache, key = "{self.id}:{x}", ttl = "1h")]
    async fn through_arc(self: &Arc<Self>, x: u8) -> u8 {
        self.id + x
    }
    #[cached(cache = self.cache, key = "{x}", ttl = "1h")]
    async fn named<'b>(&self, x: &'b str) -> Result<Vec<String>, &'static str> {
        Ok(vec![x.to_owned()])
    }
}

#[test]
fn forms_of_self() {
    let arced = Arc::new(Arced { cache: memory(), id: 1 });
    assert_eq!(block_on(arced.through_arc(2)), 3);
    assert_eq!(block_on(arced.through_arc_peek(2)).unwrap(), Some(3));
    assert_eq!(block_on(arced.named("x")).unwrap(), ["x"]);
}

#[cached(cache = key, key = "{cache}:{result}:{ok}:{some}:{options}:{body}", ttl = |cache, _, _, _, _, _, source| u64::from(cache) + source)]
async fn shadowed(key: &Memory, cache: u8, result: u8, ok: u8, some: u8, options: u8, body: &str) -> u64 {
    u64::from(result + ok + some + options) + body.len() as u64 + u64::from(cache)
}

#[test]
fn names_of_the_prelude_may_be_arguments() {
    assert_eq!(block_on(shadowed(&memory(), 1, 2, 3, 4, 5, "x")), 16);
}

#[cached(cache = cache, key = "inner:{id}", ttl = "1h")]
async fn inner_async(cache: &Memory, id: u8) -> Result<u8, String> {
    inner_sync(cache, id)
}

#[cached(cache = cache, key = "inner:{id}", ttl = "1h")]
fn inner_sync(cache: &Memory, id: u8) -> Result<u8, String> {
    Ok(id)
}

#[test]
fn an_async_body_that_asks_a_sync_function_of_the_same_key_ends() {
    let cache = memory();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(inner_async(&cache, 1))));
    assert!(panic.is_err(), "{panic:?}");
    assert_eq!(block_on(inner_async::peek(&cache, 1)).unwrap(), None);
}

#[test]
fn sync_threads_run_a_body_once_and_never_see_what_was_invalidated() {
    let cache: Cache<larder_local::LocalBackend> = Cache::new(larder_local::LocalBackend::with_capacity(100));
    let (now, floor) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while floor.load(Ordering::SeqCst) < 1_000 {
                    let at_least = floor.load(Ordering::SeqCst);
                    let got = sync_race(&cache, &now);
                    assert!(got >= at_least, "{got} after {at_least}");
                }
            });
        }
        for n in 1..=1_000 {
            now.store(n, Ordering::SeqCst);
            sync_race::invalidate(&cache).unwrap();
            floor.store(n, Ordering::SeqCst);
            std::thread::yield_now();
        }
    });
}

#[cached(cache = cache, key = "race", ttl = "1h", skip(now))]
fn sync_race(cache: &Cache<larder_local::LocalBackend>, now: &AtomicUsize) -> usize {
    let value = now.load(Ordering::SeqCst);
    std::thread::yield_now();
    value
}

static UNSET: std::sync::OnceLock<Memory> = std::sync::OnceLock::new();

#[cached(cache = UNSET, key = "{n}", ttl = "1h")]
async fn before_it_is_set(n: u8) -> u8 {
    n
}

#[test]
fn a_cache_that_is_not_set_yet_is_away() {
    assert_eq!(block_on(before_it_is_set(1)), 1);
    assert!(block_on(before_it_is_set::invalidate(1)).is_err());
    assert_eq!(block_on(before_it_is_set::refresh(1)), 1);
}

#[test]
fn every_step_that_fails_by_itself_runs_the_body_once() {
    for step in 0..6 {
        let (cache, runs) = (memory(), Runs::default());
        cache.backend().faults().fail_next_applied(step, ErrorKind::Timeout);
        assert_eq!(executes(&cache, &runs), Ok(1));
        assert_eq!(runs.count(), 1, "{step}");
    }
}
