//! Many keys in one call.

use std::time::Duration;

use bytes::Bytes;
use larder::{CacheBackend, Condition, ErrorKind, Expiry, Outcome, SetItem, SetOptions};

use crate::{
    Client,
    support::{bytes, forever, in_both_protocols, minutes, starts_with},
};

pub(crate) fn empty_batches_answer_nothing_and_ask_nothing<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let asked = || server.command::<String>(&["INFO", "commandstats"]);
        server.command::<()>(&["CONFIG", "RESETSTAT"]);
        assert!(backend.get_many(&[]).await.is_empty());
        assert!(backend.set_many(Vec::new()).await.is_empty());
        assert!(backend.delete_many(&[]).await.is_empty());
        for command in ["cmdstat_mget", "cmdstat_set", "cmdstat_unlink"] {
            assert!(!asked().contains(command), "{}", asked());
        }
    });
}

pub(crate) fn answers_come_in_the_order_of_the_keys<C: Client>() {
    in_both_protocols::<C>(async |_server, backend| {
        let items = (0..10_000).map(|i| SetItem::new(format!("k{i}"), i.to_string(), minutes(1)));
        let written = backend.set_many(items.collect()).await;
        assert!(written.iter().all(|answer| *answer.as_ref().unwrap() == Outcome::Done));

        let names: Vec<String> = (0..20_000).map(|i| format!("k{}", i / 2 * 2)).collect();
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        for (key, found) in keys.iter().zip(backend.get_many(&keys).await) {
            let number: usize = key[1..].parse().unwrap();
            let expected = (number < 10_000).then(|| Bytes::from(number.to_string()));
            assert_eq!(bytes(found), expected, "{key}");
        }

        let removed = backend.delete_many(&["k1", "none", "k2", "k1"]).await;
        let removed: Vec<Outcome> = removed.into_iter().map(Result::unwrap).collect();
        let (done, missing) = (Outcome::Done, Outcome::Missing);
        assert_eq!(removed, [done, missing, done, missing]);
    });
}

pub(crate) fn of_two_items_with_one_key_the_later_wins<C: Client>() {
    in_both_protocols::<C>(async |_server, backend| {
        for round in 0..20 {
            let items = (0..500).map(|i| SetItem::new("k", format!("{round}:{i}"), forever()));
            backend.set_many(items.collect()).await;
            assert_eq!(bytes(backend.get("k").await).unwrap(), format!("{round}:499"));
        }
    });
}

pub(crate) fn the_later_item_wins_where_the_earlier_needs_a_script_the_server_does_not_know<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        backend.set("k", Bytes::from_static(b"old"), forever()).await.unwrap();
        server.command::<()>(&["SCRIPT", "FLUSH"]);
        let items = vec![
            SetItem::new("k", "first", forever().with_condition(Condition::IfPresent)),
            SetItem::new("k", "second", forever()),
            SetItem::new("k", "third", forever().with_condition(starts_with("sec"))),
            SetItem::new("k", "fourth", forever().with_condition(starts_with("third"))),
        ];
        for answer in backend.set_many(items).await {
            assert_eq!(answer.unwrap(), Outcome::Done);
        }
        assert_eq!(bytes(backend.get("k").await).unwrap(), "fourth");
    });
}

pub(crate) fn each_item_has_its_own_options_and_its_own_answer<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        server.command::<()>(&["RPUSH", "list", "x"]);
        let items = vec![
            SetItem::new("a", "1", minutes(10)),
            SetItem::new("b", "1", forever().with_condition(Condition::IfPresent)),
            SetItem::new("c", "1", SetOptions::new(Expiry::After(Duration::ZERO))),
            SetItem::new("list", "1", forever().with_condition(Condition::IfPresent)),
            SetItem::new("d", "1", forever().with_condition(Condition::IfAbsent)),
        ];
        let answers = backend.set_many(items).await;
        assert_eq!(*answers[0].as_ref().unwrap(), Outcome::Done);
        assert_eq!(*answers[1].as_ref().unwrap(), Outcome::Missing);
        assert_eq!(answers[2].as_ref().unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(answers[3].as_ref().unwrap_err().kind(), ErrorKind::Server);
        assert_eq!(*answers[4].as_ref().unwrap(), Outcome::Done);
        assert!(server.command::<i64>(&["PTTL", "a"]) > 500_000);
        assert_eq!(server.command::<i64>(&["PTTL", "d"]), -1);
    });
}
