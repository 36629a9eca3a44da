//! Processes of a fleet. What they share is the backend; a test runs what each of them has in the background by hand.

use std::{future::Future, sync::Arc, time::Duration};

use futures::FutureExt;
use larder::{
    BackgroundOutcome, Cache, CacheBackend, Event, Hook, Job, LeaseOutcome, LoadError, LoadOptions, Loaded, Remembered,
    Runtime, Source, StaleReason,
};
use larder_memory::MemoryBackend;
use parking_lot::Mutex;

use super::support::{Database, Gate};
use crate::backends::World;

pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// The longest pause between two looks of one that waits, spread included.
pub(crate) const POLL: Duration = Duration::from_millis(150);

/// A runtime whose jobs a test polls by hand.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<Vec<Job>>>);

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} jobs", self.len())
    }
}

impl Runtime for Jobs {
    fn spawn(&self, job: Job) {
        self.0.lock().push(job);
    }
}

impl Jobs {
    /// Polls every job once; how many are left.
    pub(crate) fn poll(&self) -> usize {
        let mut jobs = std::mem::take(&mut *self.0.lock());
        jobs.retain_mut(|job| job.now_or_never().is_none());
        let mut kept = self.0.lock();
        kept.extend(jobs);
        kept.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

/// What the hooks are told of leases and of background loads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    waits: Arc<Mutex<Vec<LeaseOutcome>>>,
    loads: Arc<Mutex<Vec<String>>>,
}

impl Log {
    pub(crate) fn waits(&self) -> Vec<LeaseOutcome> {
        self.waits.lock().clone()
    }

    pub(crate) fn loads(&self) -> Vec<String> {
        self.loads.lock().clone()
    }
}

impl Hook for Log {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::LeaseWaited { key, outcome, .. } => {
                assert_eq!(*key, "test:key");
                self.waits.lock().push(*outcome);
            }
            Event::BackgroundLoad { key, outcome, .. } => {
                let outcome = match outcome {
                    BackgroundOutcome::Failed(error) => format!("failed: {}", error.downcast_ref::<&str>().unwrap()),
                    outcome => format!("{outcome:?}"),
                };
                self.loads.lock().push(format!("{key} {outcome}"));
            }
            _ => {}
        }
    }
}

pub(crate) struct Process<B = MemoryBackend> {
    pub(crate) cache: Cache<B>,
    pub(crate) jobs: Jobs,
    pub(crate) log: Log,
}

pub(crate) type Answer = Result<Remembered<usize>, LoadError<&'static str>>;

impl<B: CacheBackend + Clone + 'static> Process<B> {
    pub(crate) fn new(world: &World<B>, options: LoadOptions) -> Self {
        Self::limited(world, options, 1024)
    }

    pub(crate) fn limited(world: &World<B>, options: LoadOptions, limit: usize) -> Self {
        let (jobs, log) = (Jobs::default(), Log::default());
        let builder = world.builder().prefix("test").load_options(options);
        let cache = builder
            .runtime(jobs.clone())
            .background_limit(limit)
            .hook(log.clone())
            .build()
            .unwrap();
        Self { cache, jobs, log }
    }

    pub(crate) async fn call(&self, database: &Database, gate: &Gate) -> Answer {
        let load = || async { database.read(gate.clone()).await.map(Loaded::value) };
        self.cache.remember_with("key", 100, &LoadOptions::new(), load).await
    }

    pub(crate) async fn fail(&self) -> Answer {
        self.fail_after(&Gate::opened()).await
    }

    pub(crate) async fn fail_after(&self, gate: &Gate) -> Answer {
        let load = || async {
            gate.wait().await;
            Err::<Loaded<usize>, _>("away")
        };
        self.cache.remember_with("key", 100, &LoadOptions::new(), load).await
    }

    pub(crate) async fn detached(&self, database: &Database, gate: &Gate) -> Answer {
        self.detached_of("key", database, gate).await
    }

    pub(crate) async fn detached_of(&self, key: &str, database: &Database, gate: &Gate) -> Answer {
        let (database, gate) = (database.clone(), gate.clone());
        let load = move || async move { database.read(gate).await.map(Loaded::value) };
        self.cache.remember_detached(key, 100, &LoadOptions::new(), load).await
    }

    pub(crate) async fn detached_fail(&self) -> Answer {
        let load = || async { Err::<Loaded<usize>, _>("away") };
        self.cache
            .remember_detached("key", 100, &LoadOptions::new(), load)
            .await
    }
}

pub(crate) fn is(value: usize, source: Source) -> Remembered<usize> {
    // There is no other way to make one outside of larder.
    let cache = Cache::new(MemoryBackend::new());
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

/// The answer of a call that has to wait for nothing.
pub(crate) fn at_once<T>(call: impl Future<Output = T>) -> T {
    call.now_or_never().expect("it waits")
}

pub(crate) const fn stale(age: u64, why: StaleReason) -> Source {
    Source::Stale {
        age: Duration::from_secs(age),
        why,
    }
}
