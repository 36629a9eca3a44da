//! Keys of a pattern, removed page by page.

use larder::{CacheBackend, SetItem, SweepProgress};
use parking_lot::Mutex;
use testkit::RedisServer;

use crate::{
    Client,
    support::{backend, block_on, forever, in_both_protocols, listed, runs},
};

/// More than five pages of 512 and what they hold besides, and not more than six.
const KEYS: u64 = 3_000;
const PAGES: usize = 6;

async fn fill(backend: &impl CacheBackend) {
    let items = (0..KEYS).map(|i| SetItem::new(format!("going:{i}"), "v", forever()));
    for written in backend.set_many(items.collect()).await {
        assert!(written.unwrap().is_done());
    }
}

pub(crate) fn a_pattern_goes_by_one_unlink_a_page<C: Client>() {
    in_both_protocols::<C>(async |server, backend| {
        fill(backend).await;
        backend.set("staying", "v".into(), forever()).await.unwrap();
        server.command::<()>(&["CONFIG", "RESETSTAT"]);

        let told = Mutex::new(Vec::new());
        let progress = |progress| told.lock().push(progress);
        assert_eq!(backend.delete_matching_with("going:*", &progress).await.unwrap(), KEYS);
        assert_eq!((runs(server, "scan"), runs(server, "unlink")), (PAGES, PAGES));
        assert_eq!(told.lock().len(), PAGES);
        assert_eq!(told.lock().last(), Some(&SweepProgress::new(KEYS, KEYS)));
        assert_eq!(listed(backend, "*").await, ["staying"]);

        server.command::<()>(&["CONFIG", "RESETSTAT"]);
        assert_eq!(backend.delete_matching("going:*").await.unwrap(), 0);
        assert_eq!(runs(server, "unlink"), 0);
    });
}

pub(crate) fn an_error_amid_a_pattern_says_how_many_keys_went_before_it<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let backend = backend::<C>(&server, true).await;
        fill(&backend).await;
        let server = Mutex::new(server);
        let last = Mutex::new(SweepProgress::default());
        let progress = |progress: SweepProgress| {
            *last.lock() = progress;
            if progress.removed > KEYS / 2 {
                server.lock().stop();
            }
        };
        let error = backend.delete_matching_with("going:*", &progress).await.unwrap_err();
        let removed = last.lock().removed;
        assert!(removed > KEYS / 2 && removed < KEYS, "{removed}");
        assert!(error.is_unavailable(), "{error}");
        let expected = format!("(after {removed} keys were removed)");
        assert!(error.message().ends_with(&expected), "{error}");
    });
}
