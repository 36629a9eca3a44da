use futures::StreamExt;

use super::{
    run::cases,
    stage::{HOUR, MAX_PAGES, Stage, assert_page, listed, refs},
    subject::Subject,
};
use crate::{CacheBackend, Condition, Expiry, glob};

cases![
    a_scan_lists_each_of_100_000_keys_in_bounded_pages,
    a_scan_lists_every_key_that_stands_while_others_come_and_go,
    a_dropped_scan_leaves_the_backend_usable,
    a_scan_that_matches_nothing_ends,
    a_scan_borrows_its_pattern_for_the_call_alone,
    a_scan_does_not_list_expired_keys,
    a_scan_does_not_list_deleted_keys,
    two_scans_at_once_do_not_disturb_each_other,
];

fn everything<S: Subject>(stage: &Stage<'_, S>) -> String {
    format!("{}*", glob::escape(stage.prefix()))
}

async fn a_scan_lists_each_of_100_000_keys_in_bounded_pages<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(100_000);
    stage.put_all(&keys, "v").await;
    let seen = stage.scan(&everything(stage)).await;
    let left_out = keys.iter().find(|key| !seen.contains_key(*key));
    assert_eq!(left_out, None, "a key that stands was not listed");
    assert_eq!(seen.len(), keys.len(), "keys were listed that were never written");
}

async fn a_scan_lists_every_key_that_stands_while_others_come_and_go<S: Subject>(stage: &Stage<'_, S>) {
    let stable = stage.keys(10_000);
    let passing: Vec<String> = (0..10_000).map(|n| stage.key(format_args!("{n}-passing"))).collect();
    stage.put_all(&stable, "v").await;
    stage.put_all(&passing[..5_000], "v").await;
    let mut seen = std::collections::HashSet::new();
    let stream = stage.backend.scan(&everything(stage));
    futures::pin_mut!(stream);
    let mut turn = 0;
    while let Some(page) = stream.next().await {
        let page = page.expect("scan failed");
        assert_page(&page);
        seen.extend(page);
        turn += 1;
        assert!(turn < MAX_PAGES, "the scan has not ended after {turn} pages");
        if turn > 500 {
            continue;
        }
        // Between two pages some come, some go, and some that stay are written again.
        let from = (turn * 100) % 5_000;
        stage.put_all(&passing[5_000 + from..5_100 + from], "v").await;
        stage.backend.delete_many(&refs(&passing[from..from + 100])).await;
        stage
            .put_all(&stable[from..from + 100], "a value that is longer than the one before")
            .await;
    }
    let left_out = stable.iter().find(|key| !seen.contains(*key));
    assert_eq!(left_out, None, "a key that stood all the while was not listed");
}

async fn a_dropped_scan_leaves_the_backend_usable<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(5_000);
    stage.put_all(&keys, "v").await;
    for pages in 0..3 {
        let stream = stage.backend.scan(&everything(stage));
        let taken: Vec<_> = stream.take(pages).collect().await;
        assert!(taken.into_iter().all(|page| page.is_ok()), "scan failed");
        stage.assert_value(&keys[0], b"v", "after a dropped scan").await;
    }
    let seen = stage.scan(&everything(stage)).await;
    assert_eq!(seen.len(), keys.len(), "a scan after dropped ones");
}

async fn a_scan_that_matches_nothing_ends<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(2_000);
    stage.put_all(&keys, "v").await;
    let pattern = format!("{}no-such-key:*", glob::escape(stage.prefix()));
    assert!(stage.scan(&pattern).await.is_empty());
}

async fn a_scan_borrows_its_pattern_for_the_call_alone<S: Subject>(stage: &Stage<'_, S>) {
    let key = stage.key("k");
    stage.put(&key, "v").await;
    let stream = {
        let mut pattern = everything(stage);
        let stream = stage.backend.scan(&pattern);
        pattern.clear();
        stream
    };
    assert!(listed(stream).await.contains_key(&key));
}

async fn a_scan_does_not_list_expired_keys<S: Subject>(stage: &Stage<'_, S>) {
    let (expired, alive, lasting) = (stage.key("expired"), stage.key("alive"), stage.key("lasting"));
    stage.put_with(&expired, "v", Expiry::After(HOUR)).await;
    stage.put_with(&alive, "v", Expiry::After(3 * HOUR)).await;
    stage.put(&lasting, "v").await;
    assert_eq!(stage.scan(&everything(stage)).await.len(), 3);
    stage.pass(HOUR).await;
    let seen = stage.scan(&everything(stage)).await;
    assert!(!seen.contains_key(&expired), "an expired key is listed");
    assert!(
        seen.contains_key(&alive) && seen.contains_key(&lasting),
        "a living key is not listed"
    );
}

async fn a_scan_does_not_list_deleted_keys<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(10);
    stage.put_all(&keys, "v").await;
    stage.backend.delete_many(&refs(&keys[..5])).await;
    let deleted = stage.backend.delete(&keys[5], Condition::Always).await;
    assert!(deleted.expect("delete failed").is_done());
    let seen = stage.scan(&everything(stage)).await;
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(seen.contains_key(key), n > 5, "key {n} of 10, of which six are deleted");
    }
}

async fn two_scans_at_once_do_not_disturb_each_other<S: Subject>(stage: &Stage<'_, S>) {
    let keys = stage.keys(5_000);
    stage.put_all(&keys, "v").await;
    let pattern = everything(stage);
    let (one, two) = futures::join!(stage.scan(&pattern), stage.scan(&pattern));
    assert_eq!((one.len(), two.len()), (keys.len(), keys.len()));
}
