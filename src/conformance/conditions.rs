use super::{
    run::cases,
    stage::{HOUR, Stage, done, starts_with},
    subject::Subject,
};
use crate::{
    Condition::{self, Always, IfAbsent, IfPresent},
    Expiry, KeyTtl,
    Outcome::{self, Done, Mismatch, Missing},
};

cases![
    set_under_always_writes_whatever_stands_there,
    set_under_if_absent_writes_only_where_nothing_stands,
    set_under_if_present_writes_only_where_a_value_stands,
    set_under_a_prefix_writes_only_over_a_value_that_begins_with_it,
    a_set_whose_condition_fails_leaves_the_value_and_its_life,
    an_expired_key_is_absent_to_every_condition_of_set,
];

/// One set over `standing`, its outcome, and whether the value is the new one afterwards.
async fn check<S: Subject>(
    stage: &Stage<'_, S>,
    standing: Option<&'static [u8]>,
    condition: Condition,
    expected: Outcome,
) {
    let what = format!("set under {condition:?} over {standing:?}");
    for (name, expiry) in [("forever", Expiry::Never), ("for-an-hour", Expiry::After(HOUR))] {
        let key = stage.key(format_args!("{name}:{what}"));
        if let Some(value) = standing {
            stage.put(&key, value).await;
        }
        let life = stage.life(HOUR);
        let outcome = stage.set(&key, "new", expiry, condition.clone()).await;
        assert_eq!(done(outcome), expected, "{what}");
        match (expected, standing) {
            (Done, _) => stage.assert_value(&key, b"new", &what).await,
            (_, Some(value)) => stage.assert_value(&key, value, &what).await,
            (_, None) => stage.assert_missing(&key, &what).await,
        }
        if expected == Done && name == "for-an-hour" {
            stage.assert_life(&key, &life, &what).await;
        } else if expected == Done || standing.is_some() {
            assert_eq!(stage.ttl(&key).await, KeyTtl::Persistent, "{what}");
        }
    }
}

async fn set_under_always_writes_whatever_stands_there<S: Subject>(stage: &Stage<'_, S>) {
    check(stage, None, Always, Done).await;
    check(stage, Some(b"old"), Always, Done).await;
    check(stage, Some(b""), Always, Done).await;
}

async fn set_under_if_absent_writes_only_where_nothing_stands<S: Subject>(stage: &Stage<'_, S>) {
    check(stage, None, IfAbsent, Done).await;
    check(stage, Some(b"old"), IfAbsent, Mismatch).await;
    check(stage, Some(b""), IfAbsent, Mismatch).await;
}

async fn set_under_if_present_writes_only_where_a_value_stands<S: Subject>(stage: &Stage<'_, S>) {
    check(stage, None, IfPresent, Missing).await;
    check(stage, Some(b"old"), IfPresent, Done).await;
    check(stage, Some(b""), IfPresent, Done).await;
}

async fn set_under_a_prefix_writes_only_over_a_value_that_begins_with_it<S: Subject>(stage: &Stage<'_, S>) {
    check(stage, None, starts_with(b"old"), Missing).await;
    check(stage, Some(b""), starts_with(b"old"), Mismatch).await;
    check(stage, Some(b"ol"), starts_with(b"old"), Mismatch).await;
    check(stage, Some(b"old"), starts_with(b"old"), Done).await;
    check(stage, Some(b"older"), starts_with(b"old"), Done).await;
    check(stage, Some(b"an old"), starts_with(b"old"), Mismatch).await;
    check(stage, Some(b"Old"), starts_with(b"old"), Mismatch).await;
    check(stage, Some(b"\0\xff\r\n*"), starts_with(b"\0\xff\r\n"), Done).await;
    check(stage, Some(b"\0\xfe"), starts_with(b"\0\xff"), Mismatch).await;
    // A prefix is bytes, not a pattern.
    check(stage, Some(b"abc"), starts_with(b"a*"), Mismatch).await;
    check(stage, Some(b"a.c"), starts_with(b"a.c"), Done).await;
    check(stage, Some(b"abc"), starts_with(b"a.c"), Mismatch).await;
}

async fn a_set_whose_condition_fails_leaves_the_value_and_its_life<S: Subject>(stage: &Stage<'_, S>) {
    for condition in [IfAbsent, starts_with(b"other"), starts_with(b"old and longer")] {
        for expiry in [Expiry::Never, Expiry::After(2 * HOUR)] {
            let key = stage.key(format_args!("{condition:?}:{expiry:?}"));
            let life = stage.life(HOUR);
            stage.put_with(&key, "old", Expiry::After(HOUR)).await;
            let outcome = stage.set(&key, "new", expiry, condition.clone()).await;
            assert_eq!(done(outcome), Mismatch, "{condition:?}");
            stage.assert_value(&key, b"old", "after a mismatch").await;
            stage.assert_life(&key, &life, "after a mismatch").await;
        }
    }
}

async fn an_expired_key_is_absent_to_every_condition_of_set<S: Subject>(stage: &Stage<'_, S>) {
    let cases = [
        (Always, Done),
        (IfAbsent, Done),
        (IfPresent, Missing),
        (starts_with(b"old"), Missing),
    ];
    let keys = stage.keys(cases.len());
    for key in &keys {
        stage.put_with(key, "old", Expiry::After(HOUR)).await;
    }
    stage.pass(HOUR).await;
    for ((condition, expected), key) in cases.into_iter().zip(&keys) {
        let what = format!("set under {condition:?} over an expired value");
        assert_eq!(
            done(stage.set(key, "new", Expiry::Never, condition).await),
            expected,
            "{what}"
        );
        if expected == Done {
            stage.assert_value(key, b"new", &what).await;
            assert_eq!(stage.ttl(key).await, KeyTtl::Persistent, "{what}");
        } else {
            stage.assert_missing(key, &what).await;
        }
    }
}
