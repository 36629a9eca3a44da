//! Return types and errors.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use larder::{LoadError, cached};
use serde::{Serialize, de::DeserializeOwned};

use crate::support::{Memory, Runs, block_on, memory, once_waiting};

#[derive(Debug, Clone, PartialEq)]
struct Cloned(&'static str);

#[derive(Debug)]
enum Converted {
    Own(&'static str),
    Load(LoadError<Converted>),
}

impl fmt::Display for Converted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<LoadError<Converted>> for Converted {
    fn from(error: LoadError<Converted>) -> Self {
        Self::Load(error)
    }
}

type Found = Result<Option<u8>, Cloned>;
type Res<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[cached(cache = cache, key = "plain", ttl = 60, skip(runs))]
async fn plain(cache: &Memory, runs: &Runs) -> usize {
    runs.run()
}

#[cached(cache = cache, key = "option:{there}", ttl = 60, skip(runs))]
async fn option(cache: &Memory, there: bool, runs: &Runs) -> Option<usize> {
    let run = runs.run();
    there.then_some(run)
}

#[cached(cache = cache, key = "result:{fails}", ttl = 60, skip(runs))]
async fn result(cache: &Memory, fails: bool, runs: &Runs) -> Result<usize, Cloned> {
    let run = runs.run();
    if fails { Err(Cloned("away")) } else { Ok(run) }
}

#[cached(cache = cache, key = "result option", ttl = 60, skip(runs))]
async fn result_option(cache: &Memory, runs: &Runs) -> Result<Option<usize>, Cloned> {
    runs.run();
    Ok(None)
}

#[cached(cache = cache, key = "alias:{id}", ttl = 60)]
async fn alias(cache: &Memory, id: u8) -> Found {
    match id {
        0 => Err(Cloned("no zero")),
        1 => Ok(None),
        id => Ok(Some(id)),
    }
}

#[cached(cache = cache, key = "boxed:{id}", ttl = 60)]
async fn boxed(cache: &Memory, id: u8) -> Res<u8> {
    if id == 0 {
        return Err("no zero".into());
    }
    Ok(id)
}

#[cached(cache = cache, key = "io", ttl = 60)]
async fn converted(cache: &Memory) -> Result<u8, Converted> {
    Err(Converted::Own("away"))
}

#[test]
fn values_and_none_are_cached_and_failures_are_not() {
    let (cache, runs) = (memory(), Runs::default());
    block_on(async {
        assert_eq!((plain(&cache, &runs).await, plain(&cache, &runs).await), (1, 1));
        assert_eq!(option(&cache, true, &runs).await, Some(2));
        assert_eq!(option(&cache, true, &runs).await, Some(2));
        assert_eq!(option(&cache, false, &runs).await, None);
        assert_eq!(option(&cache, false, &runs).await, None);
        assert_eq!(runs.count(), 3);
        assert_eq!(result(&cache, false, &runs).await, Ok(4));
        assert_eq!(result(&cache, false, &runs).await, Ok(4));
        assert_eq!(result(&cache, true, &runs).await, Err(Cloned("away")));
        assert_eq!(result(&cache, true, &runs).await, Err(Cloned("away")));
        assert_eq!(runs.count(), 6);
        assert_eq!(result_option(&cache, &runs).await, Ok(None));
        assert_eq!(result_option(&cache, &runs).await, Ok(None));
        assert_eq!(runs.count(), 7);
        assert_eq!(result_option::peek(&cache).await.unwrap(), Some(None));
        assert_eq!(option::peek(&cache, true).await.unwrap(), Some(Some(2)));
    });
}

#[test]
fn an_alias_of_a_result_is_one() {
    let cache = memory();
    block_on(async {
        for _ in 0..2 {
            assert_eq!(alias(&cache, 0).await, Err(Cloned("no zero")));
            assert_eq!(alias(&cache, 1).await, Ok(None));
            assert_eq!(alias(&cache, 2).await, Ok(Some(2)));
        }
        assert_eq!(alias::peek(&cache, 0).await.unwrap(), None);
        assert_eq!(alias::peek(&cache, 1).await.unwrap(), Some(Ok(None)));
        assert_eq!(alias::refresh(&cache, 2).await, Ok(Some(2)));
        assert_eq!(boxed(&cache, 0).await.unwrap_err().to_string(), "no zero");
        assert_eq!(boxed(&cache, 3).await.unwrap(), 3);
    });
}

#[test]
fn the_one_caller_of_a_failed_body_gets_the_error_itself() {
    let cache = memory();
    assert!(matches!(block_on(converted(&cache)), Err(Converted::Own("away"))));
}

#[cached(cache = cache, key = "{name}", ttl = 60, skip(load, T))]
async fn generic<T, E>(cache: &Memory, name: &str, load: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
where
    T: Serialize + DeserializeOwned,
    E: Clone + Send + Sync + 'static,
{
    load().await
}

#[test]
fn a_generic_function_states_the_bound_of_its_error() {
    let cache = memory();
    block_on(async {
        let answer: Result<u8, Cloned> = generic(&cache, "a", async || Ok(1)).await;
        assert_eq!(answer, Ok(1));
        let answer: Result<u8, Cloned> = generic(&cache, "b", async || Err(Cloned("b"))).await;
        assert_eq!(answer, Err(Cloned("b")));
    });
}

#[cached(cache = cache, key = "shared", ttl = 60, skip(gate, runs))]
async fn shared_by_clone(cache: &Memory, gate: &tokio::sync::Notify, runs: &Runs) -> Result<u8, Cloned> {
    runs.run();
    gate.notified().await;
    Err(Cloned("shared"))
}

#[cached(cache = cache, key = "shared", ttl = 60, skip(gate, runs))]
async fn shared_by_from(cache: &Memory, gate: &tokio::sync::Notify, runs: &Runs) -> Result<u8, Converted> {
    runs.run();
    gate.notified().await;
    Err(Converted::Own("shared"))
}

#[test]
fn every_caller_that_shared_a_failed_body_gets_the_error() {
    let (gate, runs) = (tokio::sync::Notify::new(), Runs::default());
    block_on(async {
        let cache = memory();
        let call = || shared_by_clone(&cache, &gate, &runs);
        let opened = once_waiting(&cache, 2, || gate.notify_one());
        let (one, two, three, ()) = futures::join!(call(), call(), call(), opened);
        assert!(
            [one, two, three]
                .into_iter()
                .all(|answer| answer == Err(Cloned("shared")))
        );
        assert_eq!(runs.count(), 1);

        let cache = memory();
        let call = || shared_by_from(&cache, &gate, &runs);
        let opened = once_waiting(&cache, 1, || gate.notify_one());
        let (one, two, ()) = futures::join!(call(), call(), opened);
        for answer in [one, two] {
            let error = answer.unwrap_err();
            let own = match &error {
                Converted::Load(LoadError::Loader(shared)) => shared,
                own => own,
            };
            assert!(matches!(own, Converted::Own("shared")), "{error:?}");
        }
        assert_eq!(runs.count(), 2);
    });
}

#[cached(cache = cache, key = "panics", ttl = 60, skip(gate))]
async fn panics(cache: &Memory, gate: &tokio::sync::Notify) -> Result<u8, Cloned> {
    gate.notified().await;
    panic!("on purpose")
}

#[cached(cache = cache, key = "panics", ttl = 60, skip(gate))]
async fn panics_with_an_error(cache: &Memory, gate: &tokio::sync::Notify) -> Result<u8, Converted> {
    gate.notified().await;
    panic!("on purpose")
}

fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn a_panic_of_the_body_is_the_callers_and_one_outcome_for_those_that_shared_it() {
    let gate = tokio::sync::Notify::new();
    block_on(async {
        let cache = memory();
        let call = || AssertUnwindSafe(panics(&cache, &gate)).catch_unwind();
        let opened = once_waiting(&cache, 1, || gate.notify_one());
        let (one, two, ()) = futures::join!(call(), call(), opened);
        assert_eq!(message(one.unwrap_err()), "on purpose");
        assert_eq!(
            message(two.unwrap_err()),
            "panics: the body that this call shared has panicked; an error that is From<larder::LoadError<_>> would say \
             so"
        );

        let cache = memory();
        let call = || AssertUnwindSafe(panics_with_an_error(&cache, &gate)).catch_unwind();
        let opened = once_waiting(&cache, 1, || gate.notify_one());
        let (one, two, ()) = futures::join!(call(), call(), opened);
        assert_eq!(message(one.unwrap_err()), "on purpose");
        assert!(matches!(two.unwrap(), Err(Converted::Load(LoadError::Panicked))));
    });
}

#[cached(cache = cache, key = "{n}", ttl = 60)]
async fn countdown(cache: &Memory, n: u8) -> Result<u8, Converted> {
    match n {
        0 => Ok(0),
        255 => Box::pin(countdown(cache, 255)).await,
        n => Ok(Box::pin(countdown(cache, n - 1)).await? + 1),
    }
}

#[test]
fn a_function_may_call_itself_with_other_arguments_and_not_with_the_same() {
    let cache = memory();
    assert_eq!(block_on(countdown(&cache, 5)).unwrap(), 5);
    assert_eq!(block_on(countdown::peek(&cache, 3)).unwrap(), Some(3));
    let own = block_on(countdown(&cache, 255)).unwrap_err();
    assert!(matches!(own, Converted::Load(LoadError::Reentrant)), "{own:?}");
}

#[test]
fn errors_need_not_be_errors() {
    #[cached(cache = cache, key = "unit", ttl = 60)]
    async fn unit(cache: &Memory) -> Result<u8, Arc<str>> {
        Err("text".into())
    }
    assert_eq!(&*block_on(unit(&memory())).unwrap_err(), "text");
}
