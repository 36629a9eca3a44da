//! Each method under each condition.

use std::time::Duration;

use bytes::Bytes;
use larder::{CacheBackend, Condition, ErrorKind, Expiry, KeyTtl, Outcome, SetOptions};

use crate::{
    Client,
    support::{bytes, forever, in_both_protocols, minutes, starts_with},
};

const VALUE: Bytes = Bytes::from_static(b"value");
const OTHER: Bytes = Bytes::from_static(b"other");

pub(crate) fn set_writes_under_the_condition_alone<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let set = |key, value, condition| backend.set(key, value, minutes(1).with_condition(condition));

        assert_eq!(set("a", VALUE, Condition::IfPresent).await.unwrap(), Outcome::Missing);
        assert_eq!(set("a", VALUE, starts_with("v")).await.unwrap(), Outcome::Missing);
        assert_eq!(set("a", VALUE, Condition::IfAbsent).await.unwrap(), Outcome::Done);
        assert_eq!(set("a", OTHER, Condition::IfAbsent).await.unwrap(), Outcome::Mismatch);
        assert_eq!(set("a", OTHER, starts_with("vax")).await.unwrap(), Outcome::Mismatch);
        assert_eq!(
            set("a", OTHER, starts_with("valuevalue")).await.unwrap(),
            Outcome::Mismatch
        );
        assert_eq!(bytes(backend.get("a").await).unwrap(), VALUE);
        assert_eq!(set("a", OTHER, starts_with("value")).await.unwrap(), Outcome::Done);
        assert_eq!(bytes(backend.get("a").await).unwrap(), OTHER);
        assert_eq!(set("a", VALUE, Condition::IfPresent).await.unwrap(), Outcome::Done);
        assert_eq!(set("a", Bytes::new(), Condition::Always).await.unwrap(), Outcome::Done);
        assert_eq!(bytes(backend.get("a").await).unwrap(), "");
        // An empty value is present, and begins with nothing.
        assert_eq!(set("a", VALUE, starts_with("v")).await.unwrap(), Outcome::Mismatch);
        assert_eq!(set("a", VALUE, Condition::IfPresent).await.unwrap(), Outcome::Done);
        assert!(server.command::<i64>(&["PTTL", "a"]) > 50_000);
    });
}

pub(crate) fn set_gives_takes_and_keeps_lives<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let keep = || SetOptions::new(Expiry::Keep);
        let left = || server.command::<i64>(&["PTTL", "a"]);

        assert_eq!(backend.set("a", VALUE, keep()).await.unwrap(), Outcome::Missing);
        assert!(backend.get("a").await.unwrap().is_none());

        backend.set("a", VALUE, minutes(10)).await.unwrap();
        assert_eq!(backend.set("a", OTHER, keep()).await.unwrap(), Outcome::Done);
        assert!((500_000..=600_000).contains(&left()), "{}", left());
        let conditional = keep().with_condition(starts_with("oth"));
        assert_eq!(backend.set("a", VALUE, conditional).await.unwrap(), Outcome::Done);
        assert!((500_000..=600_000).contains(&left()), "{}", left());

        backend.set("a", VALUE, forever()).await.unwrap();
        assert_eq!(left(), -1);
        backend.set("a", VALUE, minutes(10)).await.unwrap();
        let conditional = forever().with_condition(Condition::IfPresent);
        backend.set("a", VALUE, conditional).await.unwrap();
        assert_eq!(left(), -1);

        let instant = SetOptions::new(Expiry::After(Duration::from_micros(90_000_001)));
        backend.set("b", VALUE, instant).await.unwrap();
        server.pass(Duration::from_secs(90));
        assert!(server.command::<i64>(&["PTTL", "b"]) <= 1);
        server.pass(Duration::from_millis(1));
        assert!(backend.get("b").await.unwrap().is_none());
        assert!(backend.head("b", 1).await.unwrap().is_none());
    });
}

pub(crate) fn delete_expire_and_persist_act_under_the_condition_alone<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let hour = Duration::from_hours(1);
        for condition in [Condition::Always, Condition::IfPresent, starts_with("val")] {
            let of = || condition.clone();
            assert_eq!(backend.delete("k", of()).await.unwrap(), Outcome::Missing);
            assert_eq!(backend.expire("k", hour, of()).await.unwrap(), Outcome::Missing);
            assert_eq!(backend.persist("k", of()).await.unwrap(), Outcome::Missing);

            backend.set("k", VALUE, forever()).await.unwrap();
            assert_eq!(backend.persist("k", of()).await.unwrap(), Outcome::Done);
            assert_eq!(backend.expire("k", hour, of()).await.unwrap(), Outcome::Done);
            assert!(server.command::<i64>(&["PTTL", "k"]) > 3_500_000);
            assert_eq!(backend.persist("k", of()).await.unwrap(), Outcome::Done);
            assert_eq!(server.command::<i64>(&["PTTL", "k"]), -1);
            assert_eq!(backend.delete("k", of()).await.unwrap(), Outcome::Done);
        }

        backend.set("k", VALUE, minutes(1)).await.unwrap();
        let other = || starts_with("oth");
        assert_eq!(backend.delete("k", other()).await.unwrap(), Outcome::Mismatch);
        assert_eq!(backend.expire("k", hour, other()).await.unwrap(), Outcome::Mismatch);
        assert_eq!(backend.persist("k", other()).await.unwrap(), Outcome::Mismatch);
        assert!((1..=60_000).contains(&server.command::<i64>(&["PTTL", "k"])));
    });
}

pub(crate) fn calls_that_make_no_sense_are_invalid_input_and_change_nothing<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        backend.set("k", VALUE, forever()).await.unwrap();
        let zero = SetOptions::new(Expiry::After(Duration::ZERO));
        let keep_absent = SetOptions::new(Expiry::Keep).with_condition(Condition::IfAbsent);
        let empty = || starts_with("");
        let hour = Duration::from_hours(1);
        let refused = [
            backend.set("k", OTHER, zero).await,
            backend.set("k", OTHER, keep_absent).await,
            backend.set("k", OTHER, forever().with_condition(empty())).await,
            backend.delete("k", Condition::IfAbsent).await,
            backend.delete("k", empty()).await,
            backend.expire("k", Duration::ZERO, Condition::Always).await,
            backend.expire("k", hour, Condition::IfAbsent).await,
            backend.expire("k", hour, empty()).await,
            backend.persist("k", Condition::IfAbsent).await,
            backend.persist("k", empty()).await,
        ];
        for (place, answer) in refused.into_iter().enumerate() {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::InvalidInput, "call {place}");
        }
        assert_eq!(server.command::<String>(&["GET", "k"]), "value");
        assert_eq!(server.command::<i64>(&["PTTL", "k"]), -1);
    });
}

pub(crate) fn head_tells_the_beginning_the_length_and_the_life<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        assert!(backend.head("k", 3).await.unwrap().is_none());
        backend.set("k", VALUE, forever()).await.unwrap();
        for (n, beginning) in [(0, ""), (1, "v"), (5, "value"), (6, "value"), (usize::MAX, "value")] {
            let head = backend.head("k", n).await.unwrap().unwrap();
            assert_eq!(head.bytes(), beginning, "n = {n}");
            assert_eq!(head.len(), 5);
            assert_eq!(head.ttl(), KeyTtl::Persistent);
        }

        backend.set("k", Bytes::new(), minutes(1)).await.unwrap();
        let head = backend.head("k", 3).await.unwrap().unwrap();
        assert!(head.is_empty() && head.bytes().is_empty());
        let left = head.ttl().remaining().unwrap();
        assert!(
            left > Duration::from_secs(50) && left <= Duration::from_mins(1),
            "{left:?}"
        );
        server.command::<()>(&["FLUSHALL"]);
    });
}

pub(crate) fn any_key_and_any_bytes_are_kept_as_they_are<C: Client>() {
    in_both_protocols::<C>(async |_server, backend| {
        let binary: Bytes = (0..=255).collect();
        let large = Bytes::from(vec![0xa5; 300_000]);
        for key in ["", "a b", "line\r\nbreak", "ключ", "{tag}:1", "*[?]\\"] {
            for value in [&binary, &large, &Bytes::from_static(b"nil"), &Bytes::from_static(b"12")] {
                backend.set(key, value.clone(), forever()).await.unwrap();
                assert_eq!(bytes(backend.get(key).await).as_ref(), Some(value), "{key:?}");
                let many = backend.get_many(&[key]).await.remove(0);
                assert_eq!(bytes(many).as_ref(), Some(value), "{key:?}");
                let kept = SetOptions::new(Expiry::Keep);
                backend.set(key, value.clone(), kept).await.unwrap();
                assert_eq!(bytes(backend.get(key).await).as_ref(), Some(value), "{key:?}");
                let head = backend.head(key, 300_000).await.unwrap().unwrap();
                assert_eq!(head.bytes(), value);
            }
        }
    });
}
