//! Loads that go on without their callers, on every runtime.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use larder::{Cache, LoadError, LoadOptions, Loaded, Remembered, Runtime, Source, StaleReason, ThreadRuntime};
use larder_fred::FredBackend;
use larder_runtimes::{SmolRuntime, TokioRuntime};
use testkit::RedisServer;

use super::support::{Database, connect, runtime};
use crate::support::{config, eventually_async};

/// Runs one test body with its callers and its background loads on tokio, on smol, and on plain threads.
macro_rules! on_each_runtime {
    ($(async fn $name:ident($runtime:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($runtime: Arc<dyn Runtime>) $body

            #[test]
            fn on_tokio() {
                runtime().block_on(async { run(Arc::new(TokioRuntime::current())).await });
            }

            #[test]
            fn on_smol() {
                smol::block_on(run(Arc::new(SmolRuntime)));
            }

            #[test]
            fn on_plain_threads() {
                futures::executor::block_on(run(Arc::new(ThreadRuntime)));
            }
        }
    )*};
}

struct Process {
    cache: Cache<FredBackend>,
    runtime: Arc<dyn Runtime>,
}

type Answer = Result<Remembered<usize>, LoadError<&'static str>>;

impl Process {
    async fn start(server: &RedisServer, runtime: &Arc<dyn Runtime>, options: LoadOptions) -> Self {
        let cache = Cache::builder(connect(config(server, true)).await)
            .prefix("app")
            .load_options(options);
        Self {
            cache: cache.runtime(Arc::clone(runtime)).build().unwrap(),
            runtime: Arc::clone(runtime),
        }
    }

    /// A call whose load takes until `database` is open; what it loads lives for `life`.
    async fn call(&self, database: &Database, life: &'static str) -> Answer {
        let database = database.clone();
        let load = move || async move { Ok(Loaded::value(database.read().await).ttl(life)) };
        self.cache
            .remember_detached("key", "1h", &LoadOptions::new(), load)
            .await
    }

    /// Callers that come one after the other, all of them over `span`; each with how long it took.
    async fn calls(&self, count: u32, span: Duration, database: &Database) -> Vec<(Remembered<usize>, Duration)> {
        let calls = (0..count).map(|call| async move {
            self.runtime.sleep(span / count * call).await;
            let began = Instant::now();
            (self.call(database, "1h").await.unwrap(), began.elapsed())
        });
        join_all(calls).await
    }

    async fn is_idle(&self) {
        eventually_async("the background is idle", async || self.cache.stats().background == 0).await;
    }

    async fn value(&self) -> Option<usize> {
        self.cache.get("key").await.unwrap()
    }
}

fn opened() -> Database {
    let database = Database::new();
    database.open();
    database
}

on_each_runtime! {
    async fn scenario_07_soft_timeout_on_redis(runtime) {
        const SOFT: Duration = Duration::from_millis(50);
        let server = RedisServer::start();
        let options = LoadOptions::new().stale_if_error("10m").soft_timeout(SOFT);
        let here = Process::start(&server, &runtime, options.clone()).await;
        let there = Process::start(&server, &runtime, options).await;
        here.call(&opened(), "20ms").await.unwrap();
        eventually_async("the value is stale", async || there.value().await.is_none()).await;

        // The load does not end before every caller has its answer, so none can have waited for it.
        let database = Database::new();
        let answers = here.calls(20, SOFT * 10, &database).await;
        let slowest = answers.iter().map(|(_, took)| *took).max().unwrap();
        for (answer, took) in &answers {
            assert!(matches!(answer.source, Source::Stale { why: StaleReason::TimedOut, .. }), "{answer:?}");
            assert_eq!(answer.value, Some(1));
            assert!(*took >= SOFT, "{took:?}");
        }
        println!("soft timeout {SOFT:?}: the slowest of 20 answers took {slowest:?}; loads {}", database.loads());
        assert_eq!(database.loads(), 1);
        assert_eq!(there.value().await, None);
        database.open();
        here.is_idle().await;
        for process in [&here, &there] {
            assert_eq!(process.value().await, Some(1));
            assert_eq!(process.call(&Database::new(), "1h").await.unwrap().source, Source::Hit);
        }
    }

    async fn scenario_07_stale_while_revalidate_on_redis(runtime) {
        let server = RedisServer::start();
        let options = LoadOptions::new().stale_while_revalidate("10m").lease("10s");
        let here = Process::start(&server, &runtime, options.clone()).await;
        let there = Process::start(&server, &runtime, options).await;
        for round in 0..3 {
            let database = opened();
            here.call(&database, "20ms").await.unwrap();
            here.is_idle().await;
            eventually_async("the value is stale", async || there.value().await.is_none()).await;
            let database = Database::new();
            for process in [&here, &there, &here, &there] {
                for (answer, _) in process.calls(20, Duration::ZERO, &database).await {
                    assert!(matches!(answer.source, Source::Stale { .. }), "{answer:?}");
                }
            }
            eventually_async("it is reloaded", async || database.loads() == 1).await;
            // What comes next finds the lease held, in whichever process.
            for process in [&here, &there] {
                for (answer, _) in process.calls(20, Duration::ZERO, &database).await {
                    assert!(matches!(answer.source, Source::Stale { .. }), "{answer:?}");
                }
            }
            database.open();
            here.is_idle().await;
            there.is_idle().await;
            assert_eq!((database.loads(), there.value().await), (1, Some(1)), "round {round}");
            here.cache.delete("key").await.unwrap();
        }
    }

    async fn scenario_08_refresh_ahead_in_the_background_on_redis(runtime) {
        let server = RedisServer::start();
        let here = Process::start(&server, &runtime, LoadOptions::new().refresh_ahead(0.05)).await;
        here.call(&opened(), "2s").await.unwrap();
        runtime.sleep(Duration::from_millis(150)).await;
        let database = Database::new();
        for (answer, _) in here.calls(20, Duration::from_millis(200), &database).await {
            assert_eq!((answer.value, answer.source), (Some(1), Source::Hit));
        }
        eventually_async("it is reloaded", async || database.loads() == 1).await;
        eventually_async("the value ends", async || here.value().await.is_none()).await;
        // A normal miss now, which joins the refresh.
        let misses = here.calls(20, Duration::ZERO, &database);
        let opens = async {
            eventually_async("they wait", async || here.cache.stats().waiting == 20).await;
            database.open();
        };
        let (answers, ()) = futures::future::join(misses, opens).await;
        assert!(answers.iter().all(|(answer, _)| answer.source == Source::Shared));
        here.is_idle().await;
        assert_eq!((database.loads(), here.value().await), (1, Some(1)));
    }

    async fn scenario_04_a_load_goes_on_without_its_caller_on_redis(runtime) {
        let server = RedisServer::start();
        let here = Process::start(&server, &runtime, LoadOptions::new()).await;
        let database = Database::new();
        {
            let call = here.call(&database, "1h");
            let begun = async { eventually_async("it loads", async || database.loads() == 1).await };
            futures::pin_mut!(call, begun);
            futures::future::select(call, begun).await;
        }
        assert_eq!(here.cache.stats().background, 1);
        database.open();
        here.is_idle().await;
        assert_eq!((database.loads(), here.value().await), (1, Some(1)));
    }

    async fn scenario_07_close_waits_for_background_loads_on_redis(runtime) {
        let server = RedisServer::start();
        let here = Process::start(&server, &runtime, LoadOptions::new().stale_while_revalidate("10m")).await;
        here.call(&opened(), "20ms").await.unwrap();
        eventually_async("the value is stale", async || here.value().await.is_none()).await;
        let database = Database::new();
        here.call(&database, "1h").await.unwrap();
        let opens = async {
            eventually_async("it loads", async || database.loads() == 1).await;
            database.open();
        };
        futures::future::join(here.cache.close(), opens).await;
        assert_eq!(here.value().await, Some(1));
    }
}
