use bytes::Bytes;

use super::{
    races::{RACERS, ROUNDS, assert_one_done, race},
    run::cases,
    stage::{HOUR, Stage, done, starts_with},
    subject::Subject,
};
use crate::{
    CacheBackend, Condition, Expiry,
    Outcome::{Done, Mismatch, Missing},
    SetItem, SetOptions,
};

cases![
    of_64_sets_under_if_absent_one_writes,
    of_64_sets_under_if_absent_in_batches_one_writes_each_key,
    of_64_sets_under_the_same_prefix_one_writes,
    of_64_sets_under_the_same_prefix_that_keep_the_life_one_writes,
    of_64_sets_under_if_present_all_write_where_a_value_stands,
    of_64_sets_under_if_present_none_writes_where_nothing_stands,
];

fn value(number: usize) -> Bytes {
    Bytes::from(format!("{number} wrote this"))
}

/// Races sets of one kind over `standing`; one writes, the others are told `Mismatch`, and the winner's value stands.
async fn one_writes<S: Subject>(stage: &Stage<'_, S>, standing: Option<&'static str>, options: SetOptions) {
    for round in 0..ROUNDS {
        let key = stage.key(round);
        let life = stage.life(HOUR);
        if let Some(standing) = standing {
            stage.put_with(&key, standing, Expiry::After(HOUR)).await;
        }
        let outcomes = race(&stage.backend, |backend, number| {
            let (key, options) = (key.clone(), options.clone());
            async move { backend.set(&key, value(number), options).await }
        });
        let winner = assert_one_done(outcomes.await, Mismatch);
        stage
            .assert_value(&key, &value(winner), "the winner's value stands")
            .await;
        stage.assert_life(&key, &life, "after the race").await;
    }
}

async fn of_64_sets_under_if_absent_one_writes<S: Subject>(stage: &Stage<'_, S>) {
    let options = SetOptions::new(Expiry::After(HOUR)).with_condition(Condition::IfAbsent);
    one_writes(stage, None, options).await;
}

async fn of_64_sets_under_the_same_prefix_one_writes<S: Subject>(stage: &Stage<'_, S>) {
    let options = SetOptions::new(Expiry::After(HOUR)).with_condition(starts_with(b"fence"));
    one_writes(stage, Some("fence and more"), options).await;
}

async fn of_64_sets_under_the_same_prefix_that_keep_the_life_one_writes<S: Subject>(stage: &Stage<'_, S>) {
    let options = SetOptions::new(Expiry::Keep).with_condition(starts_with(b"fence"));
    one_writes(stage, Some("fence and more"), options).await;
}

async fn of_64_sets_under_if_absent_in_batches_one_writes_each_key<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(50);
    let batches = race(&stage.backend, |backend, number| {
        let options = SetOptions::new(Expiry::Never).with_condition(Condition::IfAbsent);
        let items = keys
            .iter()
            .map(|key| SetItem::new(key, value(number), options.clone()))
            .collect();
        async move { backend.set_many(items).await }
    });
    let mut winners: Vec<Vec<usize>> = vec![Vec::new(); keys.len()];
    for (number, batch) in batches.await.into_iter().enumerate() {
        assert_eq!(batch.len(), keys.len());
        for (winners, outcome) in winners.iter_mut().zip(batch) {
            match done(outcome) {
                Done => winners.push(number),
                other => assert_eq!(other, Mismatch),
            }
        }
    }
    for (key, winners) in keys.iter().zip(winners) {
        assert_eq!(winners.len(), 1, "of {RACERS} racers these won one key: {winners:?}");
        stage
            .assert_value(key, &value(winners[0]), "the winner's value stands")
            .await;
    }
}

async fn of_64_sets_under_if_present_all_write_where_a_value_stands<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    stage.put(&key, "first").await;
    let outcomes = race(&stage.backend, |backend, number| {
        let key = key.clone();
        let options = SetOptions::new(Expiry::Never).with_condition(Condition::IfPresent);
        async move { backend.set(&key, value(number), options).await }
    });
    for outcome in outcomes.await {
        assert_eq!(done(outcome), Done);
    }
    let last = stage.value(&key).await.expect("it is there");
    assert!(
        (0..RACERS).any(|number| value(number) == last),
        "a value that nobody wrote: {last:?}"
    );
}

async fn of_64_sets_under_if_present_none_writes_where_nothing_stands<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    let outcomes = race(&stage.backend, |backend, number| {
        let key = key.clone();
        let options = SetOptions::new(Expiry::Never).with_condition(Condition::IfPresent);
        async move { backend.set(&key, value(number), options).await }
    });
    for outcome in outcomes.await {
        assert_eq!(done(outcome), Missing);
    }
    stage.assert_missing(&key, "after the race").await;
}
