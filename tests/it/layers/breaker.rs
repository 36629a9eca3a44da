//! A breaker, on a clock that the test moves.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use larder::{Breaker, BreakerBuilder, BreakerState, Cache, CacheBackend, ErrorKind, ManualClock};
use larder_memory::{MemoryBackend, Operation};
use parking_lot::Mutex;

use crate::{backends::block_on, remember::support::Tasks};

const OPEN_FOR: Duration = Duration::from_millis(100);

struct World {
    store: MemoryBackend,
    clock: ManualClock,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self {
            store: MemoryBackend::with_clock(clock.clone()),
            clock,
        }
    }

    fn builder(&self) -> BreakerBuilder<MemoryBackend> {
        Breaker::builder(self.store.clone())
            .clock(self.clock.clone())
            .failures(3)
            .jitter(0.0)
    }

    fn breaker(&self) -> Breaker<MemoryBackend> {
        self.builder().build().unwrap()
    }

    fn fail(&self, breaker: &Breaker<MemoryBackend>, calls: usize) {
        self.store.faults().fail_next(calls, ErrorKind::Timeout);
        for _ in 0..calls {
            block_on(breaker.get("k")).unwrap_err();
        }
    }
}

#[test]
fn outage_a_breaker_opens_after_failures_in_a_row_and_leaves_the_store_alone() {
    for kind in [ErrorKind::Connection, ErrorKind::Timeout] {
        let world = World::new();
        let breaker = world.breaker();
        world.fail(&breaker, 2);
        block_on(breaker.get("k")).unwrap();
        world.fail(&breaker, 2);
        assert_eq!(breaker.state(), BreakerState::Closed, "not in a row");
        world.store.faults().fail_all(kind);
        block_on(breaker.get("k")).unwrap_err();
        assert_eq!(breaker.state(), BreakerState::Open);

        world.store.reset_calls();
        world.clock.advance(OPEN_FOR / 2);
        let error = block_on(breaker.clone().set("k", "v".into(), super::support::forever())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert_eq!(
            error.to_string(),
            "set: the circuit breaker has been open for 50ms, after 3 failures in a row"
        );
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "get: a fault that the test scripted");
        assert_eq!(world.store.calls().total(), 0);
    }
}

#[test]
fn outage_a_breaker_does_not_open_for_what_says_nothing_of_the_store() {
    for kind in [ErrorKind::Overloaded, ErrorKind::Server, ErrorKind::InvalidInput] {
        let world = World::new();
        let breaker = world.breaker();
        world.store.faults().fail_all(kind);
        for _ in 0..10 {
            assert_eq!(block_on(breaker.get("k")).unwrap_err().kind(), kind);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}

#[test]
fn outage_openings_double_up_to_the_longest_and_begin_anew_after_an_answer() {
    let world = World::new();
    let breaker = world.builder().max_open(4 * OPEN_FOR).build().unwrap();
    world.store.faults().fail_all(ErrorKind::Connection);
    for _ in 0..3 {
        block_on(breaker.get("k")).unwrap_err();
    }
    for opening in [1, 2, 4, 4, 4] {
        world.store.reset_calls();
        world
            .clock
            .advance((opening * OPEN_FOR).saturating_sub(Duration::from_nanos(1)));
        block_on(breaker.get("k")).unwrap_err();
        assert_eq!(world.store.calls().total(), 0, "too early");
        world.clock.advance(Duration::from_nanos(1));
        block_on(breaker.get("k")).unwrap_err();
        assert_eq!(world.store.calls().total(), 1, "the probe");
    }
    world.store.faults().recover();
    world.clock.advance(4 * OPEN_FOR);
    block_on(breaker.get("k")).unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
    world.fail(&breaker, 3);
    world.clock.advance(OPEN_FOR);
    block_on(breaker.get("k")).unwrap();
}

#[test]
fn outage_jitter_only_shortens_an_opening() {
    let mut early = 0;
    for _ in 0..200 {
        let world = World::new();
        let breaker = world.builder().jitter(0.5).build().unwrap();
        world.fail(&breaker, 3);
        world
            .clock
            .advance((OPEN_FOR / 2).saturating_sub(Duration::from_nanos(1)));
        assert!(block_on(breaker.get("k")).is_err(), "before half of it has passed");
        world.clock.advance(OPEN_FOR / 4);
        early += usize::from(block_on(breaker.get("k")).is_ok());
        world.clock.advance(OPEN_FOR / 4 + Duration::from_nanos(1));
        block_on(breaker.get("k")).unwrap();
    }
    assert!((20..180).contains(&early), "{early} of 200 were over half way between");
}

#[test]
fn outage_one_probe_goes_through_and_one_that_is_dropped_frees_its_place() {
    let world = World::new();
    let breaker = world.breaker();
    world.fail(&breaker, 3);
    world.clock.advance(OPEN_FOR);
    let gate = world.store.faults().hold();
    world.store.reset_calls();
    let mut tasks = Tasks::new();
    let probe = tasks.add(breaker.get("k"));
    assert!(tasks.poll(probe).is_none());
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    for _ in 0..10 {
        block_on(breaker.get("k")).unwrap_err();
    }
    assert_eq!(world.store.calls().total(), 1);

    tasks.drop_task(probe);
    let next = tasks.add(breaker.get("k"));
    assert!(tasks.poll(next).is_none());
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    gate.release();
    tasks.poll(next).unwrap().unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn outage_a_probe_that_is_turned_away_frees_its_place() {
    let world = World::new();
    let breaker = world.breaker();
    world.fail(&breaker, 3);
    world.clock.advance(OPEN_FOR);
    world.store.faults().fail_next(1, ErrorKind::Overloaded);
    block_on(breaker.get("k")).unwrap_err();
    assert_eq!(breaker.state(), BreakerState::Open);
    block_on(breaker.get("k")).unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn outage_the_answer_to_a_call_from_before_the_opening_does_not_close_the_breaker() {
    let world = World::new();
    let breaker = world.breaker();
    let gate = world.store.faults().hold();
    let mut tasks = Tasks::new();
    let slow = tasks.add(breaker.get("k"));
    assert!(tasks.poll(slow).is_none());
    world.store.faults().fail_next(3, ErrorKind::Timeout);
    let failing: Vec<usize> = (0..3).map(|_| tasks.add(breaker.get("k"))).collect();
    assert!(failing.iter().all(|&task| tasks.poll(task).is_none()));
    gate.release();
    assert!(failing.iter().all(|&task| tasks.poll(task).unwrap().is_err()));
    assert_eq!(breaker.state(), BreakerState::Open);
    tasks.poll(slow).unwrap().unwrap();
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn outage_batches_and_pages_count_as_calls() {
    let world = World::new();
    let breaker = world.breaker();
    world.store.faults().fail_all(ErrorKind::Connection);
    block_on(async {
        assert!(breaker.get_many(&["a", "b"]).await.iter().all(Result::is_err));
        assert!(breaker.get_many(&[]).await.is_empty());
        assert!(breaker.delete_many(&["a", "b"]).await.iter().all(Result::is_err));
        assert_eq!(breaker.state(), BreakerState::Closed);
        let pages: Vec<_> = breaker.scan("*").collect().await;
        assert_eq!(pages.len(), 1);
        assert!(pages[0].is_err());
        assert_eq!(breaker.state(), BreakerState::Open);

        world.store.reset_calls();
        assert_eq!(breaker.get_many(&["a", "b"]).await.len(), 2);
        let pages: Vec<_> = breaker.scan("*").collect().await;
        assert_eq!(pages[0].as_ref().unwrap_err().operation(), Some("scan"));
        breaker.delete_matching("*").await.unwrap_err();
        assert_eq!(world.store.calls().total(), 0);
        assert_eq!(world.store.calls().of(Operation::Scan), 0);
    });
}

#[test]
fn outage_the_error_of_a_pattern_behind_an_open_breaker_names_the_call_that_was_made() {
    let world = World::new();
    let breaker = world.breaker();
    let cache = Cache::builder(breaker.clone()).prefix("app").build().unwrap();
    world.fail(&breaker, 3);
    block_on(async {
        let message = ": the circuit breaker has been open for 0ns, after 3 failures in a row";
        let error = cache.delete_pattern("user:*").await.unwrap_err();
        assert_eq!(error.to_string(), format!("delete_pattern{message}"));
        assert_eq!(cache.clear().await.unwrap_err().to_string(), format!("clear{message}"));
    });
}

#[test]
fn outage_every_change_of_a_breaker_is_told_and_a_listener_that_panics_breaks_nothing() {
    use BreakerState::{Closed, HalfOpen, Open};

    let world = World::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let breaker = world
        .builder()
        .on_change(move |state| {
            log.lock().push(state);
            assert_ne!(state, HalfOpen, "on purpose");
        })
        .build()
        .unwrap();
    world.fail(&breaker, 3);
    world.clock.advance(OPEN_FOR);
    world.fail(&breaker, 1);
    world.clock.advance(2 * OPEN_FOR);
    block_on(breaker.get("k")).unwrap();
    assert_eq!(*told.lock(), [Open, HalfOpen, Open, HalfOpen, Closed]);
}

#[test]
fn settings_of_a_breaker_that_are_out_of_range_are_refused() {
    let refusal = |builder: BreakerBuilder<()>| builder.build().map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        refusal(Breaker::builder(()).open_for(Duration::from_secs(1))),
        "open_for 1s: not above zero and up to max_open 500ms"
    );
    assert_eq!(refusal(Breaker::builder(()).jitter(1.0)), "jitter 1: not in [0, 1)");
}
