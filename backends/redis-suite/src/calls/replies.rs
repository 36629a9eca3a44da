//! What servers answer besides the answer.

use std::time::Duration;

use bytes::Bytes;
use larder::{CacheBackend, Condition, ErrorKind, Expiry, Outcome, SetOptions};
use testkit::RedisServer;

use crate::{
    Client,
    support::{backend, block_on, bytes, forever, in_both_protocols, starts_with},
};

const VALUE: Bytes = Bytes::from_static(b"value");

pub(crate) fn a_key_of_another_type_reads_as_missing_and_is_counted<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        server.command::<()>(&["RPUSH", "list", "x"]);
        backend.set("k", VALUE, forever()).await.unwrap();

        assert!(backend.get("list").await.unwrap().is_none());
        assert!(backend.head("list", 4).await.unwrap().is_none());
        assert_eq!(C::wrong_type_reads(backend), 2);
        let found = backend.get_many(&["list", "k"]).await;
        let found: Vec<_> = found.into_iter().map(bytes).collect();
        assert_eq!(found, [None, Some(VALUE)]);
        assert_eq!(C::wrong_type_reads(&backend.clone()), 2);
    });
}

pub(crate) fn a_value_is_a_copy_and_keeps_nothing_of_what_was_read_next_to_it<C: Client>() {
    in_both_protocols::<C>(async |_, backend| {
        let value = |len: usize| Bytes::from(vec![7; len]);
        backend.set("large", value(16 << 20), forever()).await.unwrap();
        for len in [1, 100, 65_535, 65_536, 70_000, 1 << 20] {
            backend.set("k", value(len), forever()).await.unwrap();
            let (large, got, many, head) = futures::join!(
                backend.get("large"),
                backend.get("k"),
                backend.get_many(&["k", "large", "k"]),
                backend.head("k", len)
            );
            let mut kept = vec![bytes(got).unwrap(), head.unwrap().unwrap().bytes().clone()];
            kept.extend(many.into_iter().filter_map(bytes).filter(|value| value.len() == len));
            assert_eq!(kept.len(), 4);
            kept.extend(bytes(large));
            for value in kept {
                let len = value.len();
                // A slice of a buffer is shared with it, or owns all of it.
                let owned = value.try_into_mut().expect("nobody else holds the value");
                assert_eq!(owned.capacity(), len);
            }
        }
    });
}

pub(crate) fn conditional_writes_fail_on_a_key_of_another_type_and_leave_it<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        server.command::<()>(&["RPUSH", "list", "x"]);
        let hour = Duration::from_hours(1);
        for condition in [Condition::IfPresent, starts_with("x")] {
            let of = || condition.clone();
            for answer in [
                backend.set("list", VALUE, forever().with_condition(of())).await,
                backend.delete("list", of()).await,
                backend.expire("list", hour, of()).await,
                backend.persist("list", of()).await,
            ] {
                let error = answer.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Server, "{error}");
                assert!(error.message().starts_with("WRONGTYPE"), "{error}");
            }
        }
        let kept = backend.set("list", VALUE, SetOptions::new(Expiry::Keep)).await;
        assert_eq!(kept.unwrap_err().kind(), ErrorKind::Server);
        let absent = forever().with_condition(Condition::IfAbsent);
        assert_eq!(backend.set("list", VALUE, absent).await.unwrap(), Outcome::Mismatch);
        assert_eq!(server.command::<Vec<String>>(&["LRANGE", "list", "0", "-1"]), ["x"]);
        assert_eq!(server.command::<i64>(&["PTTL", "list"]), -1);
    });
}

pub(crate) fn unconditional_writes_act_on_a_key_of_another_type<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let always = || Condition::Always;
        let list = || server.command::<()>(&["RPUSH", "list", "x"]);
        list();
        let expired = backend.expire("list", Duration::from_hours(1), always()).await;
        assert_eq!(expired.unwrap(), Outcome::Done);
        assert_eq!(backend.persist("list", always()).await.unwrap(), Outcome::Done);
        assert_eq!(server.command::<i64>(&["PTTL", "list"]), -1);
        assert_eq!(backend.delete("list", always()).await.unwrap(), Outcome::Done);
        list();
        assert_eq!(backend.delete_many(&["list"]).await.remove(0).unwrap(), Outcome::Done);
        list();
        assert_eq!(backend.set("list", VALUE, forever()).await.unwrap(), Outcome::Done);
        assert_eq!(bytes(backend.get("list").await).unwrap(), VALUE);
    });
}

pub(crate) fn a_server_that_forgot_its_scripts_is_taught_them_again<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        for _ in 0..2 {
            backend.set("k", VALUE, forever()).await.unwrap();
            assert_eq!(backend.delete("k", starts_with("val")).await.unwrap(), Outcome::Done);
            server.command::<()>(&["SCRIPT", "FLUSH"]);
        }
        assert!(backend.head("k", 1).await.unwrap().is_none());
    });
}

pub(crate) fn errors_are_named_after_their_call<C: Client>() {
    let mut server = RedisServer::start();
    block_on(async {
        let backend = backend::<C>(&server, true).await;
        server.stop();
        assert_eq!(backend.get("k").await.unwrap_err().operation(), Some("get"));
        let many = backend.get_many(&["k"]).await.remove(0);
        assert_eq!(many.unwrap_err().operation(), Some("get_many"));
    });
}
