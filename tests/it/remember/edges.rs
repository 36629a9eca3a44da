//! Leases and detached loads at their edges: lost answers, ends of windows, places where nobody helps.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use larder::{
    Cache, CacheBackend, Condition, ErrorKind, Event, Hook, Job, LeaseOutcome, LoadError, LoadOptions, Loaded,
    Remembered, Runtime, Source,
};
use larder_memory::{MemoryBackend, Operation};
use parking_lot::Mutex;

use super::support::{Database, Gate, Tasks};
use crate::backends::{World, block_on, memory};

const LEASE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(150);

#[derive(Clone, Default)]
struct Jobs(Arc<Mutex<Vec<Job>>>);

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("jobs")
    }
}

impl Runtime for Jobs {
    fn spawn(&self, job: Job) {
        self.0.lock().push(job);
    }
}

impl Jobs {
    fn poll(&self) -> usize {
        let mut jobs = std::mem::take(&mut *self.0.lock());
        jobs.retain_mut(|job| job.now_or_never().is_none());
        let mut kept = self.0.lock();
        kept.extend(jobs);
        kept.len()
    }
}

#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<LeaseOutcome>>>);

impl Hook for Waits {
    fn event(&self, event: &Event<'_>) {
        if let Event::LeaseWaited { outcome, .. } = event {
            self.0.lock().push(*outcome);
        }
    }
}

struct Process {
    cache: Cache<MemoryBackend>,
    jobs: Jobs,
    waits: Waits,
}

type Answer = Result<Remembered<usize>, LoadError<&'static str>>;

impl Process {
    fn new(world: &World<MemoryBackend>, options: LoadOptions) -> Self {
        let (jobs, waits) = (Jobs::default(), Waits::default());
        let builder = world.builder().prefix("test").load_options(options);
        let cache = builder.runtime(jobs.clone()).hook(waits.clone()).build().unwrap();
        Self { cache, jobs, waits }
    }

    async fn call(&self, database: &Database, gate: &Gate) -> Answer {
        self.call_with(&LoadOptions::new(), database, gate).await
    }

    async fn call_with(&self, options: &LoadOptions, database: &Database, gate: &Gate) -> Answer {
        let load = || async { database.read(gate.clone()).await.map(Loaded::value) };
        self.cache.remember_with("key", 100, options, load).await
    }

    async fn detached(&self, database: &Database, gate: &Gate) -> Answer {
        let (database, gate) = (database.clone(), gate.clone());
        let load = move || async move { database.read(gate).await.map(Loaded::value) };
        self.cache
            .remember_detached("key", 100, &LoadOptions::new(), load)
            .await
    }

    async fn fail(&self) -> Answer {
        let load = || async { Err::<Loaded<usize>, _>("away") };
        self.cache.remember_with("key", 100, &LoadOptions::new(), load).await
    }
}

/// A throttle is written as a lease that nobody holds; a value that ends meanwhile makes everybody wait for nobody.
#[test]
fn a_throttle_is_not_waited_for_as_if_it_were_a_holder() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().refresh_ahead(0.5).lease(LEASE));
    let database = Database::default();
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(95));
    assert_eq!(block_on(process.fail()).unwrap().source, Source::Hit);
    // Its life is over: a miss, and nobody loads.
    world.pass(Duration::from_secs(5));
    assert_eq!(block_on(process.cache.get::<usize>("key")).unwrap(), None);
    let answer = process.call(&database, &Gate::opened()).now_or_never();
    assert!(answer.is_some(), "it waits for a holder that there is not");
}

/// The throttle is written into a marker whose release has failed: nobody knows that marker any more.
#[test]
fn a_failed_load_whose_release_fails_leaves_no_marker_that_nobody_can_release() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().lease(LEASE));
    world
        .backend
        .faults()
        .fail_next_of(Operation::Delete, 1, ErrorKind::Timeout);
    assert!(block_on(process.fail()).is_err());
    for _ in 0..5 {
        process.jobs.poll();
    }
    let left = block_on(world.backend.get("test:key")).unwrap();
    assert!(left.is_none(), "a marker stays behind");
}

/// The renewal was applied and its answer lost, and so was the look after it.
#[test]
fn a_holder_that_lives_keeps_its_lease_over_two_lost_answers() {
    let world = memory();
    let first = Process::new(&world, LoadOptions::new().lease(LEASE));
    let second = Process::new(&world, LoadOptions::new().lease(LEASE));
    let (database, gate, opened) = (Database::default(), Gate::default(), Gate::opened());
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    let faults = world.backend.faults();
    faults.fail_next_applied_of(Operation::Set, 1, ErrorKind::Timeout);
    faults.fail_next_of(Operation::Get, 1, ErrorKind::Timeout);
    world.pass(Duration::from_secs(4));
    assert!(tasks.poll(holder).is_none());
    let waiter = tasks.add(second.call(&database, &opened));
    for _ in 0..25 {
        assert!(tasks.poll(holder).is_none());
        assert!(tasks.poll(waiter).is_none(), "a second load beside a live holder");
        world.pass(Duration::from_secs(1));
    }
}

/// `expire`, `touch` and `persist` rewrite the holder, so the live holder's next renewal is refused.
#[test]
fn a_touch_during_a_leased_refresh_does_not_cost_the_holder_its_lease() {
    let world = memory();
    let options = || LoadOptions::new().refresh_ahead(0.5).lease(LEASE);
    let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(first.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(60));
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    assert!(tasks.poll(holder).is_none());
    assert!(block_on(second.cache.expire("key", 20)).unwrap());
    for _ in 0..15 {
        world.pass(Duration::from_secs(1));
        assert!(tasks.poll(holder).is_none());
    }
    // Due again by its new life; the first process still reloads it.
    let answer = second.call(&database, &Gate::opened()).now_or_never();
    assert_eq!(database.loads(), 2, "two processes load: {answer:?}");
}

/// A leader that has a lease writes the entry anew, so that the throttle after its timeout is refused.
#[test]
fn a_hard_timeout_with_a_lease_is_throttled_as_without() {
    let world = memory();
    let options = LoadOptions::new()
        .hard_timeout("1s")
        .stale_if_error("10m")
        .throttle("30s")
        .lease(LEASE);
    let process = Process::new(&world, options);
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(100));
    let mut tasks = Tasks::new();
    let call = tasks.add(process.call(&database, &gate));
    assert!(tasks.poll(call).is_none());
    world.pass(Duration::from_secs(1));
    assert!(tasks.poll(call).unwrap().unwrap().is_stale());
    world.pass(Duration::from_secs(15));
    let answer = process.call(&database, &gate).now_or_never();
    assert!(answer.is_some(), "it loads again in the middle of the throttle");
}

/// The window is checked when the wait begins, and not when the stale value is answered.
#[test]
fn a_hard_timeout_answers_no_value_past_its_stale_window() {
    let world = memory();
    let options = LoadOptions::new()
        .hard_timeout("30s")
        .stale_if_error("10s")
        .refresh_ahead(0.9);
    let process = Process::new(&world, options);
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(105));
    let mut tasks = Tasks::new();
    let call = tasks.add(process.call(&database, &gate));
    assert!(tasks.poll(call).is_none());
    world.pass(Duration::from_secs(30));
    let answer = tasks.poll(call).unwrap();
    assert!(matches!(answer, Err(LoadError::TimedOut)), "{answer:?}");
}

/// A reload that begins at the end of the stale window has nothing left to be stored against.
#[test]
fn a_reload_that_begins_late_in_the_stale_window_is_stored() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("50s"));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(149));
    assert!(block_on(process.detached(&database, &gate)).unwrap().is_stale());
    assert_eq!(process.jobs.poll(), 1);
    world.pass(Duration::from_secs(2));
    gate.open();
    assert_eq!(process.jobs.poll(), 0);
    assert_eq!(process.cache.stats().voided_fills, 0);
    assert_eq!(block_on(process.cache.get::<usize>("key")).unwrap(), Some(0));
}

/// A background refresh of a stale value that stays for an hour could be stored for an hour.
#[test]
fn a_background_refresh_that_takes_longer_than_the_fill_window_is_not_begun_again_at_once() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("1h"));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    for _ in 0..80 {
        assert!(block_on(process.detached(&database, &gate)).unwrap().is_stale());
        process.jobs.poll();
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(database.loads(), 2, "no throttle after a refresh that was given up");
}

/// One wait is one event; `Changed` says that there is a value or that the key is free.
#[test]
fn a_wait_over_renewals_is_told_once() {
    let world = memory();
    let first = Process::new(&world, LoadOptions::new().lease(LEASE));
    let second = Process::new(&world, LoadOptions::new().lease(LEASE));
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    let waiter = tasks.add(second.call(&database, &gate));
    for _ in 0..200 {
        assert!(tasks.poll(holder).is_none() && tasks.poll(waiter).is_none());
        world.pass(Duration::from_millis(100));
    }
    gate.open();
    tasks.poll(holder);
    world.pass(POLL);
    assert!(tasks.poll(waiter).is_some());
    assert_eq!(*second.waits.0.lock(), [LeaseOutcome::Changed]);
}

/// The patience of a call begins anew with each place that it comes to.
#[test]
fn nobody_waits_longer_than_wait_for_a_lease_that_its_own_process_waits_for_too() {
    let world = memory();
    let first = Process::new(&world, LoadOptions::new().lease(LEASE));
    let second = Process::new(&world, LoadOptions::new().lease(LEASE).wait("3s"));
    let (database, gate, opened) = (Database::default(), Gate::default(), Gate::opened());
    let mut tasks = Tasks::new();
    let holder = tasks.add(first.call(&database, &gate));
    let leader = tasks.add(second.call(&database, &opened));
    let follower = tasks.add(second.call(&database, &opened));
    assert!(tasks.poll_all().is_empty());
    // The leader of the second process is dropped just before the end; the follower has waited as long.
    for _ in 0..29 {
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_millis(100));
    }
    tasks.drop_task(leader);
    for _ in 0..5 {
        assert!(tasks.poll(holder).is_none());
        if tasks.poll(follower).is_some() {
            return;
        }
        world.pass(Duration::from_millis(100));
    }
    panic!("it waits for longer than 3.4 s");
}

/// The marker of the predecessor, whose answer was lost, is forgotten by the heir, which then waits for it.
#[test]
fn an_heir_does_not_wait_a_lease_for_the_marker_of_its_own_flight() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().lease(LEASE));
    let (database, gate, opened) = (Database::default(), Gate::default(), Gate::opened());
    world
        .backend
        .faults()
        .fail_next_applied_of(Operation::Set, 1, ErrorKind::Timeout);
    let mut tasks = Tasks::new();
    // Both have seen nothing before the marker is placed.
    let hold = world.backend.faults().hold_of(Operation::Get);
    let leader = tasks.add(process.call(&database, &gate));
    let heir = tasks.add(process.call(&database, &opened));
    assert!(tasks.poll_all().is_empty());
    hold.release();
    let hold = world.backend.faults().hold_of(Operation::Set);
    assert!(tasks.poll_all().is_empty());
    hold.release();
    assert!(tasks.poll(leader).is_none());
    assert_eq!(database.loads(), 1);
    tasks.drop_task(leader);
    assert!(
        tasks.poll(heir).is_some(),
        "it waits for a marker of its own process that nobody holds"
    );
}

/// A stored `None` is a miss to `remember`; with leases one process loads.
#[test]
fn a_none_that_does_not_answer_is_reloaded_by_one_process() {
    let world = memory();
    let first = Process::new(&world, LoadOptions::new().lease(LEASE));
    let second = Process::new(&world, LoadOptions::new().lease(LEASE));
    let none = || async { Ok::<_, &str>(Loaded::<usize>::absent()) };
    block_on(first.cache.remember_with("key", 100, &LoadOptions::new(), none)).unwrap();
    let (database, gate) = (Database::default(), Gate::default());
    let mut tasks = Tasks::new();
    tasks.add(first.cache.remember("key", 100, || database.read(gate.clone())));
    tasks.add(second.cache.remember("key", 100, || database.read(gate.clone())));
    assert!(tasks.poll_all().is_empty());
    assert_eq!(database.loads(), 1);
}

/// What is a miss to `get` and `exists` is no value to `add` and `replace` either.
#[test]
fn a_stale_value_is_nothing_to_add() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().refresh_ahead(0.5));
    block_on(process.call(&Database::default(), &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    assert!(!block_on(process.cache.exists("key")).unwrap());
    assert!(block_on(process.cache.add("key", &1_usize, 60)).unwrap());
}

#[test]
fn a_stale_value_is_nothing_to_replace() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().refresh_ahead(0.5));
    block_on(process.call(&Database::default(), &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    assert!(!block_on(process.cache.replace("key", &1_usize, 60)).unwrap());
}

/// With no room behind it a call that follows another's load needs none, and its soft timeout holds all the same.
#[test]
fn a_follower_keeps_its_soft_timeout_where_the_background_is_closed() {
    let world = memory();
    let options = LoadOptions::new().stale_if_error("10m").soft_timeout("100ms");
    let process = Process::new(&world, options);
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    block_on(process.cache.close());
    let mut tasks = Tasks::new();
    let leader = tasks.add(process.detached(&database, &gate));
    let follower = tasks.add(process.detached(&database, &gate));
    assert!(tasks.poll_all().is_empty());
    world.pass(Duration::from_millis(100));
    assert!(tasks.poll(leader).is_none());
    assert!(tasks.poll(follower).is_some());
}

/// With a lease lost to an invalidation, what the voided holder loads must not come back.
#[test]
fn a_voided_holder_resurrects_nothing() {
    let world = memory();
    let options = || LoadOptions::new().stale_while_revalidate("10m").lease(LEASE);
    let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(first.call(&database, &Gate::opened())).unwrap();
    for delete_after in 0..12 {
        world.pass(Duration::from_secs(110));
        assert!(block_on(first.detached(&database, &gate)).unwrap().is_stale());
        for second in 0..12 {
            first.jobs.poll();
            if second == delete_after {
                block_on(world.backend.delete("test:key", Condition::Always)).unwrap();
            }
            world.pass(Duration::from_secs(1));
        }
        gate.open();
        while first.jobs.poll() > 0 {}
        assert_eq!(block_on(second.cache.get::<usize>("key")).unwrap(), None);
        block_on(first.call(&database, &Gate::opened())).unwrap();
    }
}

#[test]
fn windows_at_the_longest_ttl_cost_no_value() {
    let world = memory();
    let longest = larder::Ttl::MAX;
    let options = LoadOptions::new().stale_if_error(longest);
    let process = Process::new(&world, options);
    let load = async || Ok::<_, &str>(Loaded::value(1_usize));
    let answer = block_on(process.cache.remember_with("key", longest, &LoadOptions::new(), load));
    assert_eq!(answer.unwrap().value, Some(1));
    assert_eq!(
        block_on(process.cache.get::<usize>("key")).unwrap(),
        Some(1),
        "it was not stored"
    );
}

#[test]
fn a_lease_at_the_longest_ttl_is_refused_or_works() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().lease(larder::Ttl::MAX));
    let answer = block_on(process.call(&Database::default(), &Gate::opened()));
    assert_eq!(answer.unwrap().value, Some(0));
    assert_eq!(
        block_on(process.cache.get::<usize>("key")).unwrap(),
        Some(0),
        "it was not stored"
    );
}

const NO_THREADS: &str = "LARDER_NO_THREADS";

/// The documented "drops the job where no thread can be started" happens under the queue's lock; a job that is dropped
/// and leaves a marker spawns its release, and waits for that lock for ever.
#[test]
fn a_process_that_can_start_no_thread_does_not_hang() {
    if std::env::var(NO_THREADS).is_err() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "remember::edges::a_process_that_can_start_no_thread_does_not_hang",
                "--exact",
                "--test-threads=1",
            ])
            .env(NO_THREADS, "1")
            // No machine has as much for a stack.
            .env("RUST_MIN_STACK", (1_u64 << 60).to_string())
            .spawn()
            .unwrap();
        for _ in 0..100 {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success());
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("it hangs");
    }
    assert!(std::thread::Builder::new().spawn(|| ()).is_err());
    let world = memory();
    let cache = world.cache();
    let load = || async { std::future::pending::<Result<Loaded<usize>, &str>>().await };
    let options = LoadOptions::new();
    let mut tasks = Tasks::new();
    let call = tasks.add(cache.remember_detached("key", 100, &options, load));
    assert!(tasks.poll(call).is_none());
    tasks.drop_task(call);
}

/// The same where the value had ended before the load failed: there is nothing to answer, and nothing to wait for.
#[test]
fn a_call_after_a_failed_load_of_an_ended_value_loads_at_once() {
    let world = memory();
    let options = || LoadOptions::new().refresh_ahead(0.5).lease(LEASE);
    let (first, second) = (Process::new(&world, options()), Process::new(&world, options()));
    block_on(first.call(&Database::default(), &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(105));
    assert!(matches!(block_on(first.fail()), Err(LoadError::Loader(_))));
    for process in [&first, &second] {
        let answer = process.call(&Database::default(), &Gate::opened()).now_or_never();
        assert!(answer.is_some(), "it waits for a holder that there is not");
    }
}

/// A lease that unfenced makes impossible is refused on a call; as the default of a cache it is silently left out.
#[test]
fn a_cache_with_a_lease_and_no_fences_is_refused() {
    let world = memory();
    let options = LoadOptions::new().lease("5s").unfenced();
    let Ok(cache) = world.builder().load_options(options).build() else {
        return;
    };
    let load = async || Ok::<_, &str>(Loaded::value(1));
    let answer = block_on(cache.remember_with("key", 60, &LoadOptions::new(), load));
    assert!(answer.is_err(), "{answer:?}");
}
