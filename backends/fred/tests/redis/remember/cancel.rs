//! Callers that go away while they load.

use larder::{Cache, LoadOptions};
use larder_fred::FredBackend;
use testkit::RedisServer;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::support::{Database, HANG, KEY, cache, cache_with, calls, is_value, raw, runtime};
use crate::support::eventually;

/// Callers that say by their number that they load.
fn callers(
    cache: &Cache<FredBackend>,
    database: &Database,
    count: usize,
) -> (Vec<JoinHandle<usize>>, mpsc::UnboundedReceiver<usize>) {
    let (loading, loads) = mpsc::unbounded_channel();
    let callers = (0..count).map(|number| {
        let (cache, database, loading) = (cache.clone(), database.clone(), loading.clone());
        tokio::spawn(async move {
            let load = async || {
                loading.send(number).unwrap();
                Ok::<_, &str>(database.read().await)
            };
            cache.remember("key", "1h", load).await.unwrap()
        })
    });
    (callers.collect(), loads)
}

#[test]
fn scenario_04_leader_cancelled_100_times_in_a_row_among_50_waiters_on_redis() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache(&server).await;
        let database = Database::new();
        let (callers, mut loads) = callers(&cache, &database, 150);
        // A leader that goes before the others have come leaves its marker to be released, which voids the next fill.
        eventually("the others wait", || cache.stats().waiting == 149);
        for cancelled in 0..100 {
            let leader = timeout(HANG, loads.recv()).await.expect("nobody takes over").unwrap();
            assert!(database.loads() <= cancelled + 1);
            callers[leader].abort();
        }
        timeout(HANG, loads.recv()).await.expect("nobody takes over").unwrap();
        database.open();
        let mut answered = 0;
        for caller in callers {
            match timeout(HANG, caller).await.expect("a waiter hangs") {
                Ok(value) => {
                    assert_eq!(value, 101);
                    answered += 1;
                }
                Err(error) => assert!(error.is_cancelled(), "{error}"),
            }
        }
        assert_eq!((answered, database.loads(), database.most_running()), (50, 101, 1));
        assert!(is_value(raw(&server, KEY).as_ref()));
        assert_eq!(server.command::<u64>(&["DBSIZE"]), 1);
    });
}

#[test]
fn scenario_04_everybody_cancelled_leaves_no_marker_on_redis() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache(&server).await;
        for round in 0..50 {
            let database = Database::new();
            let (callers, mut loads) = callers(&cache, &database, 10);
            // Before the marker is sent, on its way, and while the load runs.
            if round % 2 == 0 {
                timeout(HANG, loads.recv()).await.expect("nobody leads").unwrap();
            }
            for caller in &callers {
                caller.abort();
                if round % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            for caller in callers {
                assert!(caller.await.is_err_and(|error| error.is_cancelled()));
            }
            assert!(database.most_running() <= 1);
            eventually("the marker is released", || raw(&server, KEY).is_none());
        }
        assert_eq!(cache.remember("key", "1h", async || Ok::<_, &str>(7)).await.unwrap(), 7);
        assert!(is_value(raw(&server, KEY).as_ref()));
    });
}

#[test]
fn scenario_04_a_cancelled_waiter_disturbs_nobody_on_redis() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = cache_with(&server, LoadOptions::new().wait("20s")).await;
        let database = Database::new();
        let (callers, mut loads) = callers(&cache, &database, 60);
        let leader = timeout(HANG, loads.recv()).await.expect("nobody leads").unwrap();
        for (number, caller) in callers.iter().enumerate() {
            if number != leader && number % 2 == 0 {
                caller.abort();
            }
        }
        database.open();
        let mut answered = 0;
        for caller in callers {
            match timeout(HANG, caller).await.expect("a waiter hangs") {
                Ok(value) => {
                    assert_eq!(value, 1);
                    answered += 1;
                }
                Err(error) => assert!(error.is_cancelled(), "{error}"),
            }
        }
        assert!(answered >= 30, "{answered}");
        assert_eq!(database.loads(), 1);
        assert!(is_value(raw(&server, KEY).as_ref()));
    });
}

#[test]
fn scenario_04_a_load_that_fails_or_is_cancelled_removes_nothing_but_its_own_marker_on_redis() {
    let server = RedisServer::start();
    let changes = || -> u64 {
        let of_release = ["eval", "evalsha", "unlink", "del"];
        let all = calls(&server).into_iter();
        all.filter_map(|(name, calls)| of_release.contains(&name.as_str()).then_some(calls))
            .sum()
    };
    runtime().block_on(async {
        let (here, there) = (cache(&server).await, cache(&server).await);
        for is_batch in [false, true] {
            for is_cancelled in [false, true] {
                let database = Database::new();
                let (loading, mut loads) = mpsc::unbounded_channel();
                let load = tokio::spawn({
                    let (here, database) = (here.clone(), database.clone());
                    async move {
                        let fail = async || {
                            loading.send(()).unwrap();
                            database.read().await;
                            Err::<usize, _>("the database is away")
                        };
                        if is_batch {
                            let fail = |_| async { fail().await.map(|value| [(1, value)]) };
                            let found = here.remember_many([1], |_| "key".into(), "1h", fail).await;
                            found.map(drop)
                        } else {
                            here.remember("key", "1h", fail).await.map(drop)
                        }
                    }
                });
                timeout(HANG, loads.recv()).await.expect("nobody leads").unwrap();
                there.set("key", &7_usize, "1h").await.unwrap();
                let before = changes();
                if is_cancelled {
                    load.abort();
                } else {
                    database.open();
                }
                assert!(!load.await.is_ok_and(|answer| answer.is_ok()));
                eventually("the marker is released", || changes() > before);
                let what = format!("batch {is_batch}, cancelled {is_cancelled}");
                assert_eq!(there.get::<usize>("key").await.unwrap(), Some(7), "{what}");
                there.delete("key").await.unwrap();
            }
        }
    });
}
