use std::time::Duration;

use super::{
    run::cases,
    stage::{HOUR, Stage, assert_kind, done, refs, starts_with},
    subject::Subject,
};
use crate::{
    CacheBackend, Condition, ErrorKind, Expiry, KeyTtl,
    Outcome::{self, Done, Mismatch, Missing},
    SetItem, SetOptions,
};

cases![
    an_empty_batch_answers_an_empty_vector,
    a_batch_of_10_000_is_answered_in_the_order_given,
    a_key_given_twice_is_read_twice,
    of_two_writes_of_one_key_in_a_batch_the_later_wins,
    a_key_given_twice_is_removed_once_and_missing_the_second_time,
    each_write_of_a_batch_has_its_own_life_and_condition,
    a_bad_write_in_a_batch_fails_alone,
    present_and_missing_keys_of_a_batch_keep_their_places,
];

fn all(outcomes: Vec<crate::Result<Outcome>>) -> Vec<Outcome> {
    outcomes.into_iter().map(done).collect()
}

async fn values<S: Subject>(stage: &Stage<'_, S>, keys: &[&str]) -> Vec<Option<Vec<u8>>> {
    let entries = stage.backend.get_many(keys).await;
    entries
        .into_iter()
        .map(|entry| entry.expect("get_many failed").map(|entry| entry.bytes().to_vec()))
        .collect()
}

async fn an_empty_batch_answers_an_empty_vector<S: Subject>(stage: &Stage<'_, S>) {
    assert!(stage.backend.get_many(&[]).await.is_empty());
    assert!(stage.backend.set_many(Vec::new()).await.is_empty());
    assert!(stage.backend.delete_many(&[]).await.is_empty());
}

async fn a_batch_of_10_000_is_answered_in_the_order_given<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(10_000);
    // Every third key is left out, and not the same ones from the end, so that an answer in the wrong place is seen.
    let items = (keys.iter().enumerate())
        .filter(|(n, _)| n % 3 != 1)
        .map(|(n, key)| SetItem::new(key, n.to_string(), SetOptions::new(Expiry::Never)))
        .collect::<Vec<_>>();
    let written = items.len();
    let outcomes = all(stage.backend.set_many(items).await);
    assert_eq!(outcomes.len(), written);
    assert!(outcomes.into_iter().all(Outcome::is_done));
    let read = values(stage, &refs(&keys)).await;
    assert_eq!(read.len(), keys.len());
    for (n, value) in read.into_iter().enumerate() {
        let expected = (n % 3 != 1).then(|| n.to_string().into_bytes());
        assert_eq!(value, expected, "get_many, place {n}");
    }
    let removed = all(stage.backend.delete_many(&refs(&keys)).await);
    assert_eq!(removed.len(), keys.len());
    for (n, outcome) in removed.into_iter().enumerate() {
        assert_eq!(
            outcome,
            if n % 3 == 1 { Missing } else { Done },
            "delete_many, place {n}"
        );
    }
    assert!(
        values(stage, &refs(&keys))
            .await
            .into_iter()
            .all(|value| value.is_none())
    );
}

async fn a_key_given_twice_is_read_twice<S: Subject>(stage: &Stage<'_, S>) {
    let (here, missing) = (&*stage.key("here"), &*stage.key("missing"));
    stage.put(here, "v").await;
    let v = Some(b"v".to_vec());
    let read = values(stage, &[here, missing, here, missing, here]).await;
    assert_eq!(read, [v.clone(), None, v.clone(), None, v]);
}

async fn of_two_writes_of_one_key_in_a_batch_the_later_wins<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    let items = [("a", Expiry::Never), ("b", Expiry::Never), ("c", Expiry::After(HOUR))]
        .map(|(value, expiry)| SetItem::new(&key, value, SetOptions::new(expiry)))
        .to_vec();
    let life = stage.life(HOUR);
    assert_eq!(all(stage.backend.set_many(items).await), [Done, Done, Done]);
    stage.assert_value(&key, b"c", "after three writes in a batch").await;
    stage.assert_life(&key, &life, "after three writes in a batch").await;
}

async fn a_key_given_twice_is_removed_once_and_missing_the_second_time<S: Subject>(stage: &Stage<'_, S>) {
    let (here, missing) = (&*stage.key("here"), &*stage.key("missing"));
    stage.put(here, "v").await;
    let removed = all(stage.backend.delete_many(&[missing, here, here, missing, here]).await);
    assert_eq!(removed, [Missing, Done, Missing, Missing, Missing]);
}

async fn each_write_of_a_batch_has_its_own_life_and_condition<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(8);
    for key in &keys[3..] {
        stage.put(key, "old").await;
    }
    let plan = [
        (SetOptions::new(Expiry::After(HOUR)), Done),
        (SetOptions::new(Expiry::Never).with_condition(Condition::IfAbsent), Done),
        (
            SetOptions::new(Expiry::Never).with_condition(Condition::IfPresent),
            Missing,
        ),
        (SetOptions::new(Expiry::After(2 * HOUR)), Done),
        (
            SetOptions::new(Expiry::Never).with_condition(Condition::IfAbsent),
            Mismatch,
        ),
        (
            SetOptions::new(Expiry::After(HOUR)).with_condition(Condition::IfPresent),
            Done,
        ),
        (
            SetOptions::new(Expiry::Never).with_condition(starts_with(b"new")),
            Mismatch,
        ),
        (SetOptions::new(Expiry::Never).with_condition(starts_with(b"old")), Done),
    ];
    let lives = [stage.life(HOUR), stage.life(2 * HOUR)];
    let items = (keys.iter().zip(&plan))
        .map(|(key, (options, _))| SetItem::new(key, "new", options.clone()))
        .collect();
    let expected: Vec<_> = plan.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!(all(stage.backend.set_many(items).await), expected);
    let (old, new) = (Some(b"old".to_vec()), Some(b"new".to_vec()));
    let read = values(stage, &refs(&keys)).await;
    let expected = [&new, &new, &None, &new, &old, &new, &old, &new].map(Clone::clone);
    assert_eq!(read, expected);
    stage.assert_life(&keys[0], &lives[0], "the first").await;
    stage.assert_life(&keys[3], &lives[1], "the fourth").await;
    stage.assert_life(&keys[5], &lives[0], "the sixth").await;
    for n in [1, 4, 6, 7] {
        assert_eq!(stage.ttl(&keys[n]).await, KeyTtl::Persistent, "place {n}");
    }
}

async fn a_bad_write_in_a_batch_fails_alone<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(5);
    let bad = [
        None,
        Some(SetOptions::new(Expiry::After(Duration::ZERO))),
        None,
        Some(SetOptions::new(Expiry::Keep).with_condition(Condition::IfAbsent)),
        None,
    ];
    let items = (keys.iter().zip(bad.clone()))
        .map(|(key, bad)| SetItem::new(key, "v", bad.unwrap_or(SetOptions::new(Expiry::Never))))
        .collect();
    let outcomes = stage.backend.set_many(items).await;
    assert_eq!(outcomes.len(), keys.len());
    for ((key, bad), outcome) in keys.iter().zip(bad).zip(outcomes) {
        if let Some(options) = bad {
            assert_kind(outcome, ErrorKind::InvalidInput, &format!("{options:?} in a batch"));
            stage.assert_missing(key, "after a refused write in a batch").await;
        } else {
            assert_eq!(outcome.expect("a good write beside a bad one failed"), Done);
            stage.assert_value(key, b"v", "a good write beside a bad one").await;
        }
    }
}

async fn present_and_missing_keys_of_a_batch_keep_their_places<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(100);
    for (n, key) in keys.iter().enumerate().filter(|(n, _)| n % 7 == 0) {
        stage.put(key, n.to_string()).await;
    }
    // Backwards, so that an answer sorted by key or by arrival is seen too.
    let backwards: Vec<&str> = keys.iter().rev().map(String::as_str).collect();
    for (n, value) in (0..100).rev().zip(values(stage, &backwards).await) {
        assert_eq!(
            value,
            (n % 7 == 0).then(|| n.to_string().into_bytes()),
            "get_many, key {n}"
        );
    }
    for (n, outcome) in (0..100).rev().zip(all(stage.backend.delete_many(&backwards).await)) {
        assert_eq!(outcome, if n % 7 == 0 { Done } else { Missing }, "delete_many, key {n}");
    }
}
