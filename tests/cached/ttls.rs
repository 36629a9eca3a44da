//! Lives: literals, constants, closures of the arguments and of the result.

use std::{cell::Cell, panic, sync::Arc, time::Duration};

use larder::{KeyTtl, Ttl, cached};

use crate::support::{Memory, Runs, block_on, memory, seconds_left};

const QUARTER: Duration = Duration::from_mins(15);

#[cached(cache = cache, key = "text", ttl = "1h30m")]
async fn text(cache: &Memory) -> u8 {
    1
}

#[cached(cache = cache, key = "integer", ttl = 90)]
async fn integer(cache: &Memory) -> u8 {
    1
}

#[cached(cache = cache, key = "constant", ttl = QUARTER)]
async fn constant(cache: &Memory) -> u8 {
    1
}

#[cached(cache = cache, key = "forever", ttl = Ttl::FOREVER)]
async fn forever(cache: &Memory) -> u8 {
    1
}

#[cached(cache = cache, key = "argument", ttl = ttl, skip(ttl))]
async fn argument(cache: &Memory, ttl: Duration) -> u8 {
    1
}

#[test]
fn a_ttl_is_a_literal_a_constant_or_any_expression() {
    let cache = memory();
    block_on(async {
        text(&cache).await;
        integer(&cache).await;
        constant(&cache).await;
        forever(&cache).await;
        argument(&cache, Duration::from_secs(7)).await;
        assert_eq!(cache.ttl("forever").await.unwrap(), KeyTtl::Persistent);
    });
    let lives = ["text", "integer", "constant", "argument"].map(|key| seconds_left(&cache, key));
    assert_eq!(lives, [5_400, 90, 900, 7]);
}

#[cached(cache = cache, key = "user:{user_id}", ttl = |uid| if uid < 100 { 3600 } else { 300 })]
async fn by_number(cache: &Memory, user_id: u64) -> u64 {
    user_id
}

#[cached(cache = cache, key = "{name}:{tags:?}", ttl = |name, tags| Duration::from_secs((name.len() + tags.len()) as u64))]
async fn by_reference(cache: &Memory, name: &str, tags: Vec<String>) -> usize {
    tags.len()
}

#[cached(cache = cache, key = "{name}", ttl = |name| { if name.is_empty() { return "1s"; } "2s" })]
async fn by_a_closure_that_returns(cache: &Memory, name: &str) -> u8 {
    1
}

#[test]
fn a_closure_makes_the_ttl_of_the_arguments() {
    let cache = memory();
    block_on(async {
        by_number(&cache, 99).await;
        by_number(&cache, 100).await;
        by_reference(&cache, "abc", vec!["x".into(), "y".into()]).await;
        by_a_closure_that_returns(&cache, "n").await;
    });
    let keys = [
        "user:99",
        "user:100",
        &by_reference::key(&cache, "abc", vec!["x".into(), "y".into()]),
        "n",
    ];
    assert_eq!(keys.map(|key| seconds_left(&cache, key)), [3_600, 300, 5, 2]);
}

#[cached(cache = cache, key = "{a}:{b}", ttl = |b, a| -> u64 { if a == 7 { 10 } else { b * 100 } })]
fn by_other_names(cache: &Memory, a: u64, b: u64) -> u64 {
    a + b
}

#[test]
fn a_ttl_closure_may_name_its_parameters_as_other_arguments_are_named() {
    let cache = memory();
    by_other_names(&cache, 1, 7);
    assert_eq!(seconds_left(&cache, "1:7"), 10);
}

macro_rules! with_ttl {
    ($name:ident, $ttl:expr) => {
        #[cached(cache = cache, key = "wrapped", ttl = $ttl)]
        fn $name(cache: &Memory) -> u8 {
            1
        }
    };
}
with_ttl!(text_of_a_macro, "1h");
with_ttl!(integer_with_a_suffix, (60_u64));
with_ttl!(closure_of_a_macro, |found| u64::from(*found) * 5);

#[test]
fn a_ttl_comes_through_macros_parentheses_and_with_a_suffix() {
    for (call, seconds) in [
        (text_of_a_macro as fn(&Memory) -> u8, 3_600),
        (integer_with_a_suffix, 60),
        (closure_of_a_macro, 5),
    ] {
        let cache = memory();
        call(&cache);
        assert_eq!(seconds_left(&cache, "wrapped"), seconds);
    }
}

#[cached(cache = cache, key = "{name}", ttl = |name, found| name.len() as u64 * 100 + found.len() as u64)]
async fn by_result(cache: &Memory, name: String) -> Result<Vec<u8>, String> {
    Ok(name.into_bytes())
}

#[cached(cache = cache, key = "{name}", ttl = |_, found| found.map_or(1, u64::from), negative_ttl = "30s")]
async fn by_option(cache: &Memory, name: String) -> Option<u8> {
    name.bytes().next()
}

#[cached(cache = cache, key = "{name}", ttl = |_, found| found.map_or(7, u64::from))]
async fn by_option_alone(cache: &Memory, name: String) -> Option<u8> {
    name.bytes().next()
}

#[test]
fn a_closure_makes_the_ttl_of_the_arguments_and_the_result() {
    let cache = memory();
    block_on(async {
        by_result(&cache, "ab".into()).await.unwrap();
        by_option(&cache, "!".into()).await;
        by_option(&cache, String::new()).await;
    });
    assert_eq!(seconds_left(&cache, "ab"), 202);
    assert_eq!(seconds_left(&cache, "!"), u64::from(b'!'));
    assert_eq!(seconds_left(&cache, ""), 30);
    assert!(block_on(by_option_alone::invalidate(&cache, String::new())).unwrap());
    block_on(by_option_alone(&cache, String::new()));
    assert_eq!(seconds_left(&cache, ""), 7);
}

#[cached(
    cache = cache, key = "{name}", ttl = |_, found| found + *limit + name.len() as u64 + u64::from(by), skip(limit, by)
)]
async fn by_what_it_does_not_take(cache: Memory, name: String, limit: Arc<u64>, by: u8) -> u64 {
    *limit
}

#[test]
fn a_ttl_closure_of_the_result_sees_every_argument_by_name() {
    let cache = memory();
    block_on(by_what_it_does_not_take(cache.clone(), "abc".into(), Arc::new(100), 4));
    assert_eq!(seconds_left(&cache, "abc"), 207);
}

#[cached(cache = cache, key = "{runs:p}", ttl = |_, _| -5)]
async fn by_a_wrong_rule(cache: &Memory, runs: &Runs) -> usize {
    runs.run()
}

#[cached(cache = cache, key = "{runs:p}", ttl = |_, _| -5, on_error = "raise")]
async fn by_a_wrong_rule_that_raises(cache: &Memory, runs: &Runs) -> Result<usize, larder::Error> {
    Ok(runs.run())
}

#[cached(cache = cache, key = "{runs:p}", ttl = |_| "soon")]
async fn by_a_wrong_ttl(cache: &Memory, runs: &Runs) -> usize {
    runs.run()
}

#[test]
fn a_wrong_ttl_costs_no_value_and_no_second_run() {
    let (cache, runs) = (memory(), Runs::default());
    block_on(async {
        assert_eq!(by_a_wrong_rule(&cache, &runs).await, 1);
        assert_eq!(by_a_wrong_ttl(&cache, &runs).await, 2);
        let raised = by_a_wrong_rule_that_raises(&cache, &runs).await.unwrap_err();
        assert_eq!(
            raised.to_string(),
            "remember: ttl -5: negative; a ttl is a number of seconds above zero"
        );
        assert_eq!(runs.count(), 3);
    });
}

#[cached(cache = cache, key = "{name}", ttl = "1h", negative_ttl = "1m", jitter = 0.5, schema_version = 3)]
async fn with_options(cache: &Memory, name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

#[test]
fn options_reach_the_load_and_the_look() {
    let cache = memory();
    block_on(async {
        with_options(&cache, "").await;
        assert!((30..=90).contains(&seconds_left_of(&cache, "").await));
        with_options(&cache, "a").await;
        // Another schema version is a miss to a plain read.
        assert_eq!(cache.get::<String>("a").await.unwrap(), None);
        assert_eq!(with_options::peek(&cache, "a").await.unwrap(), Some(Some("a".into())));
        assert_eq!(with_options::peek(&cache, "").await.unwrap(), Some(None));
        assert_eq!(with_options::peek(&cache, "b").await.unwrap(), None);
    });
}

async fn seconds_left_of(cache: &Memory, key: &str) -> u64 {
    match cache.bind::<String>(key).schema_version(3).ttl().await.unwrap() {
        KeyTtl::Expires(left) => left.as_secs(),
        other => panic!("{other:?}"),
    }
}

#[cached(
    cache = cache,
    key = "fails",
    ttl = |_: &u8| if fails.get() { panic!("on purpose") } else { 60 },
    skip(fails),
)]
fn of_a_closure_that_may_panic(cache: &Memory, fails: &Cell<bool>) -> u8 {
    1
}

#[test]
fn a_panic_of_a_closure_of_the_result_reaches_the_caller_with_its_message() {
    let (cache, fails) = (memory(), Cell::new(true));
    let call = panic::AssertUnwindSafe(|| of_a_closure_that_may_panic(&cache, &fails));
    let panic = panic::catch_unwind(call).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    fails.set(false);
    assert_eq!(of_a_closure_that_may_panic(&cache, &fails), 1);
    assert_eq!(seconds_left(&cache, "fails"), 60);
}
