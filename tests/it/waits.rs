//! Loads that would wait for each other, and nobody else. The clock stands still: whoever waits in vain waits for ever.

use std::{
    collections::HashMap,
    future::pending,
    pin::pin,
    sync::{
        Barrier, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use futures::{future::join, poll};
use larder::{BlockingCache, Cache, CacheBackend, LoadError, LoadOptions, Loaded};
use larder_memory::MemoryBackend;

use crate::backends::{block_on, local, memory};

type Failure = LoadError<String>;

fn get<B: CacheBackend + 'static>(cache: &BlockingCache<B>, key: &str, value: u32) -> Result<u32, Failure> {
    cache.remember(key, 60, || Ok::<_, String>(value))
}

/// Each thread loads a key of its own, and asks for the next one's when all have begun. Answers what they got.
fn ring<B: CacheBackend + 'static>(caches: &[BlockingCache<B>]) -> Vec<u32> {
    let count = caches.len();
    let begun = Barrier::new(count);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|own| {
                let begun = &begun;
                scope.spawn(move || {
                    let next = (own + 1) % count;
                    let answer = caches[own].remember(&format!("key:{own}"), 60, || {
                        begun.wait();
                        get(&caches[next], &format!("key:{next}"), 100).map(|next| next + 1)
                    });
                    answer.unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// One of them has loaded for itself, and the others waited in a row for what it answered.
fn assert_one_loaded_for_itself(mut answers: Vec<u32>) {
    answers.sort_unstable();
    let expected: Vec<u32> = (101..).take(answers.len()).collect();
    assert_eq!(answers, expected);
}

#[test]
fn of_two_threads_that_load_each_others_keys_one_loads_for_itself() {
    assert_one_loaded_for_itself(ring(&vec![memory().cache().blocking(); 2]));
    assert_one_loaded_for_itself(ring(&vec![local().cache().blocking(); 2]));
}

#[test]
fn of_a_ring_of_threads_one_loads_for_itself() {
    assert_one_loaded_for_itself(ring(&vec![memory().cache().blocking(); 5]));
}

#[test]
fn a_ring_through_several_caches_is_seen_too() {
    let caches: Vec<_> = (0..3).map(|_| memory().cache().blocking()).collect();
    assert_one_loaded_for_itself(ring(&caches));
}

#[test]
fn under_a_lease_nobody_waits_for_a_holder_that_waits_for_it() {
    let options = LoadOptions::new().lease("10s");
    let cache = memory().builder().load_options(options).build().unwrap().blocking();
    assert_one_loaded_for_itself(ring(&vec![cache; 2]));
}

#[test]
fn under_a_lease_a_load_of_the_calling_thread_is_not_waited_for() {
    for entry in ["marker", "stale"] {
        let world = memory();
        let options = LoadOptions::new().lease("10s");
        let cache = world.builder().load_options(options).build().unwrap();
        if entry == "stale" {
            cache.blocking().remember("key", 1, || Ok::<u8, String>(0)).unwrap();
            world.pass(std::time::Duration::from_secs(2));
        }
        block_on(async {
            let mut stuck = pin!(cache.remember("key", 60, pending::<Result<u8, String>>));
            assert!(poll!(&mut stuck).is_pending());
            let answer = cache.blocking().remember("key", 60, || Ok::<u8, String>(1));
            assert_eq!(answer.unwrap(), 1, "{entry}");
        });
        assert_eq!(block_on(cache.get("key")).unwrap(), Some(1_u8), "{entry}");
    }
}

#[test]
fn threads_whose_batches_ask_for_each_others_keys_do_not_wait_in_a_ring() {
    let cache = memory().cache().blocking();
    let begun = Barrier::new(2);
    let load = |own: &str, other: &str| {
        let many = cache.remember_many(
            [own],
            |key| (*key).to_owned(),
            60,
            |missing: Vec<&str>| {
                begun.wait();
                let inner = cache.remember_many(
                    [other],
                    |key| (*key).to_owned(),
                    60,
                    |missing: Vec<&str>| {
                        Ok::<_, String>(
                            missing
                                .into_iter()
                                .map(|key| (key.to_owned(), 100))
                                .map(|(_, n)| (other, n))
                                .collect::<Vec<_>>(),
                        )
                    },
                )?;
                let value: u32 = inner[other];
                Ok::<_, Failure>(missing.into_iter().map(|_| (own, value + 1)).collect::<Vec<_>>())
            },
        );
        many.unwrap()[own]
    };
    let answers = thread::scope(|scope| {
        let one = scope.spawn(|| load("a", "b"));
        let two = scope.spawn(|| load("b", "a"));
        vec![one.join().unwrap(), two.join().unwrap()]
    });
    assert_one_loaded_for_itself(answers);
}

#[test]
fn of_two_async_loads_that_ask_for_each_others_keys_one_loads_for_itself() {
    let cache = memory().cache();
    let load = async |own: &str, other: &str| {
        let answer = cache.remember(own, 60, async || {
            while cache.stats().loading < 2 {
                tokio::task::yield_now().await;
            }
            let next: u32 = cache.remember(other, 60, async || Ok::<_, String>(100)).await?;
            Ok::<_, Failure>(next + 1)
        });
        answer.await.unwrap()
    };
    let (a, b) = block_on(join(load("a", "b"), load("b", "a")));
    assert_one_loaded_for_itself(vec![a, b]);
}

#[test]
fn a_thread_that_waits_for_a_load_held_up_by_its_own_loads_for_itself() {
    // A's thread has begun a load that nobody polls any more; B's load waits for it, and A asks for B's.
    let cache = memory().cache();
    let blocking = cache.blocking();
    let answer = thread::scope(|scope| {
        block_on(async {
            let mut stuck = pin!(cache.remember("a", 60, pending::<Result<u32, String>>));
            assert!(poll!(&mut stuck).is_pending());
            scope.spawn(|| blocking.remember("b", 60, || get(&blocking, "a", 1)));
            while cache.stats().waiting == 0 {
                thread::yield_now();
            }
            get(&blocking, "b", 2)
        })
    });
    // B's thread ends too: with A's load gone it loads "a" for itself.
    assert_eq!(answer.unwrap(), 2);
}

#[test]
fn a_load_held_up_by_a_thread_waits_for_all_that_the_thread_has_still_to_wait_for() {
    // A thread has begun "x". It now waits for "y", and then has to wait for "z", whose loader asks for "x".
    let cache = memory().cache();
    let blocking = cache.blocking();
    let (z_begun, y_begun, has_x) = (Barrier::new(2), Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        block_on(async {
            let mut stuck = pin!(cache.remember("x", 60, pending::<Result<u32, String>>));
            assert!(poll!(&mut stuck).is_pending());
            scope.spawn(|| {
                blocking.remember("z", 60, || {
                    z_begun.wait();
                    while cache.stats().waiting < 2 {
                        thread::yield_now();
                    }
                    let x = get(&blocking, "x", 1);
                    has_x.store(true, Ordering::SeqCst);
                    x
                })
            });
            scope.spawn(|| {
                blocking.remember("y", 60, || {
                    y_begun.wait();
                    while cache.stats().waiting < 3 && !has_x.load(Ordering::SeqCst) {
                        thread::yield_now();
                    }
                    Ok::<_, String>(2_u32)
                })
            });
            z_begun.wait();
            let load = |missing: Vec<&'static str>| {
                assert_eq!(missing, ["k"]);
                y_begun.wait();
                Ok::<_, Failure>([("k", get(&blocking, "y", 100)?)])
            };
            let both = blocking.remember_many(["z", "k"], |key| (*key).to_owned(), 60, load);
            assert_eq!(both.unwrap(), HashMap::from([("z", 1), ("k", 2)]));
        });
    });
}

#[test]
fn loaders_that_need_each_other_for_ever_are_told_so() {
    static CACHE: LazyLock<BlockingCache<MemoryBackend>> = LazyLock::new(|| memory().cache().blocking());

    fn even(at: u32) -> Result<u32, Failure> {
        CACHE.remember("even", 60, || odd(at + 1).map_err(|failure| failure.to_string()))
    }

    fn odd(at: u32) -> Result<u32, Failure> {
        CACHE.remember("odd", 60, || even(at + 1).map_err(|failure| failure.to_string()))
    }

    let answers = thread::scope(|scope| {
        let threads = [scope.spawn(|| even(0)), scope.spawn(|| odd(0))];
        threads.map(|thread| thread.join().unwrap())
    });
    for answer in answers {
        let failure = answer.unwrap_err().to_string();
        assert!(failure.contains(&Failure::Reentrant.to_string()), "{failure}");
    }
}

#[test]
fn a_row_without_a_ring_is_waited_for() {
    let cache: Cache<_> = memory().cache();
    let blocking = cache.blocking();
    let options = LoadOptions::new();
    let hold = Barrier::new(2);
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            blocking.remember_with("a", 60, &options, || {
                hold.wait();
                while cache.stats().waiting < 2 {
                    thread::yield_now();
                }
                Ok::<_, String>(Loaded::value(1_u32))
            })
        });
        hold.wait();
        let second = scope.spawn(|| blocking.remember("b", 60, || get(&blocking, "a", 100).map(|a| a + 1)));
        while cache.stats().waiting < 1 {
            thread::yield_now();
        }
        assert_eq!(get(&blocking, "b", 200).unwrap(), 2);
        assert_eq!(second.join().unwrap().unwrap(), 2);
        assert_eq!(first.join().unwrap().unwrap().value, Some(1));
    });
}
