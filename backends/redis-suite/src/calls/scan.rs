//! Keys, page by page.

use futures::{StreamExt, TryStreamExt};
use larder::{CacheBackend, ErrorKind, SetItem};
use testkit::RedisServer;

use crate::{
    Client,
    support::{backend, block_on, forever, in_both_protocols, listed, runs},
};

pub(crate) fn every_key_that_matches_is_listed<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        assert!(listed(backend, "*").await.is_empty());
        let mut names: Vec<String> = (0..2_000).map(|i| format!("a:{i}")).collect();
        let items = names.iter().map(|name| SetItem::new(name.clone(), "v", forever()));
        backend.set_many(items.collect()).await;
        server.command::<()>(&["SET", "b[1]", "v"]);
        server.command::<()>(&["SET", "", "v"]);

        names.sort();
        assert_eq!(listed(backend, "a:*").await, names);
        assert_eq!(listed(backend, "b\\[1\\]").await, ["b[1]"]);
        assert_eq!(listed(backend, "").await, [""]);
        assert_eq!(listed(backend, "*").await.len(), 2_002);
    });
}

pub(crate) fn keys_that_are_not_utf8_are_skipped<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        server.command::<()>(&["SET".as_bytes(), &[0xff, 0xfe], "v".as_bytes()]);
        server.command::<()>(&["SET", "ключ", "v"]);
        assert_eq!(listed(backend, "*").await, ["ключ"]);
        assert_eq!(server.command::<i64>(&["DBSIZE"]), 2);
    });
}

pub(crate) fn a_dropped_stream_asks_for_no_further_page<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        let items = (0..5_000).map(|i| SetItem::new(format!("k{i}"), "v", forever()));
        backend.set_many(items.collect()).await;
        let mut pages = Box::pin(backend.scan("*"));
        assert_eq!(runs(server, "scan"), 0);
        pages.next().await.unwrap().unwrap();
        assert_eq!(runs(server, "scan"), 1);
        drop(pages);
        // Whatever the stream had left under way would reach the server before this answer.
        for _ in 0..20 {
            backend.get("k1").await.unwrap();
        }
        assert_eq!(runs(server, "scan"), 1);
    });
}

pub(crate) fn a_page_that_fails_ends_the_stream<C: Client>() {
    let mut server = RedisServer::start();
    block_on(async {
        let backend = backend::<C>(&server, true).await;
        let items = (0..5_000).map(|i| SetItem::new(format!("k{i}"), "v", forever()));
        backend.set_many(items.collect()).await;
        let mut pages = Box::pin(backend.scan("*"));
        assert!(pages.try_next().await.unwrap().is_some());
        server.stop();
        let error = loop {
            match pages.next().await.expect("the error comes before the end") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(error.is_unavailable(), "{error}");
        assert_eq!(error.operation(), Some("scan"));
        assert_ne!(error.kind(), ErrorKind::Overloaded);
        assert!(pages.next().await.is_none());
    });
}
