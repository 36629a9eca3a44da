use std::time::Duration;

use bytes::Bytes;

use super::{
    run::cases,
    stage::{HOUR, Stage, assert_kind},
    subject::Subject,
};
use crate::{CacheBackend, Condition, ErrorKind::InvalidInput, Expiry, KeyTtl, SetItem, SetOptions};

cases![
    an_empty_prefix_is_refused_everywhere_and_nothing_changes,
    if_absent_is_refused_for_a_change_and_nothing_changes,
    keep_with_if_absent_is_refused_and_nothing_changes,
    a_zero_life_is_refused_and_nothing_changes,
    a_life_beyond_the_limit_is_refused_and_nothing_changes,
    a_zero_deadline_is_refused_and_nothing_changes,
];

/// Both states that a refused call must leave alone.
async fn missing_and_present<S: Subject>(stage: &Stage<'_, S>) -> [String; 2] {
    let keys = [stage.key("missing"), stage.key("present")];
    stage.put(&keys[1], "value").await;
    keys
}

async fn assert_unchanged<S: Subject>(stage: &Stage<'_, S>, [missing, present]: &[String; 2]) {
    stage.assert_missing(missing, "after a refused call").await;
    stage.assert_value(present, b"value", "after a refused call").await;
    assert_eq!(stage.ttl(present).await, KeyTtl::Persistent, "after a refused call");
}

async fn assert_set_refused<S: Subject>(stage: &Stage<'_, S>, key: &str, options: SetOptions) {
    let what = format!("set with {options:?}");
    let refused = stage
        .backend
        .set(key, Bytes::from_static(b"new"), options.clone())
        .await;
    assert_kind(refused, InvalidInput, &what);
    let refused = stage.backend.set_many(vec![SetItem::new(key, "new", options)]).await;
    assert_eq!(refused.len(), 1, "{what} in a batch");
    for refused in refused {
        assert_kind(refused, InvalidInput, &what);
    }
}

async fn assert_changes_refused<S: Subject>(stage: &Stage<'_, S>, key: &str, condition: &Condition) {
    let backend = &stage.backend;
    let refused = backend.delete(key, condition.clone()).await;
    assert_kind(refused, InvalidInput, &format!("delete under {condition:?}"));
    let refused = backend.expire(key, HOUR, condition.clone()).await;
    assert_kind(refused, InvalidInput, &format!("expire under {condition:?}"));
    let refused = backend.persist(key, condition.clone()).await;
    assert_kind(refused, InvalidInput, &format!("persist under {condition:?}"));
}

async fn an_empty_prefix_is_refused_everywhere_and_nothing_changes<S: Subject>(stage: &Stage<'_, S>) {
    let keys = missing_and_present(stage).await;
    let empty = Condition::IfStartsWith(Bytes::new());
    for key in &keys {
        for expiry in [Expiry::Never, Expiry::Keep, Expiry::After(HOUR)] {
            assert_set_refused(stage, key, SetOptions::new(expiry).with_condition(empty.clone())).await;
        }
        assert_changes_refused(stage, key, &empty).await;
    }
    assert_unchanged(stage, &keys).await;
}

async fn if_absent_is_refused_for_a_change_and_nothing_changes<S: Subject>(stage: &Stage<'_, S>) {
    let keys = missing_and_present(stage).await;
    for key in &keys {
        assert_changes_refused(stage, key, &Condition::IfAbsent).await;
    }
    assert_unchanged(stage, &keys).await;
}

async fn keep_with_if_absent_is_refused_and_nothing_changes<S: Subject>(stage: &Stage<'_, S>) {
    let keys = missing_and_present(stage).await;
    for key in &keys {
        let options = SetOptions::new(Expiry::Keep).with_condition(Condition::IfAbsent);
        assert_set_refused(stage, key, options).await;
    }
    assert_unchanged(stage, &keys).await;
}

async fn a_zero_life_is_refused_and_nothing_changes<S: Subject>(stage: &Stage<'_, S>) {
    let keys = missing_and_present(stage).await;
    for key in &keys {
        assert_span_refused(stage, key, Duration::ZERO).await;
    }
    assert_unchanged(stage, &keys).await;
}

async fn a_life_beyond_the_limit_is_refused_and_nothing_changes<S: Subject>(stage: &Stage<'_, S>) {
    let keys = missing_and_present(stage).await;
    for key in &keys {
        assert_span_refused(stage, key, Duration::from_millis(Expiry::MAX_MILLIS + 1)).await;
        assert_span_refused(stage, key, Duration::MAX).await;
    }
    assert_unchanged(stage, &keys).await;
}

async fn a_zero_deadline_is_refused_and_nothing_changes<S: Subject>(stage: &Stage<'_, S>) {
    let keys = missing_and_present(stage).await;
    for key in &keys {
        for condition in [Condition::Always, Condition::IfAbsent, Condition::IfPresent] {
            let options = SetOptions::new(Expiry::Never).with_condition(condition);
            assert_set_refused(stage, key, options.with_deadline(Duration::ZERO)).await;
        }
    }
    assert_unchanged(stage, &keys).await;
}

async fn assert_span_refused<S: Subject>(stage: &Stage<'_, S>, key: &str, span: Duration) {
    for condition in [Condition::Always, Condition::IfAbsent, Condition::IfPresent] {
        assert_set_refused(
            stage,
            key,
            SetOptions::new(Expiry::After(span)).with_condition(condition),
        )
        .await;
    }
    for condition in [Condition::Always, Condition::IfPresent] {
        let refused = stage.backend.expire(key, span, condition).await;
        assert_kind(refused, InvalidInput, &format!("expire after {span:?}"));
    }
}
