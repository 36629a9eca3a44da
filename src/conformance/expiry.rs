use std::time::Duration;

use super::{
    run::cases,
    stage::{HOUR, Stage, done},
    subject::Subject,
};
use crate::{CacheBackend, Condition, Expiry, KeyTtl, Outcome, SetItem, SetOptions};

cases![
    a_life_below_a_second_is_neither_rounded_up_nor_cut_to_nothing,
    a_life_is_kept_to_the_millisecond_and_not_to_the_second,
    a_part_of_a_millisecond_counts_as_a_whole_one,
    an_expired_key_is_missing_to_every_read,
    the_longest_life_is_accepted,
    a_persistent_key_outlives_any_span,
];

/// The three ways to give a life.
#[derive(Debug, Clone, Copy)]
enum Way {
    Set,
    SetMany,
    Expire,
}

const WAYS: [Way; 3] = [Way::Set, Way::SetMany, Way::Expire];

async fn give<S: Subject>(stage: &Stage<'_, S>, way: Way, key: &str, span: Duration) {
    match way {
        Way::Set => stage.put_with(key, "v", Expiry::After(span)).await,
        Way::SetMany => {
            let item = SetItem::new(key, "v", SetOptions::new(Expiry::After(span)));
            for outcome in stage.backend.set_many(vec![item]).await {
                assert_eq!(done(outcome), Outcome::Done);
            }
        }
        Way::Expire => {
            stage.put(key, "v").await;
            let outcome = stage.backend.expire(key, span, Condition::Always).await;
            assert_eq!(done(outcome), Outcome::Done);
        }
    }
}

async fn a_life_below_a_second_is_neither_rounded_up_nor_cut_to_nothing<S: Subject>(stage: &Stage<'_, S>) {
    for way in WAYS {
        for millis in [100, 400, 600, 999] {
            let key = stage.key(format_args!("{way:?}:{millis}"));
            let span = Duration::from_millis(millis);
            let life = stage.life(span);
            give(stage, way, &key, span).await;
            stage.assert_life(&key, &life, &format!("{millis} ms by {way:?}")).await;
            stage.pass(span).await;
            stage
                .assert_missing(&key, &format!("{millis} ms by {way:?}, later"))
                .await;
        }
    }
}

async fn a_life_is_kept_to_the_millisecond_and_not_to_the_second<S: Subject>(stage: &Stage<'_, S>) {
    for way in WAYS {
        let key = stage.key(format_args!("{way:?}"));
        let span = Duration::from_millis(1_600);
        let life = stage.life(span);
        give(stage, way, &key, span).await;
        stage.assert_life(&key, &life, &format!("1600 ms by {way:?}")).await;
        stage.pass(Duration::from_millis(1_100)).await;
        let value = stage.value(&key).await;
        assert!(
            value.is_some() || !stage.is_surely_alive(&life),
            "1600 ms by {way:?} were over after 1100"
        );
        stage.pass(Duration::from_millis(500)).await;
        stage.assert_missing(&key, &format!("1600 ms by {way:?}, later")).await;
    }
}

async fn a_part_of_a_millisecond_counts_as_a_whole_one<S: Subject>(stage: &Stage<'_, S>) {
    for way in WAYS {
        for span in [Duration::from_nanos(1), Duration::from_micros(999)] {
            let key = stage.key(format_args!("{way:?}:{span:?}"));
            give(stage, way, &key, span).await;
            let ttl = stage.ttl(&key).await;
            assert_ne!(ttl, KeyTtl::Persistent, "{span:?} by {way:?} became for ever");
            let left = ttl.remaining().unwrap_or_default();
            assert!(left <= Duration::from_millis(1), "{span:?} by {way:?} became {left:?}");
            stage.pass(Duration::from_millis(1)).await;
            stage.assert_missing(&key, &format!("{span:?} by {way:?}, later")).await;
        }
    }
}

async fn an_expired_key_is_missing_to_every_read<S: Subject>(stage: &Stage<'_, S>) {
    let (key, lasting) = (stage.key("expired"), stage.key("lasting"));
    stage.put_with(&key, "v", Expiry::After(HOUR)).await;
    stage.put(&lasting, "v").await;
    stage.pass(HOUR).await;
    stage.assert_missing(&key, "after its life").await;
    let batch = stage.backend.get_many(&[&key, &lasting, &key]).await;
    let there: Vec<_> = batch
        .into_iter()
        .map(|entry| entry.expect("get_many failed").is_some())
        .collect();
    assert_eq!(there, [false, true, false], "get_many");
    let removed = stage.backend.delete_many(&[&key]).await;
    assert_eq!(
        removed.into_iter().map(done).collect::<Vec<_>>(),
        [Outcome::Missing],
        "delete_many"
    );
}

async fn the_longest_life_is_accepted<S: Subject>(stage: &Stage<'_, S>) {
    for way in WAYS {
        let key = stage.key(format_args!("{way:?}"));
        let span = Duration::from_millis(Expiry::MAX_MILLIS);
        let life = stage.life(span);
        give(stage, way, &key, span).await;
        stage
            .assert_life(&key, &life, &format!("the longest life by {way:?}"))
            .await;
    }
}

async fn a_persistent_key_outlives_any_span<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    stage.put(&key, "v").await;
    stage.pass(100 * HOUR).await;
    stage.assert_value(&key, b"v", "much later").await;
    assert_eq!(stage.ttl(&key).await, KeyTtl::Persistent);
}
