//! What a cached function may look like.

use std::{
    borrow::Cow,
    convert::Infallible,
    fmt::Display,
    rc::Rc,
    sync::{Arc, LazyLock, OnceLock},
};

use larder::{Cache, cached};
use larder_memory::MemoryBackend;

use crate::support::{Memory, Runs, block_on, memory};

static LAZY: LazyLock<Memory> = LazyLock::new(memory);
static ONCE: OnceLock<Arc<Memory>> = OnceLock::new();

#[cached(cache = LAZY, key = "lazy:{id}", ttl = "1h", skip(runs))]
async fn from_a_lazy_static(id: u64, runs: &Runs) -> usize {
    runs.run() + usize::try_from(id).unwrap_or_default()
}

#[cached(cache = ONCE, key = "once:{id}", ttl = "1h", skip(runs))]
async fn from_a_once_lock(id: u64, runs: &Runs) -> usize {
    runs.run() + usize::try_from(id).unwrap_or_default()
}

#[test]
fn a_static_is_a_cache_and_one_that_is_not_set_yet_counts_as_away() {
    block_on(async {
        let runs = Runs::default();
        assert_eq!(from_a_lazy_static(10, &runs).await, 11);
        assert_eq!(from_a_lazy_static(10, &runs).await, 11);

        let runs = Runs::default();
        assert_eq!(from_a_once_lock(10, &runs).await, 11);
        assert_eq!(from_a_once_lock(10, &runs).await, 12);
        assert!(from_a_once_lock::invalidate(10).await.unwrap_err().is_unavailable());
        assert!(from_a_once_lock::peek(10).await.unwrap_err().is_unavailable());
        assert!(ONCE.set(Arc::new(memory())).is_ok());
        assert_eq!(from_a_once_lock(10, &runs).await, 13);
        assert_eq!(from_a_once_lock(10, &runs).await, 13);
    });
}

struct State {
    cache: Memory,
    runs: Runs,
}

#[cached(cache = state.cache, key = "{id}", ttl = "1h")]
async fn from_a_field_of_an_argument(state: &State, id: u64) -> usize {
    state.runs.run()
}

#[cached(cache = cache, key = "{id}", ttl = "1h", skip(runs))]
async fn from_an_argument_by_value(cache: Memory, id: u64, runs: Arc<Runs>) -> usize {
    // The body may use the cache, too.
    cache.set("beside", &id, 60).await.unwrap();
    runs.run()
}

#[cached(cache = state.cache.clone(), key = "{id}", ttl = "1h")]
async fn from_an_expression(state: Arc<State>, id: u64) -> usize {
    state.runs.run()
}

#[test]
fn a_cache_is_any_expression_over_the_arguments() {
    block_on(async {
        let state = State {
            cache: memory(),
            runs: Runs::default(),
        };
        assert_eq!(from_a_field_of_an_argument(&state, 1).await, 1);
        assert_eq!(from_a_field_of_an_argument(&state, 1).await, 1);
        assert!(from_a_field_of_an_argument::invalidate(&state, 1).await.unwrap());

        let (cache, runs) = (memory(), Arc::new(Runs::default()));
        assert_eq!(from_an_argument_by_value(cache.clone(), 1, Arc::clone(&runs)).await, 1);
        assert_eq!(from_an_argument_by_value(cache.clone(), 1, runs).await, 1);
        assert_eq!(
            from_an_argument_by_value::peek(cache.clone(), 1).await.unwrap(),
            Some(1)
        );
        assert_eq!(cache.get("beside").await.unwrap(), Some(1_u64));

        let state = Arc::new(state);
        assert_eq!(from_an_expression(Arc::clone(&state), 1).await, 2);
        assert_eq!(from_an_expression(state, 1).await, 2);
    });
}

#[cached(cache = cache, key = "{prefix}:{name}:{count}:{shown}:{cow.0}:{N}", ttl = 60)]
async fn borrowed_and_generic<'a, T, const N: usize>(
    cache: &Memory,
    prefix: &'a str,
    name: Cow<'a, str>,
    mut count: T,
    shown: impl Display + Send,
    cow: &(Cow<'_, str>, u8),
) -> Result<String, Infallible>
where
    T: Display + std::ops::AddAssign<u8> + Send,
{
    count += 1;
    Ok(format!("{prefix} {name} {count} {shown} {} {N}", cow.0))
}

#[test]
fn arguments_may_be_borrowed_generic_mutable_and_impl_trait() {
    let cache = memory();
    block_on(async {
        let cow = (Cow::Borrowed("cow"), 0);
        let answer = borrowed_and_generic::<u8, 3>(&cache, "a", "b".into(), 1, 'c', &cow).await;
        assert_eq!(answer.unwrap(), "a b 2 c cow 3");
        assert_eq!(
            borrowed_and_generic::key::<u8, 3>(&cache, "a", "b".into(), 1, 'c', &cow),
            "a:b:1:c:cow:3"
        );
        let other = borrowed_and_generic::<u8, 9>(&cache, "a", "b".into(), 1, 'c', &cow).await;
        assert_eq!(other.unwrap(), "a b 2 c cow 9");
    });
}

#[cached(cache = cache, key = "{key}:{ttl}:{source}", ttl = "1h", skip(plan, refresh, result))]
async fn names_of_its_own(cache: &Memory, key: &str, ttl: u8, source: u8, plan: u8, refresh: u8, result: u8) -> u8 {
    ttl + source + plan + refresh + result
}

#[test]
fn names_of_arguments_never_clash_with_those_of_the_expansion() {
    let cache = memory();
    let sum = names_of_its_own(&cache, "k", 1, 2, 4, 5, 6);
    assert_eq!(block_on(sum), 18);
}

#[cached(cache = cache, key = "{id}", ttl = "1h")]
async fn not_send(cache: &Memory, id: u8) -> u8 {
    let shared = Rc::new(id);
    std::future::ready(()).await;
    *shared
}

#[test]
fn a_body_may_keep_what_is_not_send_over_an_await() {
    assert_eq!(block_on(not_send(&memory(), 4)), 4);
}

#[test]
fn a_call_is_send_where_its_body_is() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let state = Arc::new(State {
        cache: memory(),
        runs: Runs::default(),
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let spawned = runtime.spawn(is_send(from_an_expression(Arc::clone(&state), 1)));
    assert_eq!(runtime.block_on(spawned).unwrap(), 1);
    let by_field = async move {
        from_a_field_of_an_argument::invalidate(&state, 1).await.unwrap();
        from_a_field_of_an_argument(&state, 1).await
    };
    assert_eq!(runtime.block_on(runtime.spawn(is_send(by_field))).unwrap(), 2);
}

#[cached(cache = cache, key = "{id}", ttl = "1h")]
async fn returns_early(cache: &Memory, id: i32) -> Result<i32, std::num::ParseIntError> {
    if id < 0 {
        return Ok(0);
    }
    let parsed: i32 = "12".parse()?;
    Ok(parsed * 2 + id)
}

#[test]
fn a_body_may_return_early_and_use_the_question_mark() {
    let cache = memory();
    assert_eq!(block_on(returns_early(&cache, -1)), Ok(0));
    assert_eq!(block_on(returns_early(&cache, 1)), Ok(25));
}

mod elsewhere {
    use super::{Memory, cached};

    /// Found from other modules with everything beside it.
    #[must_use]
    #[cached(cache = cache, key = "visible:{id}", ttl = "1h")]
    pub(crate) async fn visible(cache: &Memory, id: u8) -> u8 {
        id
    }
}

#[test]
fn an_import_brings_the_function_and_what_is_beside_it() {
    use elsewhere::visible;

    let cache = memory();
    assert_eq!(block_on(visible(&cache, 3)), 3);
    assert!(block_on(visible::invalidate(&cache, 3)).unwrap());
}

#[test]
fn a_function_in_a_function_body_has_its_companions_there() {
    static INNER: LazyLock<Cache<MemoryBackend>> = LazyLock::new(memory);

    #[cached(cache = INNER, key = "only", ttl = "1h")]
    async fn only() -> u8 {
        7
    }

    assert_eq!(block_on(only()), 7);
    assert_eq!(block_on(only::peek()).unwrap(), Some(7));
}

use larder as renamed;

#[renamed::cached(cache = cache, key = "{id}", ttl = "1h", crate = crate::functions::renamed)]
async fn through_another_path(cache: &Memory, id: u8) -> u8 {
    id
}

#[test]
fn larder_may_have_another_name() {
    assert_eq!(block_on(through_another_path(&memory(), 5)), 5);
}

#[cached(cache = cache, key = "{r#type}:{match}", ttl = "1h")]
async fn r#loop(cache: &Memory, r#type: u8, r#match: u8) -> u8 {
    r#type + r#match
}

#[test]
fn names_may_be_raw() {
    let cache = memory();
    assert_eq!(block_on(r#loop(&cache, 1, 2)), 3);
    assert_eq!(r#loop::key(&cache, 1, 2), "1:2");
}

macro_rules! constant {
    ($name:ident = $value:expr, $key:literal, $ttl:expr, $returned:ty) => {
        #[cached(cache = cache, key = $key, ttl = $ttl)]
        fn $name(cache: &Memory) -> $returned {
            Ok($value)
        }
    };
}
constant! { one = 1, "one", "1h", Result<u8, String> }

mod of_options {
    pub(super) type Result<T> = core::result::Result<Option<T>, String>;
}

#[cached(cache = cache, key = "maybe:{id}", ttl = "1h")]
fn maybe(cache: &Memory, id: u8) -> of_options::Result<u8> {
    if id == 0 { Err("zero".to_owned()) } else { Ok(Some(id)) }
}

#[test]
fn a_function_that_a_macro_wrote_is_cached() {
    let cache = memory();
    assert_eq!(one(&cache), Ok(1));
    assert_eq!(one::peek(&cache).unwrap(), Some(1));
}

#[test]
fn a_peek_answers_what_a_local_result_stands_for() {
    let cache = memory();
    assert_eq!(maybe(&cache, 2), Ok(Some(2)));
    assert_eq!(maybe::peek(&cache, 2).unwrap(), Some(Some(2)));
}
