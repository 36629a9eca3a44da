//! Keys: templates, closures, functions.

use larder::cached;

use crate::support::{Memory, memory};

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

#[cached(cache = cache, key = "constant", ttl = 60)]
async fn without_arguments(cache: &Memory) -> u8 {
    1
}

#[test]
fn a_function_without_arguments_has_one_key() {
    assert_eq!(without_arguments::key(&memory()), "constant");
}
