use super::{
    run::cases,
    stage::{HOUR, Stage, done, starts_with},
    subject::Subject,
};
use crate::{
    CacheBackend,
    Condition::{self, Always, IfPresent},
    Expiry, KeyTtl,
    Outcome::{self, Done, Mismatch, Missing},
};

cases![
    delete_removes_under_each_condition_that_holds_and_under_no_other,
    expire_gives_a_life_under_each_condition_that_holds_and_under_no_other,
    persist_takes_the_life_off_under_each_condition_that_holds_and_under_no_other,
    a_change_to_an_expired_key_finds_nothing,
    expire_replaces_the_life_that_stood,
    persist_of_a_persistent_key_is_done,
];

/// Every condition a change takes, what it meets, and what becomes of it.
fn table() -> Vec<(Condition, Option<&'static [u8]>, Outcome)> {
    vec![
        (Always, None, Missing),
        (Always, Some(b""), Done),
        (Always, Some(b"old"), Done),
        (IfPresent, None, Missing),
        (IfPresent, Some(b""), Done),
        (IfPresent, Some(b"old"), Done),
        (starts_with(b"old"), None, Missing),
        (starts_with(b"old"), Some(b""), Mismatch),
        (starts_with(b"old"), Some(b"ol"), Mismatch),
        (starts_with(b"old"), Some(b"old"), Done),
        (starts_with(b"old"), Some(b"older"), Done),
        (starts_with(b"old"), Some(b"an old"), Mismatch),
        (starts_with(b"\0\xff"), Some(b"\0\xff\r\n"), Done),
        (starts_with(b"a*"), Some(b"abc"), Mismatch),
    ]
}

async fn delete_removes_under_each_condition_that_holds_and_under_no_other<S: Subject>(stage: &Stage<'_, S>) {
    for (row, (condition, standing, expected)) in table().into_iter().enumerate() {
        let what = format!("delete under {condition:?} of {standing:?}");
        let key = stage.key(row);
        if let Some(value) = standing {
            stage.put(&key, value).await;
        }
        let outcome = stage.backend.delete(&key, condition).await;
        assert_eq!(done(outcome), expected, "{what}");
        match standing {
            Some(value) if expected == Mismatch => stage.assert_value(&key, value, &what).await,
            _ => stage.assert_missing(&key, &what).await,
        }
    }
}

async fn expire_gives_a_life_under_each_condition_that_holds_and_under_no_other<S: Subject>(stage: &Stage<'_, S>) {
    for (row, (condition, standing, expected)) in table().into_iter().enumerate() {
        let what = format!("expire under {condition:?} of {standing:?}");
        let key = stage.key(row);
        if let Some(value) = standing {
            stage.put(&key, value).await;
        }
        let life = stage.life(HOUR);
        let outcome = stage.backend.expire(&key, HOUR, condition).await;
        assert_eq!(done(outcome), expected, "{what}");
        match (expected, standing) {
            (Done, Some(value)) => {
                stage.assert_value(&key, value, &what).await;
                stage.assert_life(&key, &life, &what).await;
                stage.pass(HOUR).await;
                stage.assert_missing(&key, &what).await;
            }
            (_, Some(value)) => {
                stage.assert_value(&key, value, &what).await;
                assert_eq!(stage.ttl(&key).await, KeyTtl::Persistent, "{what}");
            }
            (_, None) => stage.assert_missing(&key, &what).await,
        }
    }
}

async fn persist_takes_the_life_off_under_each_condition_that_holds_and_under_no_other<S: Subject>(
    stage: &Stage<'_, S>,
) {
    for (row, (condition, standing, expected)) in table().into_iter().enumerate() {
        let what = format!("persist under {condition:?} of {standing:?}");
        let key = stage.key(row);
        let life = stage.life(HOUR);
        if let Some(value) = standing {
            stage.put_with(&key, value, Expiry::After(HOUR)).await;
        }
        let outcome = stage.backend.persist(&key, condition).await;
        assert_eq!(done(outcome), expected, "{what}");
        match (expected, standing) {
            (Done, Some(value)) => {
                assert_eq!(stage.ttl(&key).await, KeyTtl::Persistent, "{what}");
                stage.pass(2 * HOUR).await;
                stage.assert_value(&key, value, &what).await;
            }
            (_, Some(_)) => stage.assert_life(&key, &life, &what).await,
            (_, None) => stage.assert_missing(&key, &what).await,
        }
    }
}

async fn a_change_to_an_expired_key_finds_nothing<S: Subject>(stage: &Stage<'_, S>) {
    let conditions = [Always, IfPresent, starts_with(b"old"), starts_with(b"new")];
    let keys = stage.keys(3 * conditions.len());
    for key in &keys {
        stage.put_with(key, "old", Expiry::After(HOUR)).await;
    }
    stage.pass(HOUR).await;
    for (condition, keys) in conditions.into_iter().zip(keys.chunks(3)) {
        let deleted = stage.backend.delete(&keys[0], condition.clone()).await;
        assert_eq!(done(deleted), Missing, "delete under {condition:?}");
        let expired = stage.backend.expire(&keys[1], HOUR, condition.clone()).await;
        assert_eq!(done(expired), Missing, "expire under {condition:?}");
        let persisted = stage.backend.persist(&keys[2], condition.clone()).await;
        assert_eq!(done(persisted), Missing, "persist under {condition:?}");
    }
    for key in &keys {
        stage
            .assert_missing(key, "an expired key that a change was tried on")
            .await;
    }
}

async fn expire_replaces_the_life_that_stood<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    stage.put_with(&key, "v", Expiry::After(HOUR)).await;
    for span in [3 * HOUR, HOUR / 2] {
        let life = stage.life(span);
        let outcome = stage.backend.expire(&key, span, Always).await;
        assert_eq!(done(outcome), Done);
        stage.assert_life(&key, &life, "after expire").await;
    }
    stage.pass(HOUR / 2).await;
    stage.assert_missing(&key, "after the shorter life").await;
}

async fn persist_of_a_persistent_key_is_done<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    stage.put(&key, "v").await;
    for condition in [Always, IfPresent, starts_with(b"v")] {
        assert_eq!(done(stage.backend.persist(&key, condition).await), Done);
    }
    assert_eq!(stage.ttl(&key).await, KeyTtl::Persistent);
    stage.assert_value(&key, b"v", "after persist").await;
}
