//! Loads that outlive the calls that began them.

use std::{
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use futures::FutureExt;
use larder::{
    BackgroundOutcome, Cache, CacheBackend, Event, Hook, Job, LoadError, LoadOptions, Loaded, Remembered, Runtime,
    Source, StaleReason,
};
use parking_lot::Mutex;

use super::support::{Database, Gate, Tasks};
use crate::backends::{World, memory, on_each_backend};

/// A runtime whose jobs a test polls by hand.
#[derive(Debug, Clone, Default)]
struct Shelf(Arc<Mutex<Jobs>>);

#[derive(Default)]
struct Jobs(Vec<Job>);

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} jobs", self.0.len())
    }
}

impl Runtime for Shelf {
    fn spawn(&self, job: Job) {
        self.0.lock().0.push(job);
    }
}

impl Shelf {
    /// Polls every job once; how many are left.
    fn poll(&self) -> usize {
        let mut jobs = std::mem::take(&mut self.0.lock().0);
        jobs.retain_mut(|job| job.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let mut kept = self.0.lock();
        kept.0.extend(jobs);
        kept.0.len()
    }

    fn len(&self) -> usize {
        self.0.lock().0.len()
    }
}

/// What the hooks are told of background loads.
#[derive(Debug, Clone, Default)]
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

struct Service<B> {
    cache: Cache<B>,
    shelf: Shelf,
    log: Log,
}

fn service<B: CacheBackend + Clone>(world: &World<B>, options: LoadOptions) -> Service<B> {
    limited(world, options, 1024)
}

fn limited<B: CacheBackend + Clone>(world: &World<B>, options: LoadOptions, limit: usize) -> Service<B> {
    let (shelf, log) = (Shelf::default(), Log::default());
    let builder = world.builder().prefix("test").load_options(options);
    let cache = builder
        .runtime(shelf.clone())
        .background_limit(limit)
        .hook(log.clone())
        .build()
        .unwrap();
    Service { cache, shelf, log }
}

type Answer = Result<Remembered<usize>, LoadError<&'static str>>;

impl<B: CacheBackend + 'static> Service<B> {
    async fn call(&self, database: &Database, gate: &Gate) -> Answer {
        let (database, gate) = (database.clone(), gate.clone());
        let load = move || async move { database.read(gate).await.map(Loaded::value) };
        self.cache
            .remember_detached("key", 100, &LoadOptions::new(), load)
            .await
    }

    async fn fail(&self) -> Answer {
        let load = || async { Err::<Loaded<usize>, _>("away") };
        self.cache
            .remember_detached("key", 100, &LoadOptions::new(), load)
            .await
    }
}

fn is(value: usize, source: Source) -> Remembered<usize> {
    // There is no other way to make one outside of larder.
    let cache = Cache::new(larder_memory::MemoryBackend::new());
    let options = LoadOptions::new();
    let load = async || Ok::<_, ()>(Loaded::value(value));
    let mut answer = cache
        .remember_with("key", 1, &options, load)
        .now_or_never()
        .unwrap()
        .unwrap();
    answer.source = source;
    answer
}

const fn stale(age: u64, why: StaleReason) -> Source {
    Source::Stale {
        age: Duration::from_secs(age),
        why,
    }
}

on_each_backend! {
    async fn stale_while_revalidate_answers_at_once_and_loads_once(world) {
        let service = service(&world, LoadOptions::new().stale_while_revalidate("50s"));
        let (database, gate) = (Database::default(), Gate::default());
        assert_eq!(service.call(&database, &Gate::opened()).await.unwrap(), is(0, Source::Loaded));
        assert_eq!(service.shelf.len(), 0, "nothing to do in the background for a cold key");
        let newer = database.write();
        world.pass(Duration::from_secs(110));
        for _ in 0..20 {
            let answer = service.call(&database, &gate).await.unwrap();
            assert_eq!(answer, is(0, stale(10, StaleReason::Revalidating)));
        }
        assert_eq!(service.shelf.poll(), 1);
        assert_eq!((database.loads(), service.cache.stats().background), (2, 1));
        // It is a miss to a plain read, and joins the load for one that has no stale window to answer from.
        assert_eq!(service.cache.get::<usize>("key").await.unwrap(), None);
        gate.open();
        assert_eq!(service.shelf.poll(), 0);
        assert_eq!(service.call(&database, &gate).await.unwrap(), is(newer, Source::Hit));
        assert_eq!((database.loads(), service.cache.stats().background), (2, 0));
        assert_eq!(*service.log.0.lock(), ["test:key Loaded"]);
    }
}

on_each_backend! {
    async fn past_its_stale_window_a_value_is_loaded_while_the_caller_waits(world) {
        let service = service(&world, LoadOptions::new().stale_while_revalidate("50s").stale_if_error("10m"));
        let (database, gate) = (Database::default(), Gate::default());
        service.call(&database, &Gate::opened()).await.unwrap();
        world.pass(Duration::from_secs(150));
        let mut tasks = Tasks::new();
        tasks.add(service.call(&database, &gate));
        assert!(tasks.poll_all().is_empty());
        gate.open();
        assert_eq!(tasks.poll_all().remove(0).unwrap(), is(0, Source::Loaded));
    }
}

on_each_backend! {
    async fn scenario_08_a_refresh_ahead_in_the_background_blocks_no_read_and_a_miss_joins_it(world) {
        let service = service(&world, LoadOptions::new().refresh_ahead(0.5));
        let (database, gate) = (Database::default(), Gate::default());
        service.call(&database, &Gate::opened()).await.unwrap();
        let newer = database.write();
        world.pass(Duration::from_secs(60));
        for _ in 0..20 {
            assert_eq!(service.call(&database, &gate).await.unwrap(), is(0, Source::Hit));
        }
        assert_eq!((service.shelf.poll(), database.loads()), (1, 2));
        // The value ends before the refresh does.
        world.pass(Duration::from_secs(40));
        assert_eq!(service.cache.get::<usize>("key").await.unwrap(), None);
        let mut tasks = Tasks::new();
        for _ in 0..20 {
            tasks.add(service.call(&database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        assert_eq!(database.loads(), 2);
        gate.open();
        assert_eq!(service.shelf.poll(), 0);
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 20);
        assert!(answers.into_iter().all(|answer| answer.unwrap() == is(newer, Source::Shared)));
        assert_eq!(service.call(&database, &gate).await.unwrap(), is(newer, Source::Hit));
        assert_eq!((database.loads(), service.cache.stats().voided_fills), (2, 0));
    }
}

on_each_backend! {
    async fn scenario_07_soft_timeout_answers_stale_and_the_one_load_goes_on(world) {
        let options = LoadOptions::new().stale_if_error("10m").soft_timeout("100ms");
        let service = service(&world, options);
        let (database, gate) = (Database::default(), Gate::default());
        service.call(&database, &Gate::opened()).await.unwrap();
        let newer = database.write();
        world.pass(Duration::from_secs(100));
        // Twenty callers, spread over ten times the soft timeout.
        let mut tasks = Tasks::new();
        let mut answers = 0;
        for round in 0..20 {
            tasks.add(service.call(&database, &gate));
            for answer in tasks.poll_all() {
                assert!(matches!(answer.unwrap().source, Source::Stale { why: StaleReason::TimedOut, .. }));
                answers += 1;
            }
            assert!(tasks.left() <= 2, "round {round}: a caller waits longer than the soft timeout");
            world.pass(Duration::from_millis(50));
        }
        world.pass(Duration::from_millis(100));
        answers += tasks.poll_all().len();
        assert_eq!((answers, database.loads()), (20, 2));
        gate.open();
        assert_eq!(service.shelf.poll(), 0);
        assert_eq!(service.call(&database, &gate).await.unwrap(), is(newer, Source::Hit));
        assert_eq!(database.loads(), 2);
        assert_eq!(*service.log.0.lock(), ["test:key Loaded"]);
    }
}

on_each_backend! {
    async fn without_a_stale_value_a_soft_timeout_waits_for_the_load(world) {
        let service = service(&world, LoadOptions::new().stale_if_error("10m").soft_timeout("100ms"));
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        tasks.add(service.call(&database, &gate));
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_secs(5));
        assert!(tasks.poll_all().is_empty());
        gate.open();
        assert_eq!(tasks.poll_all().remove(0).unwrap(), is(0, Source::Loaded));
    }
}

on_each_backend! {
    async fn a_hard_timeout_ends_every_wait_and_a_detached_load_goes_on(world) {
        let service = service(&world, LoadOptions::new().hard_timeout("1s"));
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        for _ in 0..5 {
            tasks.add(service.call(&database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_millis(999));
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_millis(1));
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 5);
        assert!(answers.into_iter().all(|answer| matches!(answer, Err(LoadError::TimedOut))));
        gate.open();
        assert_eq!(service.shelf.poll(), 0);
        assert_eq!(service.call(&database, &gate).await.unwrap(), is(0, Source::Hit));
        assert_eq!(database.loads(), 1);
    }
}

on_each_backend! {
    async fn a_hard_timeout_of_a_load_that_may_borrow_drops_it_and_keeps_its_stale_value_for_the_throttle(world) {
        let options = LoadOptions::new().hard_timeout("1s").stale_if_error("10m").throttle("30s");
        let service = service(&world, options);
        let (database, gate) = (Database::default(), Gate::default());
        service.call(&database, &Gate::opened()).await.unwrap();
        world.pass(Duration::from_secs(100));
        let call = async || {
            let load = || async { database.read(gate.clone()).await.map(Loaded::value) };
            service.cache.remember_with("key", 100, &LoadOptions::new(), load).await
        };
        let mut tasks = Tasks::new();
        tasks.add(call());
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_secs(1));
        let answer = tasks.poll_all().remove(0).unwrap();
        assert_eq!(answer, is(0, stale(1, StaleReason::TimedOut)));
        assert_eq!((database.most_running(), service.cache.stats().loading), (1, 0));
        // The next ones do not wait for what will not come.
        assert_eq!(call().await.unwrap(), is(0, stale(1, StaleReason::Throttled)));
        assert_eq!(database.loads(), 2);
        // And without a value to fall back on it is an error.
        let load = || async { database.read(gate.clone()).await.map(Loaded::value) };
        let options = LoadOptions::new();
        let mut tasks = Tasks::new();
        tasks.add(service.cache.remember_with("cold", 100, &options, load));
        assert!(tasks.poll_all().is_empty());
        world.pass(Duration::from_secs(1));
        assert!(matches!(tasks.poll_all().remove(0), Err(LoadError::TimedOut)));
        service.shelf.poll();
        assert!(world.backend.get("test:cold").await.unwrap().is_none(), "the marker stays behind");
    }
}

on_each_backend! {
    async fn a_load_whose_caller_went_away_goes_on_in_the_background(world) {
        let service = service(&world, LoadOptions::new());
        let (database, gate) = (Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        let caller = tasks.add(service.call(&database, &gate));
        let waiter = tasks.add(service.call(&database, &gate));
        assert!(tasks.poll_all().is_empty());
        tasks.drop_task(caller);
        assert_eq!(service.shelf.poll(), 1);
        assert!(tasks.poll(waiter).is_none());
        gate.open();
        assert_eq!(service.shelf.poll(), 0);
        assert_eq!(tasks.poll(waiter).unwrap().unwrap(), is(0, Source::Shared));
        assert_eq!(database.loads(), 1);
        assert_eq!(service.cache.get::<usize>("key").await.unwrap(), Some(0));
    }
}

on_each_backend! {
    async fn an_invalidation_voids_a_load_that_runs_in_the_background(world) {
        let service = service(&world, LoadOptions::new().stale_while_revalidate("50s"));
        let other = world.cache();
        for is_here in [true, false] {
            let (database, gate) = (Database::default(), Gate::default());
            service.call(&database, &Gate::opened()).await.unwrap();
            world.pass(Duration::from_secs(110));
            assert!(service.call(&database, &gate).await.unwrap().is_stale());
            assert_eq!(service.shelf.poll(), 1);
            let cache = if is_here { &service.cache } else { &other };
            cache.delete("key").await.unwrap();
            gate.open();
            assert_eq!(service.shelf.poll(), 0);
            assert!(world.backend.get("test:key").await.unwrap().is_none());
        }
        assert_eq!(service.cache.stats().voided_fills, 2);
    }
}

on_each_backend! {
    async fn a_refresh_that_fails_or_panics_is_told_to_the_hooks_and_not_tried_again_at_once(world) {
        let service = service(&world, LoadOptions::new().stale_while_revalidate("10m").throttle("30s"));
        let opened = Gate::opened();
        let database = Database::default();
        service.call(&database, &opened).await.unwrap();
        world.pass(Duration::from_secs(110));
        assert!(service.fail().await.unwrap().is_stale());
        assert_eq!(service.shelf.poll(), 0);
        for _ in 0..5 {
            assert!(service.fail().await.unwrap().is_stale());
            assert_eq!(service.shelf.poll(), 0);
        }
        world.pass(Duration::from_secs(30));
        let panics = || async { if true { panic!("a loader's panic") } else { Ok::<Loaded<usize>, &str>(Loaded::value(1)) } };
        let answer = service.cache.remember_detached("key", 100, &LoadOptions::new(), panics).await;
        assert!(answer.unwrap().is_stale());
        assert_eq!(service.shelf.poll(), 0);
        assert_eq!(*service.log.0.lock(), ["test:key failed: away", "test:key Panicked"]);
        assert_eq!((service.cache.stats().loading, service.cache.stats().background), (0, 0));
    }
}

on_each_backend! {
    async fn no_more_loads_run_in_the_background_than_may(world) {
        let service = limited(&world, LoadOptions::new().stale_while_revalidate("50s"), 2);
        let (database, gate) = (Database::default(), Gate::default());
        let call = |key: &'static str, gate: &Gate| {
            let (database, gate, cache) = (database.clone(), gate.clone(), service.cache.clone());
            let load = move || async move { database.read(gate).await.map(Loaded::value) };
            async move { cache.remember_detached(key, 100, &LoadOptions::new(), load).await.unwrap() }
        };
        for key in ["a", "b", "c"] {
            call(key, &Gate::opened()).await;
        }
        world.pass(Duration::from_secs(110));
        for key in ["a", "b", "c"] {
            assert!(call(key, &gate).await.is_stale());
        }
        assert_eq!((service.shelf.poll(), database.loads()), (2, 5));
        assert_eq!(*service.log.0.lock(), ["test:c Refused"]);
        gate.open();
        assert_eq!(service.shelf.poll(), 0);
        // A later call has its turn.
        assert!(call("c", &gate).await.is_stale());
        assert_eq!(service.shelf.poll(), 0);
        assert_eq!(call("c", &gate).await.source, Source::Hit);
    }
}

on_each_backend! {
    async fn close_waits_for_what_runs_and_lets_nothing_begin(world) {
        let service = service(&world, LoadOptions::new().stale_while_revalidate("50s"));
        let (database, gate) = (Database::default(), Gate::default());
        service.call(&database, &Gate::opened()).await.unwrap();
        world.pass(Duration::from_secs(110));
        assert!(service.call(&database, &gate).await.unwrap().is_stale());
        let mut tasks = Tasks::new();
        tasks.add(service.cache.close());
        assert!(tasks.poll_all().is_empty());
        assert_eq!(service.shelf.poll(), 1);
        assert!(tasks.poll_all().is_empty());
        gate.open();
        assert_eq!(service.shelf.poll(), 0);
        assert_eq!(tasks.poll_all().len(), 1);
        // The cache goes on without its background.
        world.pass(Duration::from_secs(110));
        assert!(service.call(&database, &gate).await.unwrap().is_stale());
        assert_eq!(service.shelf.len(), 0);
        world.pass(Duration::from_secs(50));
        assert_eq!(service.call(&database, &gate).await.unwrap().source, Source::Loaded);
    }
}

on_each_backend! {
    async fn a_background_load_that_could_not_be_stored_any_more_is_dropped(world) {
        let service = service(&world, LoadOptions::new().stale_while_revalidate("1h").fill_window("20s"));
        let (database, gate) = (Database::default(), Gate::default());
        service.call(&database, &Gate::opened()).await.unwrap();
        world.pass(Duration::from_secs(110));
        assert!(service.call(&database, &gate).await.unwrap().is_stale());
        world.pass(Duration::from_secs(19));
        assert_eq!(service.shelf.poll(), 1);
        world.pass(Duration::from_secs(1));
        assert_eq!(service.shelf.poll(), 0);
        assert_eq!(*service.log.0.lock(), ["test:key TimedOut"]);
        assert_eq!(service.cache.stats().loading, 0);
    }
}

#[test]
fn a_runtime_that_drops_its_jobs_leaves_nothing_behind() {
    #[derive(Debug)]
    struct Gone;
    impl Runtime for Gone {
        fn spawn(&self, job: Job) {
            drop(job);
        }
    }
    futures::executor::block_on(async {
        let world = memory();
        let options = LoadOptions::new().stale_while_revalidate("50s");
        let cache = world.builder().load_options(options).runtime(Gone).build().unwrap();
        let call = async |value| {
            let load = move || async move { Ok::<_, ()>(Loaded::value(value)) };
            cache
                .remember_detached("key", 100, &LoadOptions::new(), load)
                .await
                .unwrap()
        };
        call(0).await;
        world.pass(Duration::from_secs(110));
        assert!(call(1).await.is_stale());
        assert_eq!((cache.stats().loading, cache.stats().background), (0, 0));
        cache.close().await;
    });
}

#[test]
fn a_detached_call_is_a_future_that_can_be_sent() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let cache = Cache::new(larder_memory::MemoryBackend::new());
    let name = String::from("Alice");
    let answer = futures::executor::block_on(assert_send(async {
        let options = LoadOptions::new();
        let load = move || async move { Ok::<_, ()>(Loaded::value(name)) };
        cache.remember_detached("key", 60, &options, load).await
    }));
    assert_eq!(answer.unwrap().value.as_deref(), Some("Alice"));
}
