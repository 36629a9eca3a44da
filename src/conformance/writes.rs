use bytes::Bytes;

use super::{
    run::cases,
    stage::{HOUR, Stage, done},
    subject::Subject,
};
use crate::{CacheBackend, Condition, Expiry, KeyTtl, Outcome, SetItem, SetOptions};

cases![
    a_write_is_seen_by_every_read_that_begins_after_it,
    a_set_replaces_the_value_and_the_life,
    a_delete_removes_a_key_once,
    a_deleted_key_can_be_written_again,
    a_value_may_be_a_slice_of_a_larger_buffer,
    a_dropped_future_leaves_the_backend_usable,
];

async fn a_write_is_seen_by_every_read_that_begins_after_it<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    let other_handle = &stage.backend.clone();
    for n in 0..100_u32 {
        let value = n.to_le_bytes();
        stage.put(&key, value.to_vec()).await;
        let entry = other_handle.get(&key).await.expect("get failed").expect("it is there");
        assert_eq!(entry.bytes().as_ref(), value, "get after set");
        let batch = other_handle.get_many(&[&key]).await;
        let entry = batch.into_iter().next().expect("one answer").expect("get_many failed");
        assert_eq!(
            entry.expect("it is there").bytes().as_ref(),
            value,
            "get_many after set"
        );
        let head = other_handle
            .head(&key, 4)
            .await
            .expect("head failed")
            .expect("it is there");
        assert_eq!(head.bytes().as_ref(), value, "head after set");
    }
}

async fn a_set_replaces_the_value_and_the_life<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    stage.put_with(&key, "a longer value", Expiry::After(HOUR)).await;
    stage.put(&key, "b").await;
    stage.assert_value(&key, b"b", "after a second set").await;
    assert_eq!(stage.ttl(&key).await, KeyTtl::Persistent, "Never takes the life off");
    let life = stage.life(2 * HOUR);
    stage.put_with(&key, "c", Expiry::After(2 * HOUR)).await;
    stage.assert_life(&key, &life, "After gives a life").await;
    stage.pass(HOUR).await;
    let life = stage.life(2 * HOUR);
    stage.put_with(&key, "d", Expiry::After(2 * HOUR)).await;
    stage.assert_life(&key, &life, "After begins anew").await;
}

async fn a_delete_removes_a_key_once<S: Subject>(stage: &Stage<'_, S>) {
    for (name, value) in [("empty", ""), ("full", "value")] {
        let key = stage.key(name);
        stage.put(&key, value).await;
        assert_eq!(done(stage.backend.delete(&key, Condition::Always).await), Outcome::Done);
        stage.assert_missing(&key, "after delete").await;
        assert_eq!(
            done(stage.backend.delete(&key, Condition::Always).await),
            Outcome::Missing
        );
    }
}

async fn a_deleted_key_can_be_written_again<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    stage.put_with(&key, "a", Expiry::After(HOUR)).await;
    done(stage.backend.delete(&key, Condition::Always).await);
    let outcome = stage.set(&key, "b", Expiry::Never, Condition::IfAbsent).await;
    assert_eq!(done(outcome), Outcome::Done);
    stage.assert_value(&key, b"b", "after delete and set").await;
    assert_eq!(
        stage.ttl(&key).await,
        KeyTtl::Persistent,
        "the old life is gone with the old value"
    );
}

async fn a_value_may_be_a_slice_of_a_larger_buffer<S: Subject>(stage: &Stage<'_, S>) {
    let buffer = Bytes::from(vec![7_u8; 1 << 20]);
    let (one, two) = (stage.key("one"), stage.key("two"));
    stage.put(&one, buffer.slice(5..15)).await;
    let item = SetItem::new(&two, buffer.slice(1..3), SetOptions::new(Expiry::Never));
    for outcome in stage.backend.set_many(vec![item]).await {
        assert_eq!(done(outcome), Outcome::Done);
    }
    drop(buffer);
    stage.assert_value(&one, &[7; 10], "a slice written by set").await;
    stage.assert_value(&two, &[7; 2], "a slice written by set_many").await;
}

async fn a_dropped_future_leaves_the_backend_usable<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("dropped");
    let backend = &*stage.backend;
    for _ in 0..20 {
        let options = SetOptions::new(Expiry::After(HOUR));
        poll_once(backend.set(&key, Bytes::from_static(b"v"), options.clone())).await;
        poll_once(backend.set_many(vec![SetItem::new(&key, "v", options)])).await;
        poll_once(backend.get(&key)).await;
        poll_once(backend.get_many(&[&key])).await;
        poll_once(backend.head(&key, 1)).await;
        poll_once(backend.expire(&key, HOUR, Condition::Always)).await;
        poll_once(backend.persist(&key, Condition::Always)).await;
        poll_once(backend.delete(&key, Condition::Always)).await;
        poll_once(backend.delete_many(&[&key])).await;
    }
    let key = stage.key("after");
    stage.put(&key, "v").await;
    stage.assert_value(&key, b"v", "after futures were dropped").await;
    assert_eq!(done(backend.delete(&key, Condition::Always).await), Outcome::Done);
}

/// Polls the future once and drops it, answered or not.
async fn poll_once<T>(future: impl Future<Output = T> + Send) {
    let mut future = Box::pin(future);
    let _ = futures::poll!(future.as_mut());
}
