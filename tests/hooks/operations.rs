//! Every operation has one start and one end.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{executor::block_on, poll};
use larder::{Batched, Cache, Clock, ErrorKind, ManualClock, OperationKind, Sleep};
use larder_local::LocalBackend;
use larder_memory::MemoryBackend;

use crate::{
    record::Record,
    table::{Memory, prepared, rows},
};

fn recorded() -> (MemoryBackend, Memory, Record) {
    let (backend, record) = (MemoryBackend::new(), Record::default());
    let cache = Cache::builder(backend.clone())
        .prefix("app")
        .name("users")
        .default_ttl("1m")
        .hook(record.clone())
        .build()
        .unwrap();
    block_on(prepared(&cache));
    record.take();
    (backend, cache, record)
}

#[test]
fn hooks_every_call_that_succeeds_has_one_start_and_one_end_with_its_outcome_and_its_parts_in_order() {
    for row in rows() {
        let (_, cache, record) = recorded();
        assert!(block_on((row.run)(cache)), "{:?}", row.kind);
        assert_eq!(record.ends(), (1, 1), "{:?}", row.kind);
        assert_eq!(record.take(), row.success);
    }
}

#[test]
fn hooks_are_told_of_a_shared_hit_that_needs_no_future() {
    let record = Record::default();
    let cache = Cache::builder(LocalBackend::with_capacity(10))
        .hook(record.clone())
        .build()
        .unwrap();
    block_on(cache.set("k", &1, "1m")).unwrap();
    for (key, found) in [("k", Some(1)), ("k", Some(1)), ("none", None)] {
        record.take();
        let shared = block_on(cache.get_shared::<i32>(key)).unwrap();
        assert_eq!(shared.as_deref(), found.as_ref());
        assert_eq!(record.ends(), (1, 1));
    }
}

#[test]
fn hooks_every_call_that_fails_has_one_start_and_one_end_with_the_class_of_its_error() {
    for row in rows() {
        let (backend, cache, record) = recorded();
        backend.faults().fail_all(ErrorKind::Timeout);
        let succeeds = block_on((row.run)(cache));
        assert_eq!(succeeds, row.answers_failures, "{:?}", row.kind);
        assert_eq!(record.ends(), (1, 1), "{:?}", row.kind);
        assert_eq!(record.take(), row.failure);
        assert_eq!(record.failures(), ["timeout", "timeout"], "{:?}", row.kind);
    }
}

#[test]
fn hooks_every_call_whose_future_is_dropped_ends_as_cancelled_and_so_do_its_parts() {
    for row in rows() {
        let (backend, cache, record) = recorded();
        let gate = backend.faults().hold();
        block_on(async {
            let mut call = (row.run)(cache);
            assert!(poll!(&mut call).is_pending(), "{:?}", row.kind);
            assert_eq!(record.ends(), (1, 0), "{:?}", row.kind);
        });
        assert_eq!(record.ends(), (1, 1), "{:?}", row.kind);
        assert_eq!(record.take(), row.cancelled);
        drop(gate);
    }
}

#[test]
fn hooks_the_table_has_every_call() {
    let in_table: Vec<_> = rows().iter().map(|row| row.kind).collect();
    let calls: Vec<_> = (OperationKind::ALL.iter().copied())
        .filter(|kind| kind.is_call())
        .collect();
    assert_eq!(in_table, calls);
}

/// Reads the library's own text, so that a call that is added without a kind of its own is noticed.
#[test]
fn hooks_every_public_call_of_the_library_is_told_under_a_kind() {
    let known: BTreeSet<&str> = OperationKind::ALL.iter().map(|kind| kind.as_str()).collect();
    // Told under the name of the call that they are another form of; and `close`, which asks the store for nothing.
    let others = [
        "pttl",
        "remember_with",
        "remember_many_with",
        "delete_pattern_with",
        "clear_with",
        "close",
        "keys",
    ];
    let mut calls = 0;
    for folder in ["src/cache", "src/remember", "src/private"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let Ok(text) = fs::read_to_string(&path) else { continue };
            for line in text.lines() {
                let Some(rest) = line.trim().strip_prefix("pub async fn ") else {
                    continue;
                };
                let name = rest.split(['<', '(']).next().unwrap();
                // What the expansion of `#[cached]` calls goes through these same calls.
                let is_expansion = path.parent().unwrap().ends_with("private");
                let forwards = ["call", "call_detached", "invalidate"];
                calls += 1;
                assert!(
                    known.contains(name) || others.contains(&name) || (is_expansion && forwards.contains(&name)),
                    "{}: {name} is told to no hook",
                    path.display()
                );
            }
        }
    }
    assert!(calls > 30, "only {calls} calls found: are they written otherwise now?");
}

#[test]
fn hooks_a_removal_that_tells_its_progress_is_told_as_the_one_that_does_not() {
    let (backend, cache, record) = recorded();
    block_on(async {
        cache.delete_pattern_with("*", |_| {}).await.unwrap();
        cache.clear_with(|_| {}).await.unwrap();
        backend.faults().fail_all(ErrorKind::Timeout);
        cache.delete_pattern_with("*", |_| {}).await.unwrap_err();
        cache.clear_with(|_| {}).await.unwrap_err();
    });
    assert_eq!(record.ends(), (4, 4));
    assert_eq!(
        record.take(),
        "delete_pattern[backend_delete_matching:done]:done \
         clear[backend_delete_matching:unchanged]:unchanged \
         delete_pattern[backend_delete_matching:failed]:failed \
         clear[backend_delete_matching:failed]:failed"
    );
}

#[test]
fn hooks_calls_that_come_together_in_a_layer_are_told_one_by_one() {
    let record = Record::default();
    let backend = MemoryBackend::new();
    let cache = Cache::builder(Batched::builder(backend.clone()).build().unwrap())
        .hook(record.clone())
        .build()
        .unwrap();
    block_on(async {
        cache.set("a", &1_u32, 60).await.unwrap();
        record.take();
        let gate = backend.faults().hold();
        let mut first = Box::pin(cache.get::<u32>("a"));
        let mut second = Box::pin(cache.get::<u32>("b"));
        let mut dropped = Box::pin(cache.get::<u32>("c"));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending() && poll!(&mut dropped).is_pending());
        drop(dropped);
        drop(gate);
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (Some(1), None));
        assert_eq!(record.ends(), (3, 3));
        backend.faults().fail_all(ErrorKind::Connection);
        cache.get::<u32>("a").await.unwrap_err();
        assert_eq!(record.ends(), (4, 4));
    });
    let outcomes: Vec<_> = (record.endings().iter())
        .map(|ending| ending.outcome.as_str())
        .collect();
    assert_eq!(outcomes, ["done", "cancelled", "hit", "miss", "failed"]);
}

#[test]
fn hooks_a_blocking_call_is_told_once() {
    let (_, cache, record) = recorded();
    let cache = cache.blocking();
    cache.get::<u32>("k").unwrap();
    cache.bind::<u32>("k").set(&2, 60).unwrap();
    cache.remember("new", 60, || Ok::<_, ()>(1)).unwrap();
    assert_eq!(cache.keys("*").count(), 2);
    assert_eq!(record.ends(), (4, 4));
    assert_eq!(
        record.take(),
        "get[backend_get:hit]:hit set[backend_set:done]:done \
         remember[backend_get:miss backend_set:done load:loaded backend_set:done]:loaded \
         keys[backend_scan:done backend_scan:unchanged]:done"
    );
}

#[test]
fn hooks_a_call_that_is_refused_before_the_backend_is_asked_is_told_all_the_same() {
    let (_, cache, record) = recorded();
    let long = "k".repeat(70_000);
    block_on(async {
        cache.get::<u32>(&long).await.unwrap_err();
        cache.set("k", &1, "soon").await.unwrap_err();
        cache.expire("k", 0).await.unwrap_err();
        cache.set_many([("k", 1)], -1).await.unwrap_err();
        cache
            .remember("k", "soon", async || Ok::<u32, ()>(1))
            .await
            .unwrap_err();
    });
    assert_eq!(
        record.take(),
        "get:failed set:failed expire:failed set_many:failed remember:failed"
    );
    assert_eq!(record.failures(), ["invalid_input"; 5]);
}

#[test]
fn hooks_a_stream_of_keys_that_nobody_polls_ends_as_cancelled() {
    let (_, cache, record) = recorded();
    drop(cache.keys("*"));
    assert_eq!(record.take(), "keys:cancelled");
}

#[test]
fn hooks_are_told_the_name_the_key_the_size_of_the_batch_and_the_attempt() {
    let (backend, cache, record) = recorded();
    record.operations();
    block_on(async {
        cache.get::<u32>("k").await.unwrap();
        cache.scope("eu").get_many::<u32>(["a", "b"]).await.unwrap();
    });
    let owned = |text: &str| text.to_owned();
    assert_eq!(
        record.operations(),
        [
            (OperationKind::Get, owned("users"), Some(owned("k")), None, 1),
            (OperationKind::BackendGet, owned("users"), Some(owned("app:k")), None, 1),
            (OperationKind::GetMany, owned("users"), None, Some(2), 1),
            (OperationKind::BackendGetMany, owned("users"), None, Some(2), 1),
        ]
    );
    // Another's write comes between the look and the change.
    let gate = backend.faults().hold_of(larder_memory::Operation::Expire);
    block_on(async {
        let mut expiring = Box::pin(cache.expire("k", 10));
        assert!(poll!(&mut expiring).is_pending());
        cache.with_hooks([]).set("k", &2, 60).await.unwrap();
        drop(gate);
        assert!(expiring.await.unwrap());
    });
    let attempts: Vec<_> = (record.operations().into_iter())
        .map(|(kind, .., attempt)| (kind, attempt))
        .collect();
    assert_eq!(
        attempts,
        [
            (OperationKind::Expire, 1),
            (OperationKind::BackendHead, 1),
            (OperationKind::BackendExpire, 1),
            (OperationKind::BackendHead, 2),
            (OperationKind::BackendExpire, 2),
        ]
    );
}

#[test]
fn hooks_of_a_call_are_those_of_the_cache_that_it_is_made_through() {
    let (_, cache, record) = recorded();
    let other = Record::default();
    let both = cache.with_hooks(cache.hooks().cloned().chain([Arc::new(other.clone()) as _]));
    assert_eq!((cache.hooks().count(), both.hooks().count()), (1, 2));
    block_on(async {
        both.exists("k").await.unwrap();
        both.scope("s").exists("k").await.unwrap();
        cache.exists("k").await.unwrap();
        cache.with_hooks([]).exists("k").await.unwrap();
    });
    assert_eq!((record.ends().0, other.ends().0), (3, 2));
    assert_eq!(both.name(), "users");
}

#[test]
fn hooks_a_cache_without_a_name_is_called_by_its_prefix_or_larder() {
    let named = |name: Option<&str>, prefix: Option<&str>| {
        let mut builder = Cache::builder(MemoryBackend::new());
        if let Some(name) = name {
            builder = builder.name(name);
        }
        if let Some(prefix) = prefix {
            builder = builder.prefix(prefix);
        }
        builder.build().unwrap().name().to_owned()
    };
    assert_eq!(named(None, None), "larder");
    assert_eq!(named(None, Some("app")), "app");
    assert_eq!(named(Some("users"), Some("app")), "users");
}

/// A clock that counts how often it is read.
#[derive(Debug, Clone)]
struct Counted(ManualClock, Arc<AtomicUsize>);

impl Clock for Counted {
    fn unix_time(&self) -> Duration {
        self.0.unix_time()
    }

    fn monotonic(&self) -> Duration {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.monotonic()
    }

    fn sleep(&self, span: Duration) -> Sleep {
        self.0.sleep(span)
    }
}

#[test]
fn hooks_that_are_not_there_read_no_clock() {
    let readings = Arc::new(AtomicUsize::new(0));
    let clock = Counted(ManualClock::new(), Arc::clone(&readings));
    let cache = Cache::builder(MemoryBackend::new()).clock(clock).build().unwrap();
    block_on(async {
        cache.set("k", &1, 60).await.unwrap();
        cache.get::<u32>("k").await.unwrap();
        assert_eq!(readings.load(Ordering::Relaxed), 0);
        let record = Record::default();
        let watched = cache.with_hooks([Arc::new(record) as Arc<dyn larder::Hook>]);
        watched.get::<u32>("k").await.unwrap();
    });
    assert_eq!(
        readings.load(Ordering::Relaxed),
        4,
        "a start and an end, of the call and of its part"
    );
}
