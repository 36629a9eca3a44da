//! Why a call failed, as its hooks are told.

use std::time::Duration;

use futures::{executor::block_on, poll};
use larder::{ErrorKind, FallbackPolicy, Fallen, LoadOptions, Loaded, OperationOutcome};

use crate::outcomes::world;

#[test]
fn hooks_are_told_of_every_kind_of_failed_load() {
    let world = world(|builder| builder);
    let cache = &world.cache;
    block_on(async {
        cache
            .remember("k", 60, async || Err::<u32, _>("away"))
            .await
            .unwrap_err();
        assert_eq!(world.last().failure, Some("loader"));
        let panics = async || -> Result<u32, ()> { panic!("on purpose") };
        cache.remember("k", 60, panics).await.unwrap_err();
        assert_eq!(world.last().failure, Some("panic"));
        let again = async || {
            let inner = cache.remember("k", 60, async || Ok::<u32, ()>(1)).await;
            assert!(inner.is_err());
            Ok::<u32, ()>(1)
        };
        cache.remember("k", 60, again).await.unwrap();
        let endings = world.record.endings();
        assert_eq!(endings[0].failure, Some("reentrant"));
        assert_eq!(endings[1].outcome, OperationOutcome::Loaded);
        let options = LoadOptions::new().hard_timeout("1s");
        let never = || std::future::pending::<Result<Loaded<u32>, ()>>();
        let mut waits = Box::pin(cache.remember_with("slow", 60, &options, never));
        assert!(poll!(&mut waits).is_pending());
        world.clock.advance(Duration::from_secs(1));
        waits.await.unwrap_err();
        assert_eq!(world.last().failure, Some("load_timeout"));
    });
}

#[test]
fn hooks_a_batch_whose_load_fails_is_told_why() {
    let world = world(|builder| builder);
    let cache = &world.cache;
    block_on(async {
        let away = async |_: Vec<u32>| Err::<Vec<(u32, u32)>, _>("away");
        (cache.remember_many([1, 2], u32::to_string, 60, away).await).unwrap_err();
        let ending = world.last();
        assert_eq!(ending.counts, [("failed", 2)]);
        assert_eq!(
            (ending.outcome, ending.failure),
            (OperationOutcome::Failed, Some("loader"))
        );

        cache.set("1", &1_u32, 60).await.unwrap();
        (cache.remember_many([1, 2], u32::to_string, 60, away).await).unwrap_err();
        let ending = world.last();
        assert_eq!(ending.counts, [("hit", 1), ("failed", 1)]);
        assert_eq!(
            (ending.outcome, ending.failure),
            (OperationOutcome::Failed, Some("loader"))
        );

        // This form answers for each key.
        let away = async |_: Vec<u32>| Err::<Vec<(u32, Loaded<u32>)>, _>("away");
        let options = LoadOptions::new();
        let answers = cache.remember_many_with([1, 2], u32::to_string, 60, &options, away);
        assert!(answers.await.unwrap()[0].1.is_ok());
        let ending = world.last();
        assert_eq!(
            (ending.outcome, ending.failure),
            (OperationOutcome::Mixed, Some("loader"))
        );
    });
}

#[test]
fn hooks_are_not_told_that_a_fallback_policy_has_answered_where_its_answer_could_not_be_used() {
    let policy = FallbackPolicy::callback(|_, _, _| Fallen::value(u64::MAX));
    let world = world(|builder| builder.fallback(policy));
    block_on(async {
        world.backend.faults().fail_all(ErrorKind::Connection);
        world.cache.get::<u8>("k").await.unwrap_err();
        let ending = world.last();
        assert_eq!(
            (ending.outcome, ending.failure),
            (OperationOutcome::Failed, Some("codec"))
        );
        assert!(world.record.events().is_empty());
    });
}

#[test]
fn hooks_are_told_of_a_call_that_panics_that_it_failed() {
    struct Unserializable;

    impl serde::Serialize for Unserializable {
        fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            panic!("on purpose");
        }
    }

    let world = world(|builder| builder);
    let call = || block_on(world.cache.set("k", &Unserializable, 60));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    let ending = world.last();
    assert_eq!(
        (ending.outcome, ending.failure),
        (OperationOutcome::Failed, Some("panic"))
    );
    assert_eq!(world.record.take(), "set:failed");
}
