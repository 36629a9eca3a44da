use super::{
    run::cases,
    stage::{HOUR, Stage, assert_kind, done, starts_with},
    subject::Subject,
};
use crate::{
    CacheBackend,
    Condition::{self, Always, IfAbsent, IfPresent},
    ErrorKind, Expiry, Outcome, SetItem, SetOptions,
};

cases![
    a_key_of_another_type_reads_as_missing,
    a_key_of_another_type_is_replaced_by_a_plain_set,
    a_key_of_another_type_is_removed_by_a_plain_delete,
    a_key_of_another_type_is_removed_by_delete_many,
    a_key_of_another_type_takes_a_plain_expire_and_persist,
    a_key_of_another_type_is_a_mismatch_to_if_absent,
    a_key_of_another_type_fails_every_other_condition_and_stands,
];

async fn a_key_of_another_type_reads_as_missing<S: Subject>(stage: &Stage<'_, S>) {
    let (key, value) = (stage.key("other"), stage.key("value"));
    if !stage.put_other_type(&key).await {
        return;
    }
    stage.put(&value, "v").await;
    stage.assert_missing(&key, "a key of another type").await;
    let batch = stage.backend.get_many(&[&key, &value, &key]).await;
    let there: Vec<_> = batch
        .into_iter()
        .map(|entry| entry.expect("get_many failed").is_some())
        .collect();
    assert_eq!(there, [false, true, false], "get_many");
    assert!(stage.backend.head(&key, 10).await.expect("head failed").is_none());
    stage.assert_other_type_stands(&key, "reads").await;
}

async fn a_key_of_another_type_is_replaced_by_a_plain_set<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(2);
    for key in &keys {
        if !stage.put_other_type(key).await {
            return;
        }
    }
    stage.put(&keys[0], "v").await;
    stage.assert_value(&keys[0], b"v", "after set").await;
    let item = SetItem::new(&keys[1], "v", SetOptions::new(Expiry::After(HOUR)));
    for outcome in stage.backend.set_many(vec![item]).await {
        assert_eq!(done(outcome), Outcome::Done);
    }
    stage.assert_value(&keys[1], b"v", "after set_many").await;
}

async fn a_key_of_another_type_is_removed_by_a_plain_delete<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("other");
    if !stage.put_other_type(&key).await {
        return;
    }
    assert_eq!(done(stage.backend.delete(&key, Always).await), Outcome::Done);
    let outcome = stage.set(&key, "v", Expiry::Never, IfAbsent).await;
    assert_eq!(done(outcome), Outcome::Done, "the key is free after delete");
}

async fn a_key_of_another_type_is_removed_by_delete_many<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("other");
    if !stage.put_other_type(&key).await {
        return;
    }
    let outcomes = stage.backend.delete_many(&[&key, &key]).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(done).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Missing]);
}

async fn a_key_of_another_type_takes_a_plain_expire_and_persist<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("other");
    if !stage.put_other_type(&key).await {
        return;
    }
    assert_eq!(done(stage.backend.expire(&key, HOUR, Always).await), Outcome::Done);
    assert_eq!(done(stage.backend.persist(&key, Always).await), Outcome::Done);
    stage.pass(HOUR).await;
    stage.assert_other_type_stands(&key, "expire and persist").await;
    assert_eq!(done(stage.backend.expire(&key, HOUR, Always).await), Outcome::Done);
    stage.pass(HOUR).await;
    assert_eq!(
        done(stage.backend.delete(&key, Always).await),
        Outcome::Missing,
        "after its life"
    );
}

async fn a_key_of_another_type_is_a_mismatch_to_if_absent<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("other");
    if !stage.put_other_type(&key).await {
        return;
    }
    for expiry in [Expiry::Never, Expiry::After(HOUR)] {
        let outcome = stage.set(&key, "v", expiry, IfAbsent).await;
        assert_eq!(done(outcome), Outcome::Mismatch);
    }
    stage.assert_other_type_stands(&key, "set under IfAbsent").await;
}

async fn a_key_of_another_type_fails_every_other_condition_and_stands<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("other");
    if !stage.put_other_type(&key).await {
        return;
    }
    let sets: [(Expiry, Condition); 7] = [
        (Expiry::Keep, Always),
        (Expiry::Keep, IfPresent),
        (Expiry::Keep, starts_with(b"v")),
        (Expiry::Never, IfPresent),
        (Expiry::Never, starts_with(b"v")),
        (Expiry::After(HOUR), IfPresent),
        (Expiry::After(HOUR), starts_with(b"v")),
    ];
    for (expiry, condition) in sets {
        let what = format!("set with {expiry:?} under {condition:?}");
        let options = SetOptions::new(expiry).with_condition(condition.clone());
        assert_kind(stage.set(&key, "v", expiry, condition).await, ErrorKind::Server, &what);
        stage.assert_other_type_stands(&key, &what).await;
        for outcome in stage.backend.set_many(vec![SetItem::new(&key, "v", options)]).await {
            assert_kind(outcome, ErrorKind::Server, &format!("{what} in a batch"));
        }
        stage.assert_other_type_stands(&key, &what).await;
    }
    for condition in [IfPresent, starts_with(b"v")] {
        let backend = &stage.backend;
        let what = format!("a change under {condition:?}");
        assert_kind(backend.delete(&key, condition.clone()).await, ErrorKind::Server, &what);
        assert_kind(
            backend.expire(&key, HOUR, condition.clone()).await,
            ErrorKind::Server,
            &what,
        );
        assert_kind(backend.persist(&key, condition).await, ErrorKind::Server, &what);
        stage.assert_other_type_stands(&key, &what).await;
    }
}
