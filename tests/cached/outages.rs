//! What a cached function does where the cache fails.

use larder::{ErrorKind, LoadError, cached};
use larder_memory::Operation;

use crate::support::{Memory, Runs, block_on, memory};

#[derive(Debug, Clone, PartialEq)]
enum Failure {
    Cache(ErrorKind),
    Database,
}

impl From<larder::Error> for Failure {
    fn from(error: larder::Error) -> Self {
        Self::Cache(error.kind())
    }
}

#[cached(cache = cache, key = "{id}", ttl = "1h", skip(runs))]
async fn by_default(cache: &Memory, id: &str, runs: &Runs) -> usize {
    runs.run()
}

#[cached(cache = cache, key = "{id}", ttl = "1h", on_error = "execute", skip(runs))]
async fn executes(cache: &Memory, id: &str, runs: &Runs) -> Result<usize, Failure> {
    runs.run();
    if id == "fails" {
        Err(Failure::Database)
    } else {
        Ok(runs.count())
    }
}

#[cached(cache = cache, key = "{id}", ttl = "1h", on_error = "raise", skip(runs))]
async fn raises(cache: &Memory, id: &str, runs: &Runs) -> Result<usize, Failure> {
    Ok(runs.run())
}

#[cached(cache = cache, key = "{id}", ttl = "1h", on_error = "return_none", skip(runs))]
async fn returns_none(cache: &Memory, id: &str, runs: &Runs) -> Option<usize> {
    Some(runs.run())
}

#[cached(cache = cache, key = "{id}", ttl = "1h", on_error = "return_none", skip(runs))]
fn returns_ok_none(cache: &Memory, id: &str, runs: &Runs) -> Result<Option<usize>, Failure> {
    if id == "fails" {
        Err(Failure::Database)
    } else {
        Ok(Some(runs.run()))
    }
}

#[test]
fn execute_runs_the_body_once_per_call_while_the_cache_is_away() {
    let (cache, runs) = (memory(), Runs::default());
    cache.backend().faults().fail_all(ErrorKind::Connection);
    block_on(async {
        assert_eq!(by_default(&cache, "a", &runs).await, 1);
        assert_eq!(executes(&cache, "a", &runs).await, Ok(2));
        assert_eq!(executes(&cache, "fails", &runs).await, Err(Failure::Database));
        assert_eq!(runs.count(), 3);
        assert_eq!(
            by_default::invalidate(&cache, "a").await.unwrap_err().kind(),
            ErrorKind::Connection
        );
        assert_eq!(
            by_default::peek(&cache, "a").await.unwrap_err().kind(),
            ErrorKind::Connection
        );
        cache.backend().faults().recover();
        assert_eq!(by_default(&cache, "a", &runs).await, 4);
        assert_eq!(by_default(&cache, "a", &runs).await, 4);
    });
}

#[test]
fn execute_runs_the_body_once_whichever_step_fails() {
    // The read; the marker and the fill; the marker with what was stored unseen.
    for (operation, failing) in [(Operation::Get, 1), (Operation::Set, 1), (Operation::Set, 2)] {
        for kind in [ErrorKind::Timeout, ErrorKind::Server, ErrorKind::InvalidInput] {
            for is_applied in [false, true] {
                let (cache, runs) = (memory(), Runs::default());
                let faults = cache.backend().faults();
                if is_applied {
                    faults.fail_next_applied_of(operation, failing, kind);
                } else {
                    faults.fail_next_of(operation, failing, kind);
                }
                assert_eq!(block_on(by_default(&cache, "a", &runs)), 1);
                assert_eq!(runs.count(), 1, "{operation:?} {failing} {kind:?} {is_applied}");
            }
        }
    }
}

#[test]
fn execute_runs_the_body_where_the_key_is_too_long_to_be_cached() {
    let (cache, runs) = (memory(), Runs::default());
    let long = "x".repeat(70_000);
    block_on(async {
        assert_eq!(by_default(&cache, &long, &runs).await, 1);
        assert_eq!(by_default(&cache, &long, &runs).await, 2);
        assert_eq!(
            raises(&cache, &long, &runs).await,
            Err(Failure::Cache(ErrorKind::InvalidInput))
        );
        assert_eq!(runs.count(), 2);
    });
}

#[test]
fn raise_fails_with_the_functions_own_error_and_runs_nothing() {
    let (cache, runs) = (memory(), Runs::default());
    cache.backend().faults().fail_all(ErrorKind::Timeout);
    block_on(async {
        assert_eq!(
            raises(&cache, "a", &runs).await,
            Err(Failure::Cache(ErrorKind::Timeout))
        );
        assert_eq!(runs.count(), 0);
        cache.backend().faults().recover();
        assert_eq!(raises(&cache, "a", &runs).await, Ok(1));
    });
}

#[test]
fn return_none_answers_none_and_runs_nothing() {
    let (cache, runs) = (memory(), Runs::default());
    cache.backend().faults().fail_all(ErrorKind::Connection);
    assert_eq!(block_on(returns_none(&cache, "a", &runs)), None);
    assert_eq!(returns_ok_none(&cache, "b", &runs), Ok(None));
    assert_eq!(runs.count(), 0);
    cache.backend().faults().recover();
    assert_eq!(block_on(returns_none(&cache, "a", &runs)), Some(1));
    assert_eq!(returns_ok_none(&cache, "b", &runs), Ok(Some(2)));
}

#[cached(cache = cache, key = "{id}", ttl = "1h", on_error = "raise", skip(runs))]
async fn raises_into_anything(
    cache: Option<&Memory>,
    id: u8,
    runs: &Runs,
) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    Ok(runs.run())
}

#[test]
fn a_cache_that_is_not_set_is_raised_too() {
    let runs = Runs::default();
    let error = block_on(raises_into_anything(None, 1, &runs)).unwrap_err();
    assert_eq!(error.to_string(), "remember: the cache is not set");
    assert_eq!(runs.count(), 0);
    assert_eq!(block_on(raises_into_anything(Some(&memory()), 1, &runs)).unwrap(), 1);
}

#[cached(cache = cache, key = "stale", ttl = "1m", stale_if_error = "10m", refresh_ahead = 0.8, skip(fails))]
async fn stale(cache: &Memory, fails: &std::cell::Cell<bool>) -> Result<u8, LoadError<String>> {
    if fails.get() { Err(LoadError::TimedOut) } else { Ok(1) }
}

#[test]
fn a_stale_value_is_answered_where_the_body_fails() {
    let clock = larder::ManualClock::new();
    let backend = larder_memory::MemoryBackend::with_clock(clock.clone());
    let cache = larder::Cache::builder(backend).clock(clock.clone()).build().unwrap();
    let fails = std::cell::Cell::new(false);
    assert_eq!(block_on(stale(&cache, &fails)).unwrap(), 1);
    fails.set(true);
    clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(block_on(stale(&cache, &fails)).unwrap(), 1);
    assert_eq!(block_on(stale::peek(&cache)).unwrap(), None);
}
