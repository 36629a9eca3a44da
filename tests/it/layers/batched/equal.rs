//! Batched calls against the same calls one by one.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::join_all;
use larder::{Batched, CacheBackend, Condition, ErrorKind, Outcome};
use larder_memory::{MemoryBackend, Operation};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::support::{forever, text};
use crate::backends::block_on;

const KEYS: usize = 12;

#[derive(Debug, Clone)]
enum Call {
    Get,
    Set(u32),
    Add(u32),
    Delete,
}

#[derive(Debug, PartialEq)]
enum Said {
    Found(Option<String>),
    Did(Outcome),
    Failed(ErrorKind),
}

async fn make(backend: &impl CacheBackend, key: &str, call: &Call) -> Said {
    let value = |n: &u32| Bytes::from(n.to_string());
    let done = match call {
        Call::Get => match backend.get(key).await {
            Ok(found) => return Said::Found(text(Ok(found))),
            Err(error) => Err(error),
        },
        Call::Set(n) => backend.set(key, value(n), forever()).await,
        Call::Add(n) => {
            let if_absent = forever().with_condition(Condition::IfAbsent);
            backend.set(key, value(n), if_absent).await
        }
        Call::Delete => backend.delete(key, Condition::Always).await,
    };
    match done {
        Ok(outcome) => Said::Did(outcome),
        Err(error) => Said::Failed(error.kind()),
    }
}

/// Rounds of calls on as many keys, all at once against the layer and one by one against a plain store. A call that
/// failed says so in the kind that the script gave it, and was not applied; all others say the same.
#[test]
fn calls_in_batches_say_and_do_what_they_do_one_by_one_while_the_store_fails() {
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let (store, plain) = (MemoryBackend::new(), MemoryBackend::new());
        let backend = Batched::builder(store.clone())
            .alone(random.random_range(0..4))
            .max_batches(random.random_range(1..4))
            .max_calls(random.random_range(1..10))
            .build()
            .unwrap();
        for round in 0..20 {
            let calls: BTreeMap<String, Call> = (0..random.random_range(1..=KEYS))
                .map(|i| {
                    let n = random.random();
                    let call = [Call::Get, Call::Get, Call::Set(n), Call::Add(n), Call::Delete];
                    (format!("k{i}"), call.choose(&mut random).unwrap().clone())
                })
                .collect();
            let kinds = [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Server];
            let kind = *kinds.choose(&mut random).unwrap();
            for operation in [Operation::Get, Operation::GetMany, Operation::Set, Operation::SetMany] {
                store.faults().fail_next_of(operation, random.random_range(0..2), kind);
            }
            let said = block_on(join_all(calls.iter().map(|(key, call)| make(&backend, key, call))));
            store.faults().recover();
            for ((key, call), said) in calls.iter().zip(said) {
                if said != Said::Failed(kind) {
                    let plainly = block_on(make(&plain, key, call));
                    assert_eq!(said, plainly, "seed {seed}, round {round}: {call:?} of {key}");
                }
                let stands = [&store, &plain].map(|store| text(block_on(store.get(key))));
                assert_eq!(stands[0], stands[1], "seed {seed}, round {round}: {call:?} of {key}");
            }
        }
        assert_eq!(backend.stats().in_flight, 0);
    }
}
