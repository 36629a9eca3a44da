//! `LocalBackend` with room for everything against `MemoryBackend`, on one clock: the same calls, the same answers.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, executor::block_on};
use larder::{CacheBackend, Condition, Entry, Expiry, ManualClock, Result, SetItem, SetOptions};
use larder_local::LocalBackend;
use larder_memory::MemoryBackend;
use proptest::{collection::vec, prelude::*, sample::select};

#[derive(Debug, Clone)]
enum Step {
    Get(&'static str),
    GetMany(Vec<&'static str>),
    Head(&'static str, usize),
    Set(&'static str, Vec<u8>, SetOptions),
    SetMany(Vec<(&'static str, Vec<u8>, SetOptions)>),
    Delete(&'static str, Condition),
    DeleteMany(Vec<&'static str>),
    Expire(&'static str, Duration, Condition),
    Persist(&'static str, Condition),
    Scan(&'static str),
    Pass(Duration),
}

fn key() -> impl Strategy<Value = &'static str> {
    select(vec!["", "a", "b", "ab", "a*", "é"])
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(select(vec![b'x', b'y', 0]), 0..4)
}

fn span() -> impl Strategy<Value = Duration> {
    select(vec![0, 1, 999_999, 1_000_000, 1_000_001, 5_000_000, 2_000_000_000]).prop_map(Duration::from_nanos)
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        3 => Just(Condition::Always),
        1 => Just(Condition::IfAbsent),
        1 => Just(Condition::IfPresent),
        2 => value().prop_map(|prefix| Condition::IfStartsWith(Bytes::from(prefix))),
    ]
}

fn options() -> impl Strategy<Value = SetOptions> {
    let expiry = prop_oneof![
        2 => Just(Expiry::Never),
        1 => Just(Expiry::Keep),
        3 => span().prop_map(Expiry::After),
    ];
    (expiry, condition()).prop_map(|(expiry, condition)| SetOptions::new(expiry).with_condition(condition))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => key().prop_map(Step::Get),
        1 => vec(key(), 0..6).prop_map(Step::GetMany),
        3 => (key(), 0..5_usize).prop_map(|(key, n)| Step::Head(key, n)),
        6 => (key(), value(), options()).prop_map(|(key, value, options)| Step::Set(key, value, options)),
        1 => vec((key(), value(), options()), 0..6).prop_map(Step::SetMany),
        2 => (key(), condition()).prop_map(|(key, condition)| Step::Delete(key, condition)),
        1 => vec(key(), 0..6).prop_map(Step::DeleteMany),
        2 => (key(), span(), condition()).prop_map(|(key, span, condition)| Step::Expire(key, span, condition)),
        2 => (key(), condition()).prop_map(|(key, condition)| Step::Persist(key, condition)),
        1 => select(vec!["*", "", "a*", "?", r"a\*", "[ab]"]).prop_map(Step::Scan),
        4 => span().prop_map(Step::Pass),
    ]
}

fn read(entry: Option<Entry>) -> String {
    // Without the life, which `get` of the other backend tells and this one's does not; `head` compares it.
    format!("{:?}", entry.map(Entry::into_bytes))
}

fn each<T>(results: Vec<Result<T>>, show: impl Fn(T) -> String) -> String {
    let shown: Vec<_> = results.into_iter().map(|result| result.map(&show)).collect();
    format!("{shown:?}")
}

/// Takes the step and tells the answer as text, errors and their operations included.
async fn answer<B: CacheBackend>(backend: &B, step: Step) -> String {
    let item = |(key, value, options)| SetItem::new(key, value, options);
    match step {
        Step::Get(key) => format!("{:?}", backend.get(key).await.map(read)),
        Step::GetMany(keys) => each(backend.get_many(&keys).await, read),
        Step::Head(key, n) => format!("{:?}", backend.head(key, n).await),
        Step::Set(key, value, options) => format!("{:?}", backend.set(key, Bytes::from(value), options).await),
        Step::SetMany(items) => {
            let items = items.into_iter().map(item).collect();
            each(backend.set_many(items).await, |outcome| format!("{outcome:?}"))
        }
        Step::Delete(key, condition) => format!("{:?}", backend.delete(key, condition).await),
        Step::DeleteMany(keys) => each(backend.delete_many(&keys).await, |outcome| format!("{outcome:?}")),
        Step::Expire(key, span, condition) => format!("{:?}", backend.expire(key, span, condition).await),
        Step::Persist(key, condition) => format!("{:?}", backend.persist(key, condition).await),
        Step::Scan(pattern) => {
            let pages: Vec<_> = backend.scan(pattern).collect().await;
            let keys: BTreeSet<_> = pages.into_iter().flat_map(|page| page.expect("scan failed")).collect();
            format!("{keys:?}")
        }
        Step::Pass(_) => String::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_local_map_answers_as_the_exact_store_does(steps in vec(step(), 1..60)) {
        let clock = ManualClock::new();
        let exact = MemoryBackend::with_clock(clock.clone());
        let local = LocalBackend::builder().clock(clock.clone()).build();
        for step in steps {
            if let Step::Pass(span) = step {
                clock.advance(span);
            }
            let expected = block_on(answer(&exact, step.clone()));
            prop_assert_eq!(block_on(answer(&local, step.clone())), expected, "{:?}", step);
        }
        prop_assert!(local.len() >= exact.len());
    }
}
