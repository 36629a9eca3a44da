use bytes::Bytes;

use super::{
    run::cases,
    stage::{HOUR, Stage},
    subject::Subject,
};
use crate::{AtOnce, CacheBackend, Condition, Expiry, KeyTtl, Outcome};

cases![
    a_missing_key_reads_as_nothing,
    an_empty_value_is_there,
    any_bytes_come_back_as_they_were,
    a_key_in_two_parts_reads_as_the_whole_wherever_it_is_split,
    what_is_answered_at_once_is_what_get_answers,
    a_value_of_one_mebibyte_comes_back_whole,
    the_head_is_as_many_bytes_as_were_asked_for_and_the_whole_length,
    the_head_of_an_empty_value_is_empty_and_there,
    the_head_tells_the_life_in_every_state,
    a_life_that_get_tells_is_the_one_that_head_tells,
];

async fn a_missing_key_reads_as_nothing<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("never-written");
    assert!(stage.backend.get(&key).await.expect("get failed").is_none());
    for n in [0, 1, 1 << 20] {
        assert!(stage.backend.head(&key, n).await.expect("head failed").is_none());
    }
    let batch = stage.backend.get_many(&[&key]).await;
    assert_eq!(batch.len(), 1);
    assert!(batch.into_iter().flatten().flatten().next().is_none());
}

async fn an_empty_value_is_there<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("empty");
    stage.put(&key, Bytes::new()).await;
    stage.assert_value(&key, b"", "get of an empty value").await;
    let batch = stage.backend.get_many(&[&key]).await;
    let entry = batch.into_iter().next().expect("one answer").expect("get_many failed");
    assert_eq!(entry.expect("the empty value is there").bytes().as_ref(), b"");
    let again = stage.set(&key, "x", Expiry::Never, Condition::IfAbsent).await;
    assert!(!again.expect("set failed").is_done(), "an empty value counts as absent");
    let again = stage.set(&key, "x", Expiry::Never, Condition::IfPresent).await;
    assert!(
        again.expect("set failed").is_done(),
        "an empty value does not count as present"
    );
}

async fn any_bytes_come_back_as_they_were<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("bytes");
    let all: Vec<u8> = (0..=u8::MAX).chain([0, 0, b'\r', b'\n', 0xff]).collect();
    for value in [all.as_slice(), b"\0", b"\r\n", b"$-1\r\n", b"nil", b"\xff\xfe"] {
        stage.put(&key, value.to_vec()).await;
        stage.assert_value(&key, value, "get of binary bytes").await;
        let head = stage.backend.head(&key, value.len()).await.expect("head failed");
        assert_eq!(head.expect("it is there").bytes().as_ref(), value);
    }
}

async fn a_key_in_two_parts_reads_as_the_whole_wherever_it_is_split<S: Subject>(stage: &Stage<'_, S>) {
    let read = async |prefix: &str, key: &str| {
        let entry = stage.backend.get_joined(prefix, key).await.expect("get_joined failed");
        entry.map(|entry| entry.bytes().to_vec())
    };
    for name in ["k", "日本", &"long".repeat(50)] {
        let key = stage.key(name);
        stage.put(&key, key.clone()).await;
        let other = stage.key(format_args!("{name}+"));
        for place in (0..=key.len()).filter(|place| key.is_char_boundary(*place)) {
            let (prefix, rest) = key.split_at(place);
            let found = read(prefix, rest).await;
            assert_eq!(found.as_deref(), Some(key.as_bytes()), "{prefix:?} and {rest:?}");
            assert_eq!(read(prefix, &other[place..]).await, None, "{prefix:?} and {rest:?}+");
        }
    }
    let empty = stage.empty_key();
    stage.put(empty, "empty").await;
    assert_eq!(read("", "").await.as_deref(), Some(&b"empty"[..]), "two empty parts");
}

async fn what_is_answered_at_once_is_what_get_answers<S: Subject>(stage: &Stage<'_, S>) {
    // One for each place to split at: what answers may remove a dead key, which the next would find gone.
    let keys: Vec<String> = (0..4)
        .map(|number| stage.key(format_args!("at once:{number}")))
        .collect();
    let check = async |when: &str| {
        for (number, key) in keys.iter().enumerate() {
            let place = [0, 1, key.len() - 1, key.len()][number];
            let (prefix, rest) = key.split_at(place);
            // Before any other read, for the same reason.
            let at_once = stage.backend.get_at_once(prefix, rest);
            let found = stage.value(key).await;
            match at_once {
                AtOnce::Found(kept) => assert_eq!(Some(kept.bytes()), found.as_ref(), "{when}"),
                AtOnce::Missing => assert_eq!(None, found, "{when}"),
                AtOnce::Unknown => {}
            }
        }
    };
    check("never written").await;
    stage.put_all(&keys, "first").await;
    check("written").await;
    for key in &keys {
        stage.put_with(key, "second", Expiry::After(HOUR)).await;
    }
    check("written again").await;
    stage.pass(HOUR).await;
    check("after its life").await;
    stage.put_all(&keys, "third").await;
    for key in &keys {
        let removed = stage.backend.delete(key, Condition::Always).await;
        assert_eq!(removed.expect("delete failed"), Outcome::Done);
    }
    check("deleted").await;
}

async fn a_value_of_one_mebibyte_comes_back_whole<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("large");
    let large: Vec<u8> = (0_u32..1 << 18).flat_map(u32::to_le_bytes).collect();
    stage.put_with(&key, large.clone(), Expiry::After(HOUR)).await;
    let value = stage.value(&key).await.expect("it is there");
    assert!(value == large, "the value came back changed");
    let head = stage
        .backend
        .head(&key, 5)
        .await
        .expect("head failed")
        .expect("it is there");
    assert_eq!(head.len(), 1 << 20);
    assert_eq!(head.bytes().as_ref(), &large[..5]);
    let batch = stage.backend.get_many(&[&key, &key]).await;
    for entry in batch {
        let entry = entry.expect("get_many failed").expect("it is there");
        assert!(*entry.bytes() == large, "the value came back changed from a batch");
    }
}

async fn the_head_is_as_many_bytes_as_were_asked_for_and_the_whole_length<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("head");
    stage.put(&key, "hello").await;
    for (n, expected) in [
        (0, ""),
        (1, "h"),
        (4, "hell"),
        (5, "hello"),
        (6, "hello"),
        (1 << 30, "hello"),
    ] {
        let head = stage
            .backend
            .head(&key, n)
            .await
            .expect("head failed")
            .expect("it is there");
        assert_eq!(head.bytes().as_ref(), expected.as_bytes(), "the first {n} bytes");
        assert_eq!(head.len(), 5, "the length, beside the first {n} bytes");
    }
}

async fn the_head_of_an_empty_value_is_empty_and_there<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("empty");
    stage.put(&key, Bytes::new()).await;
    for n in [0, 1, 100] {
        let head = stage.backend.head(&key, n).await.expect("head failed");
        let head = head.expect("an empty value has a head");
        assert!(head.is_empty() && head.bytes().is_empty());
        assert_eq!(head.ttl(), KeyTtl::Persistent);
    }
}

async fn the_head_tells_the_life_in_every_state<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("life");
    stage.put(&key, "v").await;
    for n in [0, 1, 2] {
        let head = stage
            .backend
            .head(&key, n)
            .await
            .expect("head failed")
            .expect("it is there");
        assert_eq!(head.ttl(), KeyTtl::Persistent);
    }
    let life = stage.life(HOUR);
    stage.put_with(&key, "v", Expiry::After(HOUR)).await;
    stage.assert_life(&key, &life, "after set with a life").await;
    stage.pass(HOUR).await;
    stage.assert_missing(&key, "after its life").await;
}

async fn a_life_that_get_tells_is_the_one_that_head_tells<S: Subject>(stage: &Stage<'_, S>) {
    for (name, expiry) in [("mortal", Expiry::After(HOUR)), ("immortal", Expiry::Never)] {
        let key = stage.key(name);
        stage.put_with(&key, "v", expiry).await;
        let entry = stage.backend.get(&key).await.expect("get failed").expect("it is there");
        let told = entry.ttl();
        let batch = stage.backend.get_many(&[&key]).await;
        let entry = batch.into_iter().next().expect("one answer").expect("get_many failed");
        for ttl in [told, entry.expect("it is there").ttl()].into_iter().flatten() {
            assert_ne!(ttl, KeyTtl::Missing, "an entry that is there says that it is missing");
            assert_eq!(ttl.remaining().is_some(), name == "mortal", "{name}: {ttl:?}");
            assert!(
                ttl.remaining().is_none_or(|left| left <= HOUR && left > HOUR / 2),
                "{ttl:?}"
            );
        }
    }
}
