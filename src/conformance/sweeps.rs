use parking_lot::Mutex;

use super::{
    run::cases,
    stage::{HOUR, Stage, refs},
    subject::Subject,
};
use crate::{CacheBackend, Expiry, SweepProgress, glob};

cases![
    delete_matching_removes_the_keys_that_match_and_no_others,
    delete_matching_matches_as_a_scan_does,
    delete_matching_takes_an_escaped_pattern_for_the_key_it_spells,
    delete_matching_removes_more_keys_than_a_page_holds,
    delete_matching_answers_zero_where_nothing_matches,
    delete_matching_neither_counts_expired_keys_nor_those_that_were_deleted,
    delete_matching_removes_and_counts_a_key_whatever_it_holds,
    delete_matching_with_tells_counts_that_go_up_to_what_it_answers,
    delete_matching_with_tells_of_no_key_where_nothing_matches,
];

/// Deletes by `pattern`, put behind this case's own prefix, and answers the count.
async fn sweep<S: Subject>(stage: &Stage<'_, S>, pattern: &str) -> u64 {
    let escaped = glob::escape(stage.prefix());
    let removed = stage.backend.delete_matching(&format!("{escaped}{pattern}")).await;
    removed.expect("delete_matching failed")
}

/// Fills the store with `names`, deletes by `pattern`, and holds that the keys of `gone` and no others are gone.
async fn check<S: Subject>(stage: &Stage<'_, S>, pattern: &str, names: &[&str], gone: &[&str]) {
    for name in names {
        stage.put(&stage.key(name), "v").await;
    }
    let removed = sweep(stage, pattern).await;
    assert_eq!(removed, gone.len() as u64, "the count of the pattern {pattern:?}");
    for name in names {
        let left = stage.value(&stage.key(name)).await;
        assert_eq!(
            left.is_none(),
            gone.contains(name),
            "{name:?} by the pattern {pattern:?}"
        );
    }
}

async fn delete_matching_removes_the_keys_that_match_and_no_others<S: Subject>(stage: &Stage<'_, S>) {
    let names = ["user:1", "user:2", "user:", "users", "post:1", "USER:1"];
    check(stage, "user:*", &names, &["user:1", "user:2", "user:"]).await;
    check(stage, "user", &names, &[]).await;
    check(stage, "*", &names, &names).await;
}

async fn delete_matching_matches_as_a_scan_does<S: Subject>(stage: &Stage<'_, S>) {
    let names = ["a", "b", "ab", "abc", "a:b", "日本", "日", "é"];
    for pattern in ["a?", "[ab]", "[^a]*", "日*", "??", "???*", "*b*"] {
        let full = format!("{}{pattern}", glob::escape(stage.prefix()));
        let is_gone = |name: &&str| glob::matches(&full, &stage.key(name));
        let gone: Vec<&str> = names.into_iter().filter(is_gone).collect();
        check(stage, pattern, &names, &gone).await;
    }
}

async fn delete_matching_takes_an_escaped_pattern_for_the_key_it_spells<S: Subject>(stage: &Stage<'_, S>) {
    let names = ["a*", "a?", "ab", "[a]", "a", "\\", "\\\\", "日*本", "日x本", "*"];
    for name in names {
        check(stage, &glob::escape(name), &names, &[name]).await;
    }
}

async fn delete_matching_removes_more_keys_than_a_page_holds<S: Subject>(stage: &Stage<'_, S>) {
    let (going, staying) = (stage.keys(20_000), stage.key("stays"));
    stage.put_all(&going, "v").await;
    stage.put(&staying, "v").await;
    assert_eq!(sweep(stage, "[0-9]*").await, 20_000, "the count");
    for chunk in going.chunks(2_000) {
        for left in stage.backend.get_many(&refs(chunk)).await {
            assert!(left.expect("get_many failed").is_none(), "a key that matches is left");
        }
    }
    stage.assert_value(&staying, b"v", "a key that does not match").await;
}

async fn delete_matching_answers_zero_where_nothing_matches<S: Subject>(stage: &Stage<'_, S>) {
    assert_eq!(sweep(stage, "*").await, 0, "of a corner that is empty");
    let key = stage.key("k");
    stage.put(&key, "v").await;
    assert_eq!(sweep(stage, "no-such-key:*").await, 0);
    stage
        .assert_value(&key, b"v", "after a pattern that does not match it")
        .await;
}

async fn delete_matching_neither_counts_expired_keys_nor_those_that_were_deleted<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(4);
    stage.put_with(&keys[0], "v", Expiry::After(HOUR)).await;
    stage.put_with(&keys[1], "v", Expiry::After(3 * HOUR)).await;
    stage.put(&keys[2], "v").await;
    stage.put(&keys[3], "v").await;
    stage.backend.delete_many(&refs(&keys[3..])).await;
    stage.pass(HOUR).await;
    assert_eq!(sweep(stage, "*").await, 2);
    assert_eq!(sweep(stage, "*").await, 0, "the second time");
}

async fn delete_matching_removes_and_counts_a_key_whatever_it_holds<S: Subject>(stage: &Stage<'_, S>) {
    let (empty, marker, other) = (stage.key("empty"), stage.key("marker"), stage.key("other"));
    stage.put(&empty, "").await;
    // To a backend the mark of a load under way is bytes like any others.
    stage.put(&marker, "\0larder").await;
    let has_other = stage.put_other_type(&other).await;
    assert_eq!(sweep(stage, "*").await, 2 + u64::from(has_other));
    assert_eq!(sweep(stage, "*").await, 0, "the second time");
}

/// Deletes by `pattern`, as [`sweep`] does, and answers the count and all that was told on the way to it.
async fn sweep_with<S: Subject>(stage: &Stage<'_, S>, pattern: &str) -> (u64, Vec<SweepProgress>) {
    let pattern = format!("{}{pattern}", glob::escape(stage.prefix()));
    let told = Mutex::new(Vec::new());
    let progress = |progress| told.lock().push(progress);
    let removed = stage.backend.delete_matching_with(&pattern, &progress).await;
    let removed = removed.expect("delete_matching_with failed");
    (removed, told.into_inner())
}

async fn delete_matching_with_tells_counts_that_go_up_to_what_it_answers<S: Subject>(stage: &Stage<'_, S>) {
    let (going, staying) = (stage.keys(5_000), stage.key("stays"));
    stage.put_all(&going, "v").await;
    stage.put(&staying, "v").await;
    let (removed, told) = sweep_with(stage, "[0-9]*").await;
    assert_eq!(removed, 5_000, "the count");
    stage.assert_value(&staying, b"v", "a key that does not match").await;
    assert!(
        told.is_sorted_by(|one, next| one.seen <= next.seen && one.removed <= next.removed),
        "the counts go down: {told:?}"
    );
    assert!(
        told.iter().all(|told| told.removed <= told.seen),
        "more was removed than seen: {told:?}"
    );
    let last = told.last().map(|last| last.removed);
    assert_eq!(last, Some(removed), "the last that is told and the answer");
}

async fn delete_matching_with_tells_of_no_key_where_nothing_matches<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    stage.put(&key, "v").await;
    let (removed, told) = sweep_with(stage, "no-such-key:*").await;
    assert_eq!(removed, 0);
    assert!(
        told.iter().all(|&told| told == SweepProgress::default()),
        "keys are told of that do not match: {told:?}"
    );
}
