use super::{
    run::cases,
    stage::{HOUR, Stage, done, starts_with},
    subject::Subject,
};
use crate::{
    CacheBackend,
    Condition::{Always, IfPresent},
    Expiry, KeyTtl,
    Outcome::{Done, Mismatch, Missing},
    SetItem, SetOptions,
};

cases![
    keep_replaces_the_value_and_keeps_its_life,
    keep_on_a_persistent_key_leaves_it_persistent,
    keep_on_a_missing_key_answers_missing_and_stores_nothing,
    keep_on_an_expired_key_answers_missing_and_stores_nothing,
    keep_under_a_prefix_that_differs_changes_nothing,
    keep_works_in_a_batch_as_it_does_alone,
];

async fn keep_replaces_the_value_and_keeps_its_life<S: Subject>(stage: &Stage<'_, S>) {
    for condition in [Always, IfPresent, starts_with(b"old")] {
        let key = stage.key(format_args!("{condition:?}"));
        let life = stage.life(HOUR);
        stage.put_with(&key, "old", Expiry::After(HOUR)).await;
        stage.pass(HOUR / 4).await;
        assert_eq!(done(stage.set(&key, "new", Expiry::Keep, condition).await), Done);
        stage.assert_value(&key, b"new", "after Keep").await;
        stage.assert_life(&key, &life, "after Keep").await;
        stage.pass(HOUR).await;
        stage.assert_missing(&key, "after the life that was kept").await;
    }
}

async fn keep_on_a_persistent_key_leaves_it_persistent<S: Subject>(stage: &Stage<'_, S>) {
    for condition in [Always, IfPresent, starts_with(b"old")] {
        let key = stage.key(format_args!("{condition:?}"));
        stage.put(&key, "old").await;
        assert_eq!(done(stage.set(&key, "new", Expiry::Keep, condition).await), Done);
        stage.assert_value(&key, b"new", "after Keep").await;
        assert_eq!(stage.ttl(&key).await, KeyTtl::Persistent);
    }
}

async fn keep_on_a_missing_key_answers_missing_and_stores_nothing<S: Subject>(stage: &Stage<'_, S>) {
    for condition in [Always, IfPresent, starts_with(b"old")] {
        let key = stage.key(format_args!("{condition:?}"));
        let outcome = stage.set(&key, "new", Expiry::Keep, condition).await;
        assert_eq!(done(outcome), Missing);
        stage.assert_missing(&key, "after Keep on a missing key").await;
    }
}

async fn keep_on_an_expired_key_answers_missing_and_stores_nothing<S: Subject>(stage: &Stage<'_, S>) {
    for condition in [Always, IfPresent, starts_with(b"old")] {
        let key = stage.key(format_args!("{condition:?}"));
        stage.put_with(&key, "old", Expiry::After(HOUR)).await;
        stage.pass(HOUR).await;
        let outcome = stage.set(&key, "new", Expiry::Keep, condition).await;
        assert_eq!(done(outcome), Missing);
        stage.assert_missing(&key, "after Keep on an expired key").await;
    }
}

async fn keep_under_a_prefix_that_differs_changes_nothing<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    let life = stage.life(HOUR);
    stage.put_with(&key, "old", Expiry::After(HOUR)).await;
    let outcome = stage.set(&key, "new", Expiry::Keep, starts_with(b"new")).await;
    assert_eq!(done(outcome), Mismatch);
    stage.assert_value(&key, b"old", "after a mismatch").await;
    stage.assert_life(&key, &life, "after a mismatch").await;
}

async fn keep_works_in_a_batch_as_it_does_alone<S: Subject>(stage: &Stage<'_, S>) {
    let [mortal, immortal, missing] = ["mortal", "immortal", "missing"].map(|name| stage.key(name));
    let life = stage.life(HOUR);
    stage.put_with(&mortal, "old", Expiry::After(HOUR)).await;
    stage.put(&immortal, "old").await;
    let items = [&mortal, &immortal, &missing]
        .map(|key| SetItem::new(key, "new", SetOptions::new(Expiry::Keep)))
        .to_vec();
    let outcomes: Vec<_> = stage.backend.set_many(items).await.into_iter().map(done).collect();
    assert_eq!(outcomes, [Done, Done, Missing]);
    stage.assert_value(&mortal, b"new", "after Keep in a batch").await;
    stage.assert_life(&mortal, &life, "after Keep in a batch").await;
    stage.assert_value(&immortal, b"new", "after Keep in a batch").await;
    assert_eq!(stage.ttl(&immortal).await, KeyTtl::Persistent);
    stage.assert_missing(&missing, "after Keep in a batch").await;
}
