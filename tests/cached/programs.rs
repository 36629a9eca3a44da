//! Programs that are a little unusual.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::LazyLock,
};

use larder::cached;

use crate::support::{Memory, Runs, block_on, memory};

static CACHE: LazyLock<Memory> = LazyLock::new(memory);

#[cached(cache = cache, key = "fib:{n}", ttl = "1h", skip(runs))]
fn fib(cache: &Memory, runs: &Runs, n: u64) -> u64 {
    runs.run();
    if n < 2 {
        n
    } else {
        fib(cache, runs, n - 1) + fib(cache, runs, n - 2)
    }
}

#[test]
fn a_recursion_runs_once_for_each_argument() {
    let (cache, runs) = (memory(), Runs::default());
    assert_eq!(fib(&cache, &runs, 20), 6765);
    assert_eq!(runs.count(), 21);
}

#[cached(cache = cache, key = "{id}", ttl = "1h")]
fn invalidated(cache: &Memory, id: u64) -> u64 {
    invalidated::invalidate(cache, id).unwrap();
    id
}

#[test]
fn a_body_that_invalidates_its_own_key_is_answered_and_not_stored() {
    let cache = memory();
    assert_eq!(invalidated(&cache, 1), 1);
    assert_eq!(invalidated::peek(&cache, 1).unwrap(), None);
}

#[cached(cache = cache, key = "{text}", ttl = "1h", skip(runs))]
fn length(cache: &Memory, runs: &Runs, text: &str) -> usize {
    let _ = cache;
    runs.run();
    text.len()
}

#[test]
fn a_key_may_be_long_and_one_that_is_too_long_costs_no_value() {
    let (cache, runs) = (memory(), Runs::default());
    for (size, expected) in [(10_000, 1), (100_000, 2)] {
        let text = "x".repeat(size);
        let before = runs.count();
        assert_eq!(length(&cache, &runs, &text), size);
        assert_eq!(length(&cache, &runs, &text), size);
        assert_eq!(runs.count() - before, expected, "{size}");
    }
}

#[cached(cache = CACHE, key = "array:{N}:{of:?}", ttl = "1h")]
fn array<const N: usize>(of: [u8; N]) -> usize
where
    [u8; N]: Clone,
{
    of.len()
}

#[cached(cache = CACHE, key = "{{é}}:{text}→{count:>08}:{pair.0.1}", ttl = "1h")]
fn formatted(text: &str, count: u32, pair: ((u8, u8), u8)) -> String {
    format!("{text}{count}{}", pair.1)
}

#[test]
fn templates_take_braces_letters_of_any_language_and_parts_of_tuples() {
    assert_eq!(array([1, 2]), 2);
    assert_eq!(array::key([1, 2]), "array:2:[1, 2]");
    assert_eq!(formatted("a→b", 5, ((1, 2), 3)), "a→b53");
    assert_eq!(formatted::key("a→b", 5, ((1, 2), 3)), "{é}:a%E2%86%92b→00000005:2");
}

#[cached(cache = cache, key = "{id}", ttl = |id| if id == 0 { panic!("no ttl for {id}") } else { 60 })]
fn picky(cache: &Memory, id: u64) -> u64 {
    let _ = cache;
    id
}

#[cached(cache = pick(caches, id), key = "{id}", ttl = "1h")]
fn picked(caches: &[Memory; 2], id: usize) -> usize {
    caches.len() + id
}

fn pick(caches: &[Memory; 2], id: usize) -> &Memory {
    &caches[id]
}

#[test]
fn a_panic_of_an_option_is_the_callers_and_harms_no_later_call() {
    let cache = memory();
    let message = catch_unwind(AssertUnwindSafe(|| picky(&cache, 0))).unwrap_err();
    assert_eq!(message.downcast_ref::<String>().unwrap(), "no ttl for 0");
    assert_eq!((picky(&cache, 1), cache.stats().loading), (1, 0));

    let caches = [memory(), memory()];
    assert!(catch_unwind(AssertUnwindSafe(|| picked(&caches, 2))).is_err());
    assert_eq!(picked(&caches, 1), 3);
    assert_eq!(picked::peek(&caches, 1).unwrap(), Some(3));
    assert_eq!(block_on(caches[0].get::<usize>("1")).unwrap(), None);
}

mod shop {
    pub(crate) mod users {
        use larder::cached;

        use super::super::{CACHE, Memory};

        /// The user of an `id`.
        #[must_use]
        #[doc(hidden)]
        #[inline]
        #[cached(cache = CACHE, key = "shop:{id}", ttl = "1h")]
        pub(in super::super::shop) async fn user(id: u64) -> u64 {
            id
        }

        #[cached(cache = cache, key = "shop:shown:{id}", ttl = "1h")]
        pub(in super::super) fn shown<T>(cache: &Memory, id: &T) -> String
        where
            T: std::fmt::Display + ?Sized,
        {
            let _ = cache;
            id.to_string()
        }
    }

    pub(super) async fn peeked(id: u64) -> Option<u64> {
        assert_eq!(users::user(id).await, id);
        users::user::peek(id).await.unwrap()
    }
}

#[test]
fn a_function_is_seen_as_far_as_it_says() {
    assert_eq!(block_on(shop::peeked(1)), Some(1));
    assert_eq!(shop::users::shown(&CACHE, "x"), "x");
    assert_eq!(shop::users::shown::key(&CACHE, "x"), "shop:shown:x");
}
