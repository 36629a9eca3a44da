use super::{
    run::cases,
    stage::{HOUR, Stage, done, refs},
    subject::Subject,
};
use crate::{CacheBackend, Condition, Expiry, Outcome, SetItem, SetOptions, glob};

cases![
    the_empty_key_is_a_key_like_any_other,
    a_key_of_64_kibibytes_is_a_key_like_any_other,
    a_key_may_hold_spaces_newlines_nul_and_any_unicode,
    keys_that_differ_in_one_byte_are_different_keys,
];

/// Takes one key through every method.
async fn round_trip<S: Subject>(stage: &Stage<'_, S>, key: &str) {
    let backend = &stage.backend;
    // Nothing is known of what stands under a key that is not the suite's alone.
    done(backend.delete(key, Condition::Always).await);
    stage.assert_missing(key, "before any write").await;
    assert_eq!(
        done(stage.set(key, "one", Expiry::Never, Condition::IfAbsent).await),
        Outcome::Done
    );
    stage.assert_value(key, b"one", "after set").await;
    assert_eq!(done(backend.expire(key, HOUR, Condition::Always).await), Outcome::Done);
    assert!(stage.ttl(key).await.remaining().is_some(), "after expire");
    assert_eq!(done(backend.persist(key, Condition::Always).await), Outcome::Done);
    let head = backend.head(key, 2).await.expect("head failed").expect("it is there");
    assert_eq!((head.bytes().as_ref(), head.len()), (b"on".as_slice(), 3));
    assert!(
        stage.scan(&glob::escape(key)).await.contains_key(key),
        "scan of the escaped key"
    );
    assert_eq!(done(backend.delete(key, Condition::Always).await), Outcome::Done);
    let item = SetItem::new(key, "two", SetOptions::new(Expiry::Never));
    let outcomes = backend.set_many(vec![item]).await;
    assert_eq!(outcomes.into_iter().map(done).collect::<Vec<_>>(), [Outcome::Done]);
    let batch = backend.get_many(&[key]).await;
    let entry = batch.into_iter().next().expect("one answer").expect("get_many failed");
    assert_eq!(entry.expect("it is there").bytes().as_ref(), b"two");
    let outcomes = backend.delete_many(&[key]).await;
    assert_eq!(outcomes.into_iter().map(done).collect::<Vec<_>>(), [Outcome::Done]);
    stage.assert_missing(key, "after delete_many").await;
}

async fn the_empty_key_is_a_key_like_any_other<S: Subject>(stage: &Stage<'_, S>) {
    round_trip(stage, stage.empty_key()).await;
}

async fn a_key_of_64_kibibytes_is_a_key_like_any_other<S: Subject>(stage: &Stage<'_, S>) {
    let room = (1 << 16) - stage.key("").len();
    let key = stage.key("k".repeat(room));
    assert_eq!(key.len(), 1 << 16);
    round_trip(stage, &key).await;
}

async fn a_key_may_hold_spaces_newlines_nul_and_any_unicode<S: Subject>(stage: &Stage<'_, S>) {
    for odd in [
        " ",
        "a b",
        "\r\n",
        "\n",
        "\0",
        "\"'`",
        "é",
        "日本語",
        "🦀",
        "\u{202e}",
        "a*",
        "[a-c]",
        "\\",
        "?",
        "{tag}",
    ] {
        let key = stage.key(odd);
        round_trip(stage, &key).await;
    }
}

async fn keys_that_differ_in_one_byte_are_different_keys<S: Subject>(stage: &Stage<'_, S>) {
    let keys: Vec<String> = ["a", "A", "a ", "a\0", "a\n", "aa", "é", "e\u{301}", "1", "01", "1.0"]
        .into_iter()
        .map(|name| stage.key(name))
        .collect();
    for key in &keys {
        stage.put(key, key.clone()).await;
    }
    let batch = stage.backend.get_many(&refs(&keys)).await;
    for (key, entry) in keys.iter().zip(batch) {
        let entry = entry.expect("get_many failed").expect("it is there");
        assert_eq!(entry.bytes().as_ref(), key.as_bytes());
    }
}
