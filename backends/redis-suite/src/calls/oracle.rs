//! Memory and a real server, asked the same 20 000 things.

use std::{collections::BTreeSet, env, time::Duration};

use bytes::Bytes;
use futures::TryStreamExt;
use larder::{
    CacheBackend, Condition, Entry, ErrorKind, Expiry, KeyTtl, ManualClock, Outcome, Result, SetItem, SetOptions,
};
use larder_memory::MemoryBackend;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use testkit::RedisServer;

use crate::{
    Client,
    support::{backend, block_on},
};

const OPERATIONS: usize = 20_000;

/// Lives are whole hours and the clocks move by whole hours, so the seconds the test takes decide nothing.
const HOUR: Duration = Duration::from_secs(3600);

const KEYS: [&str; 12] = [
    "", "a", "b", "ab", "abc", "a*", "[a]", "a:b", "日本", "🦀", "\\", "a\nb",
];
const VALUES: [&[u8]; 7] = [b"", b"a", b"ab", b"abc", b"abd", b"\0\xFF\xFE", &[b'x'; 2000]];
const PATTERNS: [&str; 9] = ["*", "a*", "?", "[ab]", "*b*", "日*", "\\\\", "a\\*", "none"];

#[derive(Debug)]
enum Op {
    Get(&'static str),
    GetMany(Vec<&'static str>),
    Head(&'static str, usize),
    Set(SetItem),
    SetMany(Vec<SetItem>),
    Delete(&'static str, Condition),
    DeleteMany(Vec<&'static str>),
    Expire(&'static str, Duration, Condition),
    Persist(&'static str, Condition),
    Scan(&'static str),
    PutOtherType(&'static str),
    Pass(Duration),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Entries(Vec<std::result::Result<Option<Bytes>, ErrorKind>>),
    Head(Option<(Bytes, u64, KeyTtl)>),
    Outcomes(Vec<std::result::Result<Outcome, ErrorKind>>),
    Keys(BTreeSet<String>),
    Nothing,
}

fn condition(rng: &mut StdRng) -> Condition {
    match rng.random_range(0..6) {
        0 | 1 => Condition::Always,
        2 => Condition::IfAbsent,
        3 => Condition::IfPresent,
        _ => Condition::IfStartsWith(Bytes::from_static(VALUES.choose(rng).unwrap())),
    }
}

fn item(rng: &mut StdRng) -> SetItem {
    let expiry = match rng.random_range(0..8) {
        0 => Expiry::Never,
        1 | 2 => Expiry::Keep,
        3 => Expiry::After(Duration::ZERO),
        _ => Expiry::After(HOUR * rng.random_range(1..6)),
    };
    let options = SetOptions::new(expiry).with_condition(condition(rng));
    SetItem::new(key(rng), *VALUES.choose(rng).unwrap(), options)
}

fn key(rng: &mut StdRng) -> &'static str {
    KEYS.choose(rng).unwrap()
}

fn some<T>(rng: &mut StdRng, make: impl Fn(&mut StdRng) -> T) -> Vec<T> {
    let count = rng.random_range(0..6);
    (0..count).map(|_| make(rng)).collect()
}

fn op(rng: &mut StdRng) -> Op {
    match rng.random_range(0..100) {
        0..20 => Op::Get(key(rng)),
        20..28 => Op::GetMany(some(rng, key)),
        28..38 => Op::Head(key(rng), rng.random_range(0..6)),
        38..58 => Op::Set(item(rng)),
        58..66 => Op::SetMany(some(rng, item)),
        66..74 => Op::Delete(key(rng), condition(rng)),
        74..78 => Op::DeleteMany(some(rng, key)),
        78..84 => Op::Expire(key(rng), HOUR * rng.random_range(0..5), condition(rng)),
        84..88 => Op::Persist(key(rng), condition(rng)),
        88..92 => Op::Scan(PATTERNS.choose(rng).unwrap()),
        92..95 => Op::PutOtherType(key(rng)),
        _ => Op::Pass(HOUR * rng.random_range(1..3)),
    }
}

fn entry(found: Result<Option<Entry>>) -> std::result::Result<Option<Bytes>, ErrorKind> {
    found
        .map(|entry| entry.map(Entry::into_bytes))
        .map_err(|error| error.kind())
}

fn outcomes(outcomes: impl IntoIterator<Item = Result<Outcome>>) -> Answer {
    Answer::Outcomes(
        outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(|error| error.kind()))
            .collect(),
    )
}

/// What is left of a life in whole hours: the server has lost the seconds that the test took.
fn in_hours(ttl: KeyTtl) -> KeyTtl {
    match ttl {
        KeyTtl::Expires(left) => KeyTtl::Expires(HOUR * u32::try_from(left.as_secs().div_ceil(3600)).unwrap()),
        other => other,
    }
}

async fn ask<B: CacheBackend>(backend: &B, op: &Op) -> Answer {
    match op {
        Op::Get(key) => Answer::Entries(vec![entry(backend.get(key).await)]),
        Op::GetMany(keys) => Answer::Entries(backend.get_many(keys).await.into_iter().map(entry).collect()),
        Op::Head(key, n) => {
            let head = backend.head(key, *n).await.unwrap();
            Answer::Head(head.map(|head| (head.bytes().clone(), head.len(), in_hours(head.ttl()))))
        }
        Op::Set(item) => outcomes([backend.set(&item.key, item.value.clone(), item.options.clone()).await]),
        Op::SetMany(items) => outcomes(backend.set_many(items.clone()).await),
        Op::Delete(key, condition) => outcomes([backend.delete(key, condition.clone()).await]),
        Op::DeleteMany(keys) => outcomes(backend.delete_many(keys).await),
        Op::Expire(key, after, condition) => outcomes([backend.expire(key, *after, condition.clone()).await]),
        Op::Persist(key, condition) => outcomes([backend.persist(key, condition.clone()).await]),
        Op::Scan(pattern) => {
            let pages: Vec<Vec<String>> = backend.scan(pattern).try_collect().await.unwrap();
            Answer::Keys(pages.into_iter().flatten().collect())
        }
        Op::PutOtherType(_) | Op::Pass(_) => Answer::Nothing,
    }
}

pub(crate) fn memory_and_a_real_server_give_the_same_answers_to_20_000_random_operations<C: Client>() {
    let seed = env::var("LARDER_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("LARDER_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let server = RedisServer::start();
    let clock = ManualClock::new();
    let memory = MemoryBackend::with_clock(clock.clone());
    block_on(async {
        let redis = backend::<C>(&server, true).await;
        let mut answers_with_something = 0;
        for step in 0..OPERATIONS {
            let op = op(&mut rng);
            match &op {
                Op::Pass(span) => {
                    clock.advance(*span);
                    server.pass(*span);
                }
                Op::PutOtherType(key) => {
                    memory.insert_other_type(*key);
                    server.command::<()>(&["DEL", key]);
                    server.command::<()>(&["RPUSH", key, "element"]);
                }
                _ => {}
            }
            let expected = ask(&redis, &op).await;
            assert_eq!(
                ask(&memory, &op).await,
                expected,
                "step {step} of LARDER_SEED={seed}: {op:?}"
            );
            answers_with_something += usize::from(matches!(
                &expected,
                Answer::Entries(entries) if entries.iter().any(|entry| matches!(entry, Ok(Some(_))))
            ));
        }
        // The keys are few enough that reads do find something, or the test would compare misses.
        assert!(answers_with_something > OPERATIONS / 50, "{answers_with_something}");
    });
}
