//! Invalidations during a load, in every form, on every path, here and elsewhere.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder::{Cache, LoadOptions, Loaded, ManualClock, Runtime, ThreadRuntime};
use larder_fred::FredBackend;
use larder_runtimes::{SmolRuntime, TokioRuntime};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use testkit::RedisServer;
use tokio::{sync::watch, time::timeout};

use super::support::{HANG, connect, is_marker, raw, runtime, seed};
use crate::support::{config, eventually_async};

#[derive(Debug, Clone, Copy)]
enum Form {
    Delete,
    Set,
    DeleteMany,
    SetMany,
    DeletePattern,
    Clear,
    RawDel,
    RawSet,
    RawUnlink,
    RawFlushAll,
    RawExpire,
    RawRename,
}

const FORMS: [Form; 12] = [
    Form::Delete,
    Form::Set,
    Form::DeleteMany,
    Form::SetMany,
    Form::DeletePattern,
    Form::Clear,
    Form::RawDel,
    Form::RawSet,
    Form::RawUnlink,
    Form::RawFlushAll,
    Form::RawExpire,
    Form::RawRename,
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Path {
    Foreground,
    Batch,
    /// The value is there and is reloaded before its end.
    Refresh,
    RefreshBatch,
    /// The same, behind the caller.
    RefreshBehind,
    /// The value is past its end, answered at once, and reloaded behind the caller.
    Revalidate,
    /// The value is past its end, and the caller leaves its load behind.
    SoftTimeout,
    /// As the last, with a lease.
    SoftTimeoutLeased,
}

impl Path {
    const OF_CALLERS: [Self; 4] = [Self::Foreground, Self::Batch, Self::Refresh, Self::RefreshBatch];
    const BEHIND_CALLERS: [Self; 4] = [
        Self::RefreshBehind,
        Self::Revalidate,
        Self::SoftTimeout,
        Self::SoftTimeoutLeased,
    ];

    /// How old a value that lives for 100 s has to be.
    const fn age(self) -> u64 {
        match self {
            Self::Foreground | Self::Batch => 0,
            Self::Refresh | Self::RefreshBatch | Self::RefreshBehind => 60,
            Self::Revalidate | Self::SoftTimeout | Self::SoftTimeoutLeased => 110,
        }
    }

    fn options(self) -> LoadOptions {
        match self {
            Self::Revalidate => LoadOptions::new().stale_while_revalidate("10m"),
            Self::SoftTimeout => LoadOptions::new().stale_if_error("10m").soft_timeout("1s"),
            Self::SoftTimeoutLeased => Self::SoftTimeout.options().lease("10s"),
            _ => LoadOptions::new(),
        }
    }
}

type Signal<T> = Arc<watch::Sender<T>>;

fn signal<T>(value: T) -> Signal<T> {
    Arc::new(watch::Sender::new(value))
}

/// The caches of two managers, and the truth about one key.
struct Stage {
    server: RedisServer,
    here: Cache<FredBackend>,
    there: Cache<FredBackend>,
    clock: ManualClock,
    truth: Arc<AtomicU64>,
}

impl Stage {
    async fn new(runtime: Arc<dyn Runtime>) -> Self {
        let server = RedisServer::start();
        let clock = ManualClock::new();
        let cache = async || {
            Cache::builder(connect(config(&server, true)).await)
                .prefix("app")
                .clock(clock.clone())
                .runtime(Arc::clone(&runtime))
                .load_options(LoadOptions::new().refresh_ahead(0.5))
                .build()
                .unwrap()
        };
        Self {
            here: cache().await,
            there: cache().await,
            clock,
            truth: Arc::default(),
            server,
        }
    }

    fn now(&self) -> u64 {
        self.truth.load(Ordering::SeqCst)
    }

    /// Changes the truth, and then invalidates what is cached of it.
    async fn invalidate(&self, form: Form, here: bool) {
        let value = self.truth.fetch_add(1, Ordering::SeqCst) + 1;
        let cache = if here { &self.here } else { &self.there };
        let command = |args: &[&str]| self.server.command::<()>(args);
        match form {
            Form::Delete => drop(cache.delete("key").await.unwrap()),
            Form::Set => cache.set("key", &value, 100).await.unwrap(),
            Form::DeleteMany => drop(cache.delete_many(["other", "key"]).await.unwrap()),
            Form::SetMany => cache.set_many([("other", value), ("key", value)], 100).await.unwrap(),
            Form::DeletePattern => drop(cache.delete_pattern("k*").await.unwrap()),
            Form::Clear => drop(cache.clear().await.unwrap()),
            Form::RawDel => command(&["DEL", "app:key"]),
            Form::RawSet => command(&["SET", "app:key", "by another program"]),
            Form::RawUnlink => command(&["UNLINK", "app:key"]),
            Form::RawFlushAll => command(&["FLUSHALL"]),
            Form::RawExpire => command(&["EXPIRE", "app:key", "0"]),
            // There may be nothing to rename, which is as good.
            Form::RawRename => drop(self.server.try_command::<()>(&["RENAME", "app:key", "elsewhere"])),
        }
    }

    /// One call that loads whatever is not cached; the truth is read at once, and answered when `gate` is open.
    async fn call(&self, here: bool, path: Path, loading: &Signal<u64>, gate: &Signal<bool>) -> u64 {
        let cache = if here { &self.here } else { &self.there };
        let load = {
            let (truth, loading, gate) = (Arc::clone(&self.truth), Arc::clone(loading), Arc::clone(gate));
            async move || {
                let value = truth.load(Ordering::SeqCst);
                loading.send_modify(|loads| *loads += 1);
                gate.subscribe().wait_for(|open| *open).await.unwrap();
                value
            }
        };
        match path {
            Path::Foreground | Path::Refresh => {
                let load = async || Ok::<_, &str>(load().await);
                cache.remember("key", 100, load).await.unwrap()
            }
            Path::Batch | Path::RefreshBatch => {
                let load = |missing: Vec<&'static str>| async {
                    let value = load().await;
                    Ok::<_, &str>(missing.into_iter().map(move |id| (id, value)))
                };
                // The others of the first batch are not invalidated, so a second would wait for the first.
                let ids: &[&str] = if *gate.borrow() {
                    &["key"]
                } else {
                    &["key", "other", "third"]
                };
                let found: HashMap<_, u64> = cache
                    .remember_many(ids.iter().copied(), |id| (*id).into(), 100, load)
                    .await
                    .unwrap();
                found["key"]
            }
            Path::RefreshBehind | Path::Revalidate | Path::SoftTimeout | Path::SoftTimeoutLeased => {
                let load = move || async move { Ok::<_, &str>(Loaded::value(load().await)) };
                let answer = cache
                    .remember_detached("key", 100, &path.options(), load)
                    .await
                    .unwrap();
                answer.value.unwrap()
            }
        }
    }

    async fn run(&self, seed: u64, paths: [Path; 4]) {
        let mut rng = StdRng::seed_from_u64(seed);
        let path = *paths.choose(&mut rng).unwrap();
        let what = format!("LARDER_SEED={seed}: {path:?}");
        self.server.command::<()>(&["FLUSHALL"]);
        let closed = signal(false);
        let opened = signal(true);
        if path.age() > 0 {
            self.call(true, path, &signal(0), &opened).await;
            self.clock.advance(Duration::from_secs(path.age()));
        }

        let loading = signal(0);
        let steps = async {
            loading.subscribe().wait_for(|loads| *loads == 1).await.unwrap();
            // The load ends before the last invalidation does, at the same time, or after.
            let opens_early: bool = rng.random();
            if rng.random() {
                // Those with a soft timeout are answered now, the others go on waiting.
                self.clock.advance(Duration::from_secs(1));
            }
            let forms = rng.random_range(1..=3);
            for form in 0..forms {
                let (form_of, here) = (*FORMS.choose(&mut rng).unwrap(), rng.random());
                if opens_early && form + 1 == forms {
                    closed.send_replace(true);
                    for _ in 0..rng.random_range(0..20) {
                        tokio::task::yield_now().await;
                    }
                }
                self.invalidate(form_of, here).await;
                let floor = self.now();
                let what = format!("{what}, after {form_of:?} {}", if here { "here" } else { "elsewhere" });
                if rng.random() {
                    let here = rng.random();
                    let path = *[Path::Foreground, Path::Batch].choose(&mut rng).unwrap();
                    let value = self.call(here, path, &signal(0), &opened).await;
                    assert_eq!(value, floor, "{what}: remembered");
                }
                for cache in [&self.here, &self.there] {
                    let value: Option<u64> = cache.get("key").await.unwrap();
                    assert!(
                        value.is_none_or(|value| value == floor),
                        "{what}: {value:?}, not {floor}"
                    );
                }
            }
            closed.send_replace(true);
            self.clock.advance(Duration::from_secs(1));
        };
        let load = self.call(true, path, &loading, &closed);
        timeout(HANG, futures::future::join(load, steps))
            .await
            .unwrap_or_else(|_| panic!("{what} hangs"));

        for cache in [&self.here, &self.there] {
            eventually_async("the background is idle", async || cache.stats().background == 0).await;
        }
        let floor = self.now();
        for cache in [&self.here, &self.there] {
            let value: Option<u64> = cache.get("key").await.unwrap();
            assert!(
                value.is_none_or(|value| value == floor),
                "{what}: {value:?} came back, not {floor}"
            );
        }
        assert!(
            !is_marker(raw(&self.server, "app:key").as_ref()),
            "{what}: a marker is left"
        );
        for here in [true, false] {
            let load = async || Ok::<_, &str>(Loaded::value(self.now()));
            let cache = if here { &self.here } else { &self.there };
            let answer = cache
                .remember_with("key", 100, &LoadOptions::new(), load)
                .await
                .unwrap();
            assert_eq!(answer.value, Some(floor), "{what}");
        }
    }
}

/// 1 000 runs, or the one that is to be replayed.
async fn runs(runtime: Arc<dyn Runtime>, paths: [Path; 4]) {
    let first = seed();
    let count = if std::env::var_os("LARDER_SEED").is_some() {
        1
    } else {
        1_000
    };
    let stage = Stage::new(runtime).await;
    for run in 0..count {
        stage.run(first.wrapping_add(run), paths).await;
    }
}

#[test]
fn scenario_03_invalidate_during_a_load_never_resurrects_in_1_000_seeded_runs_on_redis() {
    runtime().block_on(async { runs(Arc::new(TokioRuntime::current()), Path::OF_CALLERS).await });
}

#[test]
fn scenario_03_invalidate_during_a_background_load_in_1_000_seeded_runs_on_redis_with_tokio() {
    runtime().block_on(async { runs(Arc::new(TokioRuntime::current()), Path::BEHIND_CALLERS).await });
}

#[test]
fn scenario_03_invalidate_during_a_background_load_in_1_000_seeded_runs_on_redis_with_smol() {
    runtime().block_on(runs(Arc::new(SmolRuntime), Path::BEHIND_CALLERS));
}

#[test]
fn scenario_03_invalidate_during_a_background_load_in_1_000_seeded_runs_on_redis_with_plain_threads() {
    runtime().block_on(runs(Arc::new(ThreadRuntime), Path::BEHIND_CALLERS));
}

#[test]
fn scenario_03_a_voided_fill_does_not_land_in_the_marker_of_a_later_load_on_redis() {
    runtime().block_on(async {
        let stage = Stage::new(Arc::new(TokioRuntime::current())).await;
        for form in FORMS {
            for path in [Path::Foreground, Path::Batch] {
                for here in [true, false] {
                    stage.server.command::<()>(&["FLUSHALL"]);
                    let what = format!("{form:?}, {path:?}, {}", if here { "here" } else { "elsewhere" });
                    let (first, second) = (signal(false), signal(false));
                    let loads = [signal(0), signal(0)];
                    let began = async |load: usize| drop(loads[load].subscribe().wait_for(|loads| *loads > 0).await);
                    let older = stage.call(true, path, &loads[0], &first);
                    let newer = async {
                        began(0).await;
                        stage.invalidate(form, here).await;
                        // Nothing stands there now but the marker of the second load.
                        stage.server.command::<()>(&["DEL", "app:key"]);
                        let newer = stage.call(false, Path::Foreground, &loads[1], &second);
                        let steps = async {
                            began(1).await;
                            first.send_replace(true);
                        };
                        futures::future::join(newer, steps).await.0
                    };
                    let end = async {
                        older.await;
                        let found: Option<u64> = stage.here.get("key").await.unwrap();
                        assert_eq!(found, None, "{what}: filled into another load's marker");
                        second.send_replace(true);
                    };
                    let (newer, ()) = timeout(HANG, futures::future::join(newer, end)).await.expect("hangs");
                    assert_eq!(newer, stage.now(), "{what}");
                    assert_eq!(stage.there.get::<u64>("key").await.unwrap(), Some(newer), "{what}");
                }
            }
        }
    });
}
