use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use parking_lot::Mutex;

use super::subject::Subject;
use crate::{CacheBackend, Condition, ErrorKind, Expiry, KeyTtl, Outcome, Result, SetItem, SetOptions};

/// No page of a scan holds more keys than this: the bound that makes its memory flat.
const MAX_PAGE: usize = 10_000;
/// A scan of the suite's own keys that has not ended after so many pages never will.
pub(super) const MAX_PAGES: usize = 50_000;
/// How far a stored life may be off, for fixtures that shorten lives by hand.
const SLACK: Duration = Duration::from_millis(10);

pub(super) const HOUR: Duration = Duration::from_hours(1);

/// What a case works on: the backend, and a corner of its keys that is the case's alone.
pub(super) struct Stage<'s, S: Subject> {
    pub(super) backend: Arc<S::Backend>,
    subject: &'s S,
    prefix: String,
    keys: Mutex<Vec<String>>,
    passed: Mutex<Duration>,
}

impl<'s, S: Subject> Stage<'s, S> {
    pub(super) fn new(subject: &'s S, name: &str) -> Self {
        // Two runs against one server, or one after a crash, must not meet each other's keys.
        let run: u64 = rand::random();
        Self {
            backend: subject.backend(),
            subject,
            prefix: format!("conformance:{run:x}:{name}:"),
            keys: Mutex::default(),
            passed: Mutex::default(),
        }
    }

    /// A key of this case's own, which is removed at its end.
    pub(super) fn key(&self, name: impl std::fmt::Display) -> String {
        let key = format!("{}{name}", self.prefix);
        self.keys.lock().push(key.clone());
        key
    }

    /// The empty key, which belongs to nobody in particular, for as long as this case runs.
    pub(super) fn empty_key(&self) -> &'static str {
        self.keys.lock().push(String::new());
        ""
    }

    pub(super) fn keys(&self, count: usize) -> Vec<String> {
        (0..count).map(|n| self.key(n)).collect()
    }

    /// What every key of this case begins with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) async fn pass(&self, span: Duration) {
        self.subject.pass(span).await;
        *self.passed.lock() += span;
    }

    pub(super) async fn put_other_type(&self, key: &str) -> bool {
        self.subject.put_other_type(key).await
    }

    pub(super) async fn assert_other_type_stands(&self, key: &str, after: &str) {
        assert!(
            self.subject.other_type_stands(key).await,
            "the key of another type was changed by {after}"
        );
    }

    pub(super) async fn tidy(&self) {
        let keys = std::mem::take(&mut *self.keys.lock());
        for chunk in keys.chunks(10_000) {
            self.backend.delete_many(&refs(chunk)).await;
        }
    }

    pub(super) async fn put(&self, key: &str, value: impl Into<Bytes>) {
        self.put_with(key, value, Expiry::Never).await;
    }

    pub(super) async fn put_with(&self, key: &str, value: impl Into<Bytes>, expiry: Expiry) {
        let outcome = self.set(key, value, expiry, Condition::Always).await;
        assert_eq!(done(outcome), Outcome::Done, "an unconditional set");
    }

    pub(super) async fn put_all(&self, keys: &[String], value: &'static str) {
        for chunk in keys.chunks(2_000) {
            let items = chunk
                .iter()
                .map(|key| SetItem::new(key, value, SetOptions::new(Expiry::Never)))
                .collect();
            for outcome in self.backend.set_many(items).await {
                assert_eq!(done(outcome), Outcome::Done, "an unconditional set in a batch");
            }
        }
    }

    pub(super) async fn set(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        expiry: Expiry,
        condition: Condition,
    ) -> Result<Outcome> {
        let options = SetOptions::new(expiry).with_condition(condition);
        self.backend.set(key, value.into(), options).await
    }

    pub(super) async fn value(&self, key: &str) -> Option<Bytes> {
        let entry = self.backend.get(key).await.expect("get failed");
        entry.map(crate::Entry::into_bytes)
    }

    pub(super) async fn assert_value(&self, key: &str, expected: &[u8], when: &str) {
        let value = self.value(key).await;
        assert_eq!(value.as_deref(), Some(expected), "{when}");
    }

    pub(super) async fn assert_missing(&self, key: &str, when: &str) {
        let value = self.value(key).await;
        assert_eq!(value, None, "get, {when}");
        assert_eq!(self.ttl(key).await, KeyTtl::Missing, "head, {when}");
    }

    pub(super) async fn ttl(&self, key: &str) -> KeyTtl {
        let head = self.backend.head(key, 0).await.expect("head failed");
        head.map_or(KeyTtl::Missing, |head| {
            assert_ne!(
                head.ttl(),
                KeyTtl::Missing,
                "a head that is there says that the key is missing"
            );
            head.ttl()
        })
    }

    /// How often a scan lists each key; the case fails if a page is too large or the scan does not end.
    pub(super) async fn scan(&self, pattern: &str) -> HashMap<String, usize> {
        listed(self.backend.scan(pattern)).await
    }

    /// Starts to watch a life of `span`. Call it before the write that gives that life.
    pub(super) fn life(&self, span: Duration) -> Life {
        Life {
            span,
            began: Instant::now(),
            passed: *self.passed.lock(),
        }
    }

    /// Holds the remaining life of `key` to what was given, however slow this machine is.
    pub(super) async fn assert_life(&self, key: &str, life: &Life, when: &str) {
        let passed = self.passed.lock().saturating_sub(life.passed);
        let longest = life.span.saturating_sub(passed) + SLACK;
        let ttl = self.ttl(key).await;
        // Real time runs beside a clock that the fixture moves, or is a part of what it passed; either way the
        // life is not shorter than this.
        let shortest = life.span.saturating_sub(passed + life.began.elapsed() + SLACK);
        match ttl {
            KeyTtl::Expires(left) => assert!(
                !left.is_zero() && left <= longest && left >= shortest,
                "{when}: {left:?} are left of a life of {:?}, not between {shortest:?} and {longest:?}",
                life.span
            ),
            KeyTtl::Missing if shortest.is_zero() => {}
            other => panic!("{when}: a life of {:?} reads as {other:?}", life.span),
        }
    }

    /// Tells whether a life is surely not over yet, so that a slow machine is not taken for a fault.
    pub(super) fn is_surely_alive(&self, life: &Life) -> bool {
        let passed = self.passed.lock().saturating_sub(life.passed);
        life.span > passed + life.began.elapsed() + SLACK
    }
}

/// A life that was given to a key, and when.
pub(super) struct Life {
    span: Duration,
    began: Instant,
    passed: Duration,
}

/// How often a scan lists each key.
pub(super) async fn listed(pages: impl Stream<Item = Result<Vec<String>>> + Send) -> HashMap<String, usize> {
    let mut seen = HashMap::new();
    let mut count = 0;
    futures::pin_mut!(pages);
    while let Some(page) = pages.try_next().await.expect("scan failed") {
        assert_page(&page);
        count += 1;
        assert!(count < MAX_PAGES, "the scan has not ended after {count} pages");
        for key in page {
            *seen.entry(key).or_default() += 1;
        }
    }
    seen
}

pub(super) fn assert_page(page: &[String]) {
    assert!(
        page.len() <= MAX_PAGE,
        "a page holds {} keys, more than {MAX_PAGE}",
        page.len()
    );
}

pub(super) fn refs(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

pub(super) fn done(outcome: Result<Outcome>) -> Outcome {
    outcome.expect("a write failed")
}

pub(super) fn starts_with(prefix: &'static [u8]) -> Condition {
    Condition::IfStartsWith(Bytes::from_static(prefix))
}

pub(super) fn assert_kind<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, what: &str) {
    match result {
        Err(error) => assert_eq!(error.kind(), kind, "{what}: {error}"),
        Ok(answer) => panic!("{what} answered {answer:?} instead of failing as {kind}"),
    }
}
