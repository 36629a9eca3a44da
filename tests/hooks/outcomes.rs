//! What came of a call, as its hooks are told.

use std::time::Duration;

use bytes::Bytes;
use futures::{executor::block_on, poll};
use larder::{
    Cache, CacheBackend, CacheBuilder, ErrorKind, Expiry, FallbackPolicy, Fallen, LoadOptions, Loaded, ManualClock,
    OperationOutcome, SetOptions,
};
use larder_memory::{MemoryBackend, Operation};

use crate::{
    record::{Kept, Record},
    table::Memory,
};

pub(crate) struct World {
    pub(crate) backend: MemoryBackend,
    pub(crate) clock: ManualClock,
    pub(crate) cache: Memory,
    pub(crate) record: Record,
}

pub(crate) fn world(settings: impl FnOnce(CacheBuilder<MemoryBackend>) -> CacheBuilder<MemoryBackend>) -> World {
    let (clock, record) = (ManualClock::new(), Record::default());
    let backend = MemoryBackend::with_clock(clock.clone());
    let builder = Cache::builder(backend.clone())
        .clock(clock.clone())
        .hook(record.clone());
    World {
        cache: settings(builder).build().unwrap(),
        backend,
        clock,
        record,
    }
}

impl World {
    /// How the last call ended; forgets all before it.
    pub(crate) fn last(&self) -> Kept {
        self.record.endings().pop().unwrap()
    }

    fn outcome(&self) -> OperationOutcome {
        self.last().outcome
    }
}

#[test]
fn hooks_tell_hits_misses_and_cached_nones_apart() {
    let world = world(|builder| builder);
    block_on(async {
        world.cache.set("value", &1, 60).await.unwrap();
        world.cache.set("none", &None::<u32>, 60).await.unwrap();
        for (key, outcome) in [
            ("value", OperationOutcome::Hit),
            ("none", OperationOutcome::Negative),
            ("nothing", OperationOutcome::Miss),
        ] {
            world.cache.get::<u32>(key).await.unwrap();
            assert_eq!(world.outcome(), outcome);
        }
        let keys = ["value", "none", "nothing", "nothing else"];
        world.cache.get_many::<u32>(keys).await.unwrap();
        let ending = world.last();
        assert_eq!(ending.outcome, OperationOutcome::Mixed);
        assert_eq!(ending.counts, [("hit", 1), ("miss", 2), ("negative", 1)]);
        world.cache.get_many::<u32>(["nothing"]).await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::Miss);
        world.cache.get_many::<u32>([""; 0]).await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::Done);
    });
}

#[test]
fn hooks_tell_what_can_not_be_decoded_from_what_is_not_there() {
    let world = world(|builder| builder);
    block_on(async {
        let foreign = SetOptions::new(Expiry::Never);
        let backend = world.cache.backend();
        backend.set("odd", Bytes::from("foreign"), foreign).await.unwrap();
        world.cache.get::<u32>("odd").await.unwrap();
        let ending = world.last();
        assert_eq!((ending.outcome, ending.undecodable), (OperationOutcome::Undecodable, 1));
        world.cache.get_many::<u32>(["odd", "nothing"]).await.unwrap();
        assert_eq!(world.last().counts, [("miss", 1), ("undecodable", 1)]);
        world
            .cache
            .remember("odd", 60, async || Ok::<u32, ()>(1))
            .await
            .unwrap();
        let ending = world.last();
        assert_eq!((ending.outcome, ending.undecodable), (OperationOutcome::Loaded, 1));
    });
}

#[test]
fn hooks_are_told_the_age_of_a_stale_answer() {
    let options = LoadOptions::new().stale_if_error("10m");
    let world = world(|builder| builder.load_options(options));
    block_on(async {
        let load = async || Ok::<u32, &str>(1);
        world.cache.remember("k", 60, load).await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::Loaded);
        world.cache.remember("k", 60, load).await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::Hit);
        world.clock.advance(Duration::from_secs(65));
        (world.cache.remember("k", 60, async || Err::<u32, _>("away")).await).unwrap();
        let ending = world.last();
        let age = Duration::from_secs(5);
        assert_eq!(ending.outcome, OperationOutcome::Stale { age });
        assert_eq!(ending.counts, [("stale", 1)]);
    });
}

#[test]
fn hooks_tell_who_loaded_from_who_waited_and_the_time_that_each_took() {
    let world = world(|builder| builder);
    block_on(async {
        let gate = world.backend.faults().hold_of(Operation::Set);
        let load = || async || Ok::<u32, ()>(1);
        let mut first = Box::pin(world.cache.remember("k", 60, load()));
        assert!(poll!(&mut first).is_pending());
        let mut second = Box::pin(world.cache.remember("k", 60, load()));
        assert!(poll!(&mut second).is_pending());
        world.clock.advance(Duration::from_millis(250));
        drop(gate);
        first.await.unwrap();
        second.await.unwrap();
        let endings = world.record.endings();
        let outcomes: Vec<_> = endings.iter().map(|ending| ending.outcome).collect();
        assert_eq!(outcomes, [OperationOutcome::Loaded, OperationOutcome::Coalesced]);
        assert!(
            endings
                .iter()
                .all(|ending| ending.elapsed == Duration::from_millis(250))
        );
    });
}

#[test]
fn hooks_are_told_of_a_fill_that_an_invalidation_has_voided() {
    let world = world(|builder| builder);
    let cache = &world.cache;
    block_on(async {
        let load = async || {
            cache.delete("k").await.unwrap();
            Ok::<u32, ()>(1)
        };
        cache.remember("k", 60, load).await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::FillVoided);

        let load = || async {
            yield_once().await;
            Ok::<_, ()>(Loaded::value(1_u32))
        };
        let options = LoadOptions::new();
        let mut detached = Box::pin(cache.remember_detached("d", 60, &options, load));
        assert!(poll!(&mut detached).is_pending());
        cache.delete("d").await.unwrap();
        detached.await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::FillVoided);

        let load = async |missing: Vec<&'static str>| {
            cache.delete("a").await.unwrap();
            Ok::<_, ()>(missing.into_iter().map(|id| (id, 1_u32)).collect::<Vec<_>>())
        };
        (cache.remember_many(["a", "b"], |id| (*id).to_owned(), 60, load).await).unwrap();
        assert_eq!(world.last().counts, [("loaded", 1), ("fill_voided", 1)]);
    });
}

/// Is pending once.
async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn hooks_are_told_of_a_load_past_a_backend_that_is_away() {
    let world = world(|builder| builder);
    block_on(async {
        world.backend.faults().fail_all(ErrorKind::Connection);
        world.cache.remember("k", 60, async || Ok::<u32, ()>(1)).await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::Bypassed);
        assert_eq!(world.record.take(), "remember[backend_get:failed load:loaded]:bypassed");
        let load = async |missing: Vec<u32>| Ok::<_, ()>(missing.into_iter().map(|id| (id, id)).collect::<Vec<_>>());
        (world.cache.remember_many([1, 2], u32::to_string, 60, load).await).unwrap();
        assert_eq!(world.last().counts, [("bypassed", 2)]);

        // It answers again, and does not take what was loaded.
        world.backend.faults().recover();
        world.record.take();
        let unfenced = LoadOptions::new().unfenced();
        world
            .backend
            .faults()
            .fail_next_of(Operation::Set, 1, ErrorKind::Timeout);
        let load = async || Ok::<_, ()>(Loaded::value(1_u32));
        world.cache.remember_with("k", 60, &unfenced, load).await.unwrap();
        assert_eq!(
            world.record.take(),
            "remember[backend_get:miss load:loaded backend_set:failed]:bypassed"
        );
    });
}

#[test]
fn hooks_are_told_where_a_fallback_policy_has_answered() {
    let policy = FallbackPolicy::callback(|_, key, error| match key {
        "known" => Fallen::value(1_u32),
        "strict" => Fallen::error(error.clone()),
        _ => Fallen::nothing(),
    });
    let world = world(|builder| builder.name("users").fallback(policy));
    block_on(async {
        world.cache.set("there", &1, 60).await.unwrap();
        world.backend.faults().fail_all(ErrorKind::Overloaded);
        assert_eq!(world.cache.get::<u32>("known").await.unwrap(), Some(1));
        assert_eq!(world.outcome(), OperationOutcome::Fallback);
        world.cache.set("there", &2, 60).await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::Fallback);
        world.cache.get::<u32>("strict").await.unwrap_err();
        assert_eq!(world.outcome(), OperationOutcome::Failed);
        let results = world.cache.get_many_results::<u32>(["known", "strict"]).await;
        assert!(results[0].1.is_ok() && results[1].1.is_err());
        let ending = world.last();
        assert_eq!(ending.counts, [("fallback", 1), ("failed", 1)]);
        assert_eq!(ending.failure, Some("overloaded"));
        world.cache.delete_pattern("*").await.unwrap();
        assert_eq!(world.outcome(), OperationOutcome::Fallback);
    });
    let events = world.record.events();
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(events[0].starts_with(r#"FallbackAnswered { cache: "users", kind: Get, error: "#));
}

#[test]
fn hooks_are_told_the_bytes_before_and_after_compression() {
    let world = world(|builder| builder.compress_from(100));
    block_on(async {
        let long = "a".repeat(10_000);
        world.cache.set("long", &long, 60).await.unwrap();
        let (serialized, stored) = world.last().bytes;
        assert_eq!(serialized, Some(10_002), "postcard's length before the text");
        assert!(stored.unwrap() < 1_000);
        world.cache.get::<String>("long").await.unwrap();
        assert_eq!(world.last().bytes, (serialized, stored));
        world.cache.set_many([("a", 1_u8), ("b", 2)], 60).await.unwrap();
        let (serialized, small) = world.last().bytes;
        assert_eq!(serialized, Some(2));
        assert!(small.unwrap() > 2, "each has a header");
        world.cache.get_many::<u8>(["a", "b", "none"]).await.unwrap();
        assert_eq!(world.last().bytes, (serialized, small));
        world.cache.get::<u8>("none").await.unwrap();
        assert_eq!(world.last().bytes, (None, None));
        world
            .cache
            .remember("loaded", 60, async || Ok::<_, ()>(long.clone()))
            .await
            .unwrap();
        assert_eq!(world.last().bytes, (Some(10_002), stored));
    });
}

#[test]
fn hooks_are_told_the_bytes_of_an_answer_that_was_kept_once() {
    let options = LoadOptions::new().stale_if_error("10m").hard_timeout("1s");
    let world = world(|builder| builder.load_options(options));
    block_on(async {
        (world.cache.remember("k", 60, async || Ok::<u32, ()>(1)).await).unwrap();
        let written = world.last().bytes;
        world.clock.advance(Duration::from_secs(65));
        let mut waits = Box::pin(world.cache.remember("k", 60, std::future::pending::<Result<u32, ()>>));
        assert!(poll!(&mut waits).is_pending());
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(waits.await.unwrap(), 1);
        let ending = world.last();
        assert!(matches!(ending.outcome, OperationOutcome::Stale { .. }));
        assert_eq!(ending.bytes, written);
    });
}

#[test]
fn hooks_of_a_load_that_outlives_its_call_are_told_its_end_when_it_ends() {
    let options = LoadOptions::new().stale_while_revalidate("10m");
    let world = world(|builder| builder.load_options(options));
    let defaults = LoadOptions::new();
    block_on(async {
        let load = |value: u32| move || async move { Ok::<_, ()>(Loaded::value(value)) };
        world
            .cache
            .remember_detached("k", 60, &defaults, load(1))
            .await
            .unwrap();
        world.clock.advance(Duration::from_secs(65));
        world.record.take();
        let gate = world.backend.faults().hold_of(Operation::Set);
        let answer = world
            .cache
            .remember_detached("k", 60, &defaults, load(2))
            .await
            .unwrap();
        assert!(answer.is_stale());
        gate.wait_for(1).await;
        assert!(matches!(world.outcome(), OperationOutcome::Stale { .. }));
        drop(gate);
        world.cache.close().await;
    });
    let told = world.record.take();
    // Its parts begin before or after the call has ended, as the threads will have it; its end comes after all.
    assert!(
        told.starts_with("remember_detached[backend_get:hit detached_load"),
        "{told}"
    );
    assert!(told.contains(":stale") && told.ends_with("]:loaded"), "{told}");
    assert_eq!(
        world.record.events(),
        [r#"BackgroundLoad { cache: "larder", outcome: Loaded, .. }"#]
    );
}
