use std::{
    future::Future,
    sync::{Arc, Barrier},
    thread,
};

use bytes::Bytes;
use futures::{channel::oneshot, executor::block_on, future::join_all};

use super::{
    run::cases,
    stage::{HOUR, Stage, done, starts_with},
    subject::Subject,
};
use crate::{
    CacheBackend,
    Condition::{self, Always, IfPresent},
    Expiry, KeyTtl,
    Outcome::{self, Mismatch, Missing},
    Result, SetItem, SetOptions,
};

cases![
    of_64_deletes_one_removes,
    of_64_deletes_under_if_present_one_removes,
    of_64_deletes_under_a_prefix_one_removes,
    of_64_batches_that_remove_the_same_keys_each_key_is_removed_once,
    a_key_that_is_deleted_while_others_keep_its_life_does_not_come_back,
    an_expire_under_a_prefix_never_gives_a_life_to_the_next_value,
    a_delete_under_a_prefix_never_removes_the_next_value,
    a_reader_never_sees_a_value_that_is_half_written,
];

pub(super) const RACERS: usize = 64;
/// A race that a broken backend wins by luck once, it does not win this often.
pub(super) const ROUNDS: usize = 8;

/// Runs `racer` on [`RACERS`] threads that start together, and answers in the order of their numbers.
///
/// The caller awaits the threads instead of joining them: its own thread may be the one that drives the backend.
pub(super) async fn race<B, T, F>(backend: &Arc<B>, racer: impl Fn(Arc<B>, usize) -> F) -> Vec<T>
where
    B: CacheBackend + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(RACERS));
    let answers: Vec<_> = (0..RACERS)
        .map(|number| {
            let (sender, receiver) = oneshot::channel();
            let start = Arc::clone(&start);
            let racer = racer(Arc::clone(backend), number);
            thread::spawn(move || {
                start.wait();
                // The receiver is gone only where the whole run was dropped.
                let _ = sender.send(block_on(racer));
            });
            receiver
        })
        .collect();
    let answers = join_all(answers).await.into_iter();
    answers.map(|answer| answer.expect("a racing call panicked")).collect()
}

pub(super) fn assert_one_done(outcomes: Vec<Result<Outcome>>, others: Outcome) -> usize {
    let outcomes: Vec<_> = outcomes.into_iter().map(done).collect();
    let winners: Vec<_> = (outcomes.iter().enumerate())
        .filter(|(_, outcome)| outcome.is_done())
        .map(|(number, _)| number)
        .collect();
    assert_eq!(winners.len(), 1, "of {RACERS} racers these won: {winners:?}");
    let rest = outcomes.iter().filter(|outcome| **outcome == others).count();
    assert_eq!(rest, RACERS - 1, "the others should be told {others:?}: {outcomes:?}");
    winners[0]
}

async fn deletes<S: Subject>(stage: &Stage<'_, S>, condition: Condition) {
    for round in 0..ROUNDS {
        let key = stage.key(round);
        stage.put(&key, "value").await;
        let outcomes = race(&stage.backend, |backend, _| {
            let (key, condition) = (key.clone(), condition.clone());
            async move { backend.delete(&key, condition).await }
        });
        assert_one_done(outcomes.await, Missing);
        stage.assert_missing(&key, "after the deletes").await;
    }
}

async fn of_64_deletes_one_removes<S: Subject>(stage: &Stage<'_, S>) {
    deletes(stage, Always).await;
}

async fn of_64_deletes_under_if_present_one_removes<S: Subject>(stage: &Stage<'_, S>) {
    deletes(stage, IfPresent).await;
}

async fn of_64_deletes_under_a_prefix_one_removes<S: Subject>(stage: &Stage<'_, S>) {
    deletes(stage, starts_with(b"val")).await;
}

async fn of_64_batches_that_remove_the_same_keys_each_key_is_removed_once<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(50);
    stage.put_all(&keys, "v").await;
    let batches = race(&stage.backend, |backend, _| {
        let keys = keys.clone();
        async move { backend.delete_many(&super::stage::refs(&keys)).await }
    });
    let mut removed = vec![0; keys.len()];
    for batch in batches.await {
        assert_eq!(batch.len(), keys.len());
        for (count, outcome) in removed.iter_mut().zip(batch) {
            *count += usize::from(done(outcome).is_done());
        }
    }
    assert!(
        removed.iter().all(|count| *count == 1),
        "keys were removed so often: {removed:?}"
    );
}

async fn a_key_that_is_deleted_while_others_keep_its_life_does_not_come_back<S: Subject>(stage: &Stage<'_, S>) {
    for round in 0..ROUNDS {
        let key = stage.key(round);
        stage.put_with(&key, "old", Expiry::After(HOUR)).await;
        let outcomes = race(&stage.backend, |backend, number| {
            let key = key.clone();
            async move {
                // Others in each round: threads that start together tend to end in the same order, and a key that comes
                // back is not seen where a delete is the last.
                if number * ROUNDS / RACERS == round {
                    return backend.delete(&key, Always).await;
                }
                let options = SetOptions::new(Expiry::Keep);
                if number % 2 == 0 {
                    return backend.set(&key, Bytes::from_static(b"kept"), options).await;
                }
                let items = vec![SetItem::new(key, "kept", options)];
                backend.set_many(items).await.pop().expect("one answer")
            }
        });
        for outcome in outcomes.await {
            assert_ne!(done(outcome), Mismatch);
        }
        stage.assert_missing(&key, "after delete and Keep").await;
    }
}

/// Lets half of the racers write a next value, for ever, while the others change the first one by its prefix.
async fn change_against_next_value<S, F>(stage: &Stage<'_, S>, change: impl Fn(Arc<S::Backend>, String) -> F + Copy)
where
    S: Subject,
    F: Future<Output = Result<Outcome>> + Send + 'static,
{
    for round in 0..ROUNDS {
        let key = stage.key(round);
        stage.put(&key, "first").await;
        let outcomes = race(&stage.backend, |backend, number| {
            let change = (number % 2 == 0).then(|| change(Arc::clone(&backend), key.clone()));
            let key = key.clone();
            async move {
                if let Some(change) = change {
                    return change.await;
                }
                let value = Bytes::from_static(b"next");
                backend.set(&key, value, SetOptions::new(Expiry::Never)).await
            }
        });
        for (number, outcome) in outcomes.await.into_iter().enumerate() {
            let outcome = done(outcome);
            assert!(outcome.is_done() || number % 2 == 0, "a plain set answered {outcome:?}");
        }
        stage.assert_value(&key, b"next", "after the race").await;
        assert_eq!(stage.ttl(&key).await, KeyTtl::Persistent, "after the race");
    }
}

async fn an_expire_under_a_prefix_never_gives_a_life_to_the_next_value<S: Subject>(stage: &Stage<'_, S>) {
    change_against_next_value(stage, |backend, key| async move {
        backend.expire(&key, HOUR, starts_with(b"first")).await
    })
    .await;
}

async fn a_delete_under_a_prefix_never_removes_the_next_value<S: Subject>(stage: &Stage<'_, S>) {
    change_against_next_value(stage, |backend, key| async move {
        backend.delete(&key, starts_with(b"first")).await
    })
    .await;
}

async fn a_reader_never_sees_a_value_that_is_half_written<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    // A value's length, its every byte, and whether it has a life, all follow from one number.
    let value = |number: usize| vec![u8::try_from(number).unwrap_or_default(); 1_000 + number];
    let expiry = |number: usize| {
        if number.is_multiple_of(4) {
            Expiry::After(HOUR)
        } else {
            Expiry::Never
        }
    };
    stage.put_with(&key, value(0), expiry(0)).await;
    let faults = race(&stage.backend, |backend, number| {
        let (key, value, options) = (key.clone(), value(number), SetOptions::new(expiry(number)));
        async move {
            for _ in 0..10 {
                if number % 2 == 0 {
                    done(backend.set(&key, Bytes::from(value.clone()), options.clone()).await);
                    continue;
                }
                let entry = backend.get(&key).await.expect("get failed").expect("it is there");
                let first = entry.bytes()[0];
                if entry.bytes().len() != 1_000 + usize::from(first) || entry.bytes().iter().any(|b| *b != first) {
                    return Some("get answered a mixture of two values");
                }
                let head = backend.head(&key, 10).await.expect("head failed").expect("it is there");
                let first = head.bytes()[0];
                let is_mortal = head.ttl().remaining().is_some();
                if head.len() != 1_000 + u64::from(first) || is_mortal != (first % 4 == 0) {
                    return Some("head answered a mixture of two values");
                }
            }
            None
        }
    });
    let fault = faults.await.into_iter().flatten().next();
    assert_eq!(fault, None);
}
