//! Keys: templates, closures, functions.

use std::{fmt::Debug, num::NonZero, str::FromStr};

use larder::cached;
use serde::{Serialize, de::DeserializeOwned};

use crate::support::{Memory, block_on, memory};

#[derive(Debug, Clone)]
struct Page {
    number: u32,
    of: (String, u8),
}

#[cached(cache = cache, key = "page:{{x}}:{tenant}:{page.number:04}:{page.of.0}-{page.of.1}:{opt:?}", ttl = 60)]
async fn templated(cache: &Memory, tenant: &str, page: Page, opt: Option<u8>) -> u8 {
    1
}

#[test]
fn a_template_takes_names_fields_and_format_specs() {
    let page = Page {
        number: 7,
        of: ("a-b".into(), 9),
    };
    let cache = memory();
    assert_eq!(
        templated::key(&cache, "acme", page, Some(3)),
        "page:{x}:acme:0007:a%2Db-9:Some(3)"
    );
}

#[cached(cache = cache, key = "{a}:{b}", ttl = 60)]
fn two(cache: &Memory, a: &str, b: &str) -> String {
    format!("{a}|{b}")
}

#[test]
fn different_arguments_never_share_a_key() {
    let cache = memory();
    assert_eq!(two(&cache, "a:b", "c"), "a:b|c");
    assert_eq!(two(&cache, "a", "b:c"), "a|b:c");
    assert_eq!(two(&cache, "", "a"), "|a");
    assert_eq!(two(&cache, "a", ""), "a|");
    assert_eq!(two::key(&cache, "1", "x@y.org"), "1:x@y.org");
}

#[cached(cache = cache, key = |tenant, id| format!("{}/{id}", tenant.to_lowercase()), ttl = 60, skip(trace))]
async fn by_closure(cache: &Memory, tenant: String, id: u64, trace: &str) -> usize {
    tenant.len() + trace.len()
}

#[cached(cache = cache, key = |name: &str| { if name.is_empty() { return "nobody".to_owned(); } name.into() }, ttl = 60)]
async fn by_a_closure_that_returns(cache: &Memory, name: &str) -> u8 {
    1
}

fn page_key(tenant: &str, page: &Page) -> String {
    format!("{tenant}#{}", page.number)
}

#[cached(cache = cache, key = page_key, ttl = 60)]
async fn by_function(cache: &Memory, tenant: &str, page: Page) -> u8 {
    1
}

#[test]
fn a_closure_or_a_function_makes_any_key() {
    let cache = memory();
    assert_eq!(by_closure::key(&cache, "ACME".into(), 5), "acme/5");
    assert_eq!(by_a_closure_that_returns::key(&cache, ""), "nobody");
    assert_eq!(by_a_closure_that_returns::key(&cache, "Ada"), "Ada");
    let page = Page {
        number: 3,
        of: (String::new(), 0),
    };
    assert_eq!(by_function::key(&cache, "acme", page), "acme#3");
}

trait KeyOf {
    fn key(id: u64) -> String;
}

impl KeyOf for Page {
    fn key(id: u64) -> String {
        format!("page {id}")
    }
}

#[cached(cache = cache, key = <Page as KeyOf>::key, ttl = 60)]
async fn by_function_of_a_trait(cache: &Memory, id: u64) -> u64 {
    id
}

#[test]
fn the_function_of_a_key_may_be_one_of_a_trait() {
    assert_eq!(by_function_of_a_trait::key(&memory(), 5), "page 5");
}

#[cached(cache = cache, key = |b, a| format!("{b}-{a}"), ttl = 60)]
fn by_other_names(cache: &Memory, a: String, b: &str) -> String {
    a + "/" + b
}

#[test]
fn a_key_closure_may_name_its_parameters_as_other_arguments_are_named() {
    let cache = memory();
    assert_eq!(by_other_names(&cache, "x".into(), "1"), "x/1");
    assert_eq!(by_other_names(&cache, "x".into(), "2"), "x/2");
    assert_eq!(by_other_names::key(&cache, "x".into(), "1"), "x-1");
}

#[cached(cache = cache, key = |id| -> String { id.to_string().chars().rev().collect() }, ttl = 60)]
async fn by_a_closure_with_a_return_type(cache: &Memory, id: u64) -> u64 {
    id
}

#[cached(cache = cache, key = |id| format!("{}:{id}", region.len()), ttl = 60, skip(region))]
async fn by_a_skipped_argument(cache: &Memory, id: u64, region: &str) -> u64 {
    id
}

#[test]
fn a_key_closure_keeps_its_return_type_and_sees_skipped_arguments() {
    let cache = memory();
    assert_eq!(by_a_closure_with_a_return_type::key(&cache, 123), "321");
    assert_eq!(by_a_skipped_argument::key(&cache, 7, "eu"), "2:7");
}

struct Tenants {
    user: Memory,
}

#[cached(cache = tenants.user, key = "profile:{user}", ttl = 60)]
async fn profile(tenants: &Tenants, user: u64) -> u64 {
    user
}

#[cached(cache = tenants.user, key = |user| format!("profile:{user}"), ttl = 60)]
async fn profile_by_closure(tenants: &Tenants, user: u64) -> u64 {
    user
}

#[test]
fn an_argument_named_like_a_field_on_the_way_to_the_cache_is_part_of_the_key() {
    let tenants = Tenants { user: memory() };
    assert_eq!(profile::key(&tenants, 2), "profile:2");
    assert_eq!(profile_by_closure::key(&tenants, 2), "profile:2");
    for user in [1, 2] {
        assert_eq!(block_on(profile(&tenants, user)), user);
        assert_eq!(block_on(profile_by_closure(&tenants, user)), user);
    }
}

#[cached(cache = cache, key = "{id:*>8}:{at.0:08.3}:{left:<4}", ttl = 60)]
fn filled_up(cache: &Memory, id: u64, at: &(f64, u8), left: NonZero<i8>) -> u64 {
    id
}

#[test]
fn numbers_are_filled_up_with_what_is_no_part_of_them() {
    let minus = NonZero::new(-7).unwrap();
    assert_eq!(
        filled_up::key(&memory(), 42, &(1.5, 0), minus),
        "******42:0001.500:-7  "
    );
}

#[cached(cache = cache, key = "{id}:{N}", ttl = 60)]
fn sized<const N: usize>(cache: &Memory, id: u64) -> usize {
    N
}

#[cached(cache = cache, key = || format!("{N}"), ttl = 60)]
fn sized_by_closure<const N: usize>(cache: &Memory) -> usize {
    N
}

trait Kind {
    const NAME: &str;
}

impl Kind for u64 {
    const NAME: &str = "integer";
}

impl Kind for String {
    const NAME: &str = "text";
}

#[cached(cache = cache, key = |id| format!("{}:{id}", T::NAME), ttl = 60)]
fn parsed<T: Kind + FromStr<Err: Debug> + Serialize + DeserializeOwned>(cache: &Memory, id: u64) -> T {
    id.to_string().parse().unwrap()
}

#[test]
fn type_and_const_parameters_are_part_of_the_key() {
    let cache = memory();
    assert_eq!([sized::<1>(&cache, 1), sized::<2>(&cache, 1)], [1, 2]);
    assert_eq!([sized_by_closure::<3>(&cache), sized_by_closure::<4>(&cache)], [3, 4]);
    assert_eq!(sized::key::<2>(&cache, 1), "1:2");
    assert_eq!(parsed::<u64>(&cache, 5), 5);
    assert_eq!(parsed::<String>(&cache, 5), "5");
    assert_eq!(parsed::key::<u64>(&cache, 5), "integer:5");
}

#[cached(cache = cache, key = "constant", ttl = 60)]
async fn without_arguments(cache: &Memory) -> u8 {
    1
}

#[test]
fn a_function_without_arguments_has_one_key() {
    assert_eq!(without_arguments::key(&memory()), "constant");
}
