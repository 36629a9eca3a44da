//! Calls where the last values of a thread are dropped, and what tokio keeps on it may be gone. A panic there would end
//! the process.

use std::{cell::RefCell, sync::mpsc, thread, time::Duration};

use larder::{BlockingCache, Cache, ErrorKind, LoadError, Result};
use larder_fred::{ConnectionManager, FredBackend};
use testkit::RedisServer;

use crate::support::config;

/// How long an ending thread has for its calls, which have their own deadlines.
const LIMIT: Duration = Duration::from_secs(60);

/// What the calls of an ending thread came to.
struct Ended {
    written: Result<()>,
    read: Result<Option<u8>>,
    keys: Result<Vec<String>>,
    loaded: std::result::Result<u8, LoadError<String>>,
}

/// Calls when its thread ends, and lets go of the connection there.
struct Flushes {
    manager: Option<ConnectionManager>,
    cache: BlockingCache<FredBackend>,
    told: mpsc::Sender<Ended>,
}

impl Flushes {
    fn new(manager: ConnectionManager, told: mpsc::Sender<Ended>) -> Self {
        Self {
            cache: Cache::new(manager.backend()).blocking(),
            manager: Some(manager),
            told,
        }
    }
}

impl Drop for Flushes {
    fn drop(&mut self) {
        let ended = Ended {
            written: self.cache.set("flushed", &1_u8, "1h"),
            read: self.cache.get("flushed"),
            keys: self.cache.keys("*").collect(),
            loaded: self.cache.remember("loaded", "1h", || Ok::<_, String>(2)),
        };
        drop(self.manager.take());
        let _ = self.told.send(ended);
    }
}

thread_local! {
    static FLUSHES: RefCell<Option<Flushes>> = const { RefCell::new(None) };
}

fn connect(server: &RedisServer) -> ConnectionManager {
    let config = config(server, true).with_shared_runtime(false);
    ConnectionManager::from_config_strict_blocking(config).unwrap()
}

/// Runs `thread` on one of its own, and answers what was told when that ended.
fn ended(thread: impl FnOnce(mpsc::Sender<Ended>) + Send + 'static) -> Ended {
    let (told, ends) = mpsc::channel();
    let ending = thread::spawn(move || thread(told));
    let ended = ends.recv_timeout(LIMIT).expect("the calls of the ending thread hang");
    ending.join().unwrap();
    ended
}

#[test]
fn an_ending_thread_that_has_made_no_call_before_gets_its_answers() {
    let server = RedisServer::start();
    let manager = connect(&server);
    let ended = ended(move |told| FLUSHES.set(Some(Flushes::new(manager, told))));
    ended.written.unwrap();
    assert_eq!(ended.read.unwrap(), Some(1));
    assert_eq!(ended.keys.unwrap(), ["flushed"]);
    assert_eq!(ended.loaded.unwrap(), 2);
}

#[test]
fn where_tokios_own_thread_locals_are_dropped_later_a_call_gets_its_answer() {
    let server = RedisServer::start();
    let manager = connect(&server);
    let ended = ended(move |told| {
        manager.ping_blocking().unwrap();
        Cache::new(manager.backend()).blocking().get::<u8>("nothing").unwrap();
        // Dropped first, because it comes to be last.
        FLUSHES.set(Some(Flushes::new(manager, told)));
    });
    ended.written.unwrap();
    assert_eq!(ended.read.unwrap(), Some(1));
    assert_eq!(ended.loaded.unwrap(), 2);
}

#[test]
fn where_tokios_own_thread_locals_are_gone_reads_and_loads_are_answered_and_other_calls_fail_at_once() {
    let server = RedisServer::start();
    let manager = connect(&server);
    let ended = ended(move |told| {
        // Dropped last, because it comes to be first.
        FLUSHES.set(Some(Flushes::new(manager.clone(), told)));
        Cache::new(manager.backend()).blocking().get::<u8>("nothing").unwrap();
    });
    let error = ended.written.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(
        error.to_string().contains("the thread that makes the call is ending"),
        "{error}"
    );
    // A read needs no timer of tokio's.
    assert_eq!(ended.read.unwrap(), None);
    assert_eq!(ended.keys.unwrap_err().kind(), ErrorKind::Connection);
    assert_eq!(ended.loaded.unwrap(), 2);
}

#[test]
fn threads_of_a_runtime_that_ends_may_call_through_a_connection_of_its_own_or_of_theirs() {
    let server = RedisServer::start();
    for is_shared in [false, true] {
        let (told, ends) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let config = config(&server, true).with_shared_runtime(is_shared);
        let manager = runtime.block_on(ConnectionManager::from_config_strict(config)).unwrap();
        let (on_worker, of_pool) = (manager.clone(), told.clone());
        runtime.block_on(async {
            let worker = tokio::spawn(async move { FLUSHES.set(Some(Flushes::new(on_worker, told))) });
            let pooled = tokio::task::spawn_blocking(move || FLUSHES.set(Some(Flushes::new(manager, of_pool))));
            worker.await.unwrap();
            pooled.await.unwrap();
        });
        drop(runtime);
        for _ in 0..2 {
            let ended = ends.recv_timeout(LIMIT).expect("the calls of the ending thread hang");
            if !is_shared {
                // Its runtime goes on; tokio's thread-locals may be gone.
                let failed = ended.written.err().map(|error| error.kind());
                assert!(matches!(failed, None | Some(ErrorKind::Connection)), "{failed:?}");
            }
            assert_eq!(ended.loaded.unwrap(), 2);
        }
    }
}
