//! Bodies that take too long.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, poll, task::Poll};
use larder::{Cache, LoadError, LoadOptions, ManualClock, cached};
use larder_memory::MemoryBackend;

use crate::support::{Database, Memory, Runs, block_on};

/// A cache with load options of its own, and the clock to move.
fn with_options(options: LoadOptions) -> (Memory, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder(MemoryBackend::with_clock(clock.clone())).clock(clock.clone());
    (builder.load_options(options).build().unwrap(), clock)
}

const LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Failure(LoadError<Arc<Failure>>);

impl From<LoadError<Failure>> for Failure {
    fn from(error: LoadError<Failure>) -> Self {
        Self(match error {
            LoadError::TimedOut => LoadError::TimedOut,
            other => panic!("{other:?}"),
        })
    }
}

#[cached(cache = cache, key = "limited", ttl = "1h", hard_timeout = "1s", skip(database))]
async fn limited(cache: &Memory, database: &Database) -> Result<usize, Failure> {
    Ok(database.read().await)
}

#[test]
fn a_hard_timeout_ends_the_wait_of_the_caller_and_of_those_that_share_its_body() {
    let ((cache, clock), database) = (with_options(LoadOptions::new()), Database::default());
    block_on(async {
        let (mut one, mut other) = (
            Box::pin(limited(&cache, &database)),
            Box::pin(limited(&cache, &database)),
        );
        assert!(poll!(&mut one).is_pending());
        assert!(poll!(&mut other).is_pending());
        clock.advance(LIMIT);
        for call in [other, one] {
            let failure = call.now_or_never().unwrap().unwrap_err();
            assert!(matches!(failure, Failure(LoadError::TimedOut)), "{failure:?}");
        }
        assert_eq!(database.loads.count(), 1);
        database.open();
        assert_eq!(limited(&cache, &database).await.unwrap(), 0);
        assert_eq!(database.loads.count(), 2);
    });
}

#[cached(cache = cache, key = "{id}", ttl = 100, skip(database))]
async fn plain(cache: &Memory, id: u8, database: &Database) -> usize {
    database.read().await
}

#[cached(cache = cache, key = "{id}", ttl = 100, skip(database))]
async fn cloned(cache: &Memory, id: u8, database: &Database) -> Result<usize, &'static str> {
    Ok(database.read().await)
}

#[test]
fn a_function_that_can_not_say_so_waits_out_the_caches_own_hard_timeout() {
    let ((cache, clock), database) = (
        with_options(LoadOptions::new().hard_timeout(LIMIT)),
        Database::default(),
    );
    block_on(async {
        let (mut one, mut other) = (
            Box::pin(plain(&cache, 1, &database)),
            Box::pin(plain(&cache, 1, &database)),
        );
        let mut failing = Box::pin(cloned(&cache, 2, &database));
        for _ in 0..3 {
            assert!(poll!(&mut one).is_pending());
            assert!(poll!(&mut other).is_pending());
            assert!(poll!(&mut failing).is_pending());
            clock.advance(LIMIT);
        }
        database.open();
        assert_eq!((poll!(&mut one), poll!(&mut other)), (Poll::Ready(0), Poll::Ready(0)));
        assert_eq!(poll!(&mut failing), Poll::Ready(Ok(0)));
        assert_eq!(database.loads.count(), 2);
    });
}

#[test]
fn where_a_stale_value_is_kept_the_caches_own_hard_timeout_answers_it() {
    let options = LoadOptions::new().hard_timeout(LIMIT).stale_if_error("10m");
    let ((cache, clock), database) = (with_options(options), Database::default());
    block_on(async {
        database.open();
        assert_eq!(plain(&cache, 1, &database).await, 0);
        let newer = database.write();
        database.hold();
        clock.advance(Duration::from_secs(110));
        let mut call = Box::pin(plain(&cache, 1, &database));
        assert!(poll!(&mut call).is_pending());
        clock.advance(LIMIT);
        assert_eq!(poll!(&mut call), Poll::Ready(0));
        assert_eq!(database.loads.count(), 2);

        // Past the throttle, and past its window while the body runs: nothing is left to answer but the body.
        clock.advance(Duration::from_secs(588));
        let mut late = Box::pin(plain(&cache, 1, &database));
        assert!(poll!(&mut late).is_pending());
        clock.advance(LIMIT * 2);
        assert!(poll!(&mut late).is_pending());
        database.open();
        assert_eq!(poll!(&mut late), Poll::Ready(newer));
    });
}

#[cached(cache = cache, key = "fails", ttl = 100, stale_if_error = "10m", throttle = "5s", skip(runs))]
async fn fails_after_the_first(cache: &Memory, runs: &Runs) -> Result<usize, &'static str> {
    match runs.run() {
        1 => Ok(1),
        _ => Err("away"),
    }
}

#[test]
fn a_throttle_says_when_a_body_that_failed_runs_again() {
    let ((cache, clock), runs) = (with_options(LoadOptions::new()), Runs::default());
    block_on(async {
        assert_eq!(fails_after_the_first(&cache, &runs).await, Ok(1));
        clock.advance(Duration::from_secs(110));
        for _ in 0..3 {
            assert_eq!(fails_after_the_first(&cache, &runs).await, Ok(1));
        }
        assert_eq!(runs.count(), 2);
        clock.advance(Duration::from_secs(5));
        assert_eq!(fails_after_the_first(&cache, &runs).await, Ok(1));
        assert_eq!(runs.count(), 3);
    });
}
