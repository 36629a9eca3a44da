//! What runs behind the callers: how much of it, its panics, and its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use futures::FutureExt;
use larder::{Job, LoadOptions, Loaded, Runtime, Source};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    process::{Process, at_once},
    support::{Database, Gate, Tasks},
};
use crate::backends::{block_on, memory, on_each_backend};

on_each_backend! {
    async fn no_more_loads_run_in_the_background_than_may(world) {
        let process = Process::limited(&world, LoadOptions::new().stale_while_revalidate("50s"), 2);
        let (database, gate) = (Database::default(), Gate::default());
        let call = |key: &'static str, gate: &Gate| {
            let (database, gate, cache) = (database.clone(), gate.clone(), process.cache.clone());
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
        assert_eq!((process.jobs.poll(), database.loads()), (2, 5));
        assert_eq!(process.log.loads(), ["test:c Refused"]);
        gate.open();
        assert_eq!(process.jobs.poll(), 0);
        // A later call has its turn.
        assert!(call("c", &gate).await.is_stale());
        assert_eq!(process.jobs.poll(), 0);
        assert_eq!(call("c", &gate).await.source, Source::Hit);
    }
}

on_each_backend! {
    async fn close_waits_for_what_runs_and_lets_nothing_begin(world) {
        let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("50s"));
        let (database, gate) = (Database::default(), Gate::default());
        process.detached(&database, &Gate::opened()).await.unwrap();
        world.pass(Duration::from_secs(110));
        assert!(process.detached(&database, &gate).await.unwrap().is_stale());
        let mut tasks = Tasks::new();
        tasks.add(process.cache.close());
        assert!(tasks.poll_all().is_empty());
        assert_eq!(process.jobs.poll(), 1);
        assert!(tasks.poll_all().is_empty());
        gate.open();
        assert_eq!(process.jobs.poll(), 0);
        assert_eq!(tasks.poll_all().len(), 1);
        // The cache goes on without its background.
        world.pass(Duration::from_secs(110));
        assert!(process.detached(&database, &gate).await.unwrap().is_stale());
        assert_eq!(process.jobs.len(), 0);
        world.pass(Duration::from_secs(50));
        assert_eq!(process.detached(&database, &gate).await.unwrap().source, Source::Loaded);
    }
}

on_each_backend! {
    async fn a_background_load_that_could_not_be_stored_any_more_is_dropped(world) {
        let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("1h").fill_window("20s"));
        let (database, gate) = (Database::default(), Gate::default());
        process.detached(&database, &Gate::opened()).await.unwrap();
        world.pass(Duration::from_secs(110));
        assert!(process.detached(&database, &gate).await.unwrap().is_stale());
        world.pass(Duration::from_secs(19));
        assert_eq!(process.jobs.poll(), 1);
        world.pass(Duration::from_secs(1));
        assert_eq!(process.jobs.poll(), 0);
        assert_eq!(process.log.loads(), ["test:key TimedOut"]);
        assert_eq!(process.cache.stats().loading, 0);
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn everybody_who_closes_the_cache_is_woken_by_the_end_of_the_last_job() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("50s"));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    assert!(at_once(process.detached(&database, &gate)).unwrap().is_stale());
    assert_eq!(process.jobs.poll(), 1);
    let mut closing: Vec<_> = (0..2)
        .map(|_| (Box::pin(process.cache.close()), Arc::<Flag>::default()))
        .collect();
    for (close, flag) in &mut closing {
        let waker = Waker::from(Arc::clone(flag));
        assert!(close.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        assert!(!flag.0.load(Ordering::SeqCst));
    }
    gate.open();
    assert_eq!(process.jobs.poll(), 0);
    for (close, flag) in closing {
        assert!(flag.0.load(Ordering::SeqCst), "it is not woken");
        assert!(close.now_or_never().is_some());
    }
}

/// A value whose serializer panics.
#[derive(Deserialize)]
struct Broken;

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("a serializer's panic")
    }
}

#[test]
fn a_serializer_that_panics_behind_the_callers_is_told_to_the_hooks() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new());
    let (gate, options) = (Gate::default(), LoadOptions::new());
    let load = {
        let gate = gate.clone();
        move || async move {
            gate.wait().await;
            Ok::<_, &str>(Loaded::value(Broken))
        }
    };
    let mut tasks = Tasks::new();
    let call = tasks.add(process.cache.remember_detached("key", 100, &options, load));
    assert!(tasks.poll(call).is_none());
    tasks.drop_task(call);
    assert_eq!(process.jobs.poll(), 1);
    gate.open();
    while process.jobs.poll() > 0 {}
    assert_eq!(process.log.loads(), ["test:key Panicked"]);
    assert_eq!(process.cache.stats().loading, 0);
    assert_eq!(world.backend.raw("test:key"), None, "the marker stays behind");
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("a panic in a drop")
    }
}

#[test]
fn a_load_that_panics_when_it_is_given_up_reaches_no_runtime_and_leaves_nothing_behind() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new());
    let options = LoadOptions::new();
    let load = || async {
        let _guard = PanicsWhenDropped;
        std::future::pending::<Result<Loaded<usize>, &str>>().await
    };
    let mut tasks = Tasks::new();
    let call = tasks.add(process.cache.remember_detached("key", 100, &options, load));
    assert!(tasks.poll(call).is_none());
    tasks.drop_task(call);
    assert_eq!(process.jobs.poll(), 1);
    world.pass(Duration::from_secs(60));
    while process.jobs.poll() > 0 {}
    let stats = process.cache.stats();
    assert_eq!((stats.loading, stats.background), (0, 0));
    assert_eq!(world.backend.raw("test:key"), None, "the marker stays behind");
    assert!(process.cache.close().now_or_never().is_some());
}

#[test]
fn what_clears_up_behind_dropped_calls_takes_no_load_its_place() {
    let world = memory();
    let process = Process::limited(&world, LoadOptions::new().stale_while_revalidate("50s"), 1);
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    let mut tasks = Tasks::new();
    let cold = tasks.add(process.cache.remember("cold", 100, || database.read(gate.clone())));
    assert!(tasks.poll(cold).is_none());
    tasks.drop_task(cold);
    assert_eq!((process.jobs.len(), process.cache.stats().background), (1, 1));
    assert!(
        block_on(process.detached(&database, &Gate::opened()))
            .unwrap()
            .is_stale()
    );
    assert_eq!(process.jobs.poll(), 0);
    assert_eq!(process.log.loads(), ["test:key Loaded"]);
    assert_eq!(world.backend.raw("test:cold"), None);
}

#[test]
fn a_background_refresh_that_takes_longer_than_the_fill_window_is_not_begun_again_at_once() {
    let world = memory();
    let process = Process::new(&world, LoadOptions::new().stale_while_revalidate("1h"));
    let (database, gate) = (Database::default(), Gate::default());
    block_on(process.call(&database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(110));
    for _ in 0..80 {
        assert!(at_once(process.detached(&database, &gate)).unwrap().is_stale());
        process.jobs.poll();
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(database.loads(), 2, "no throttle after a refresh that was given up");
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

const NO_THREADS: &str = "LARDER_NO_THREADS";

/// A job that is dropped because no thread can run it, and whose marker is then to be swept by another such job.
#[test]
fn a_process_that_can_start_no_thread_does_not_hang() {
    if std::env::var(NO_THREADS).is_err() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "remember::background::a_process_that_can_start_no_thread_does_not_hang",
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
