use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
};

use futures::FutureExt;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    CacheSource, Kind, Rules, TtlRule,
    outcome::{Other, Shared, ThreadSafe},
};
use crate::{
    backend::CacheBackend,
    compressor::Compressor,
    error::{Error, Result},
    hook::OperationKind,
    remember::{LoadError, LoadOptions, Loaded, OnError, Remembered},
    serializer::Serializer,
};

/// Everything about one call but its cache, its ttl and its body.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "written by the expansion alone")]
pub struct Plan<R, T, E> {
    /// The function, for messages.
    pub name: &'static str,
    /// The key.
    pub key: String,
    /// How it is loaded.
    pub options: LoadOptions,
    /// What the function returns.
    pub kind: Kind<R, T, E>,
    /// What happens where the cache fails.
    pub rules: Rules<T, E>,
    /// How a failure is shared.
    pub shared: Shared<E>,
    /// What becomes of a load that neither answered nor failed.
    pub other: Other<E>,
}

/// What is left of a call when its load has ended, or was left behind.
struct Rest<F, L> {
    /// The body that did not run.
    unused: Option<(F, L)>,
    /// The panic of the body that did.
    panic: Option<Panic>,
}

type Panic = Box<dyn Any + Send>;

/// Answers from the cache, or by `body`.
///
/// # Panics
///
/// Where the body does; and where the function's error can not say that a body which this call shared panicked, or that
/// the body asked for its own key.
pub async fn call<Z, R, T, E, L, F, Fut>(source: &Z, plan: Plan<R, T, E>, ttl: L, body: F) -> R
where
    Z: CacheSource<Backend: CacheBackend + 'static, Serializer: Serializer + 'static, Compressor: Compressor + 'static>,
    T: Serialize + DeserializeOwned,
    E: ThreadSafe,
    L: TtlRule<T>,
    F: FnOnce() -> Fut,
    Fut: Future<Output = R>,
{
    let before = ttl.before();
    let mut rest = Rest::of(body, ttl);
    let outcome = match (source.cache(), before) {
        (Ok(cache), Ok(before)) => {
            let load = async || {
                let (body, rule) = rest.unused.take().expect("a load runs once");
                match run(body, rule, plan.kind, plan.raises()).await {
                    Ok(returned) => returned,
                    Err(panic) => {
                        rest.panic = Some(panic);
                        // For those that share the load. The panic hook has been called already.
                        resume_unwind(Box::new(()))
                    }
                }
            };
            cache.remember_by(&plan.key, before, &plan.options(), true, load).await
        }
        (Err(error), _) | (_, Err(error)) => Err(LoadError::Cache(error.with_operation("remember"))),
    };
    end(plan, outcome, rest).await
}

/// [`call`] for a body that owns what it needs, so that it can outlive the call.
///
/// # Panics
///
/// As [`call`], where the body has not outlived the call.
pub async fn call_detached<Z, R, T, E, L, F, Fut>(source: &Z, plan: Plan<R, T, E>, ttl: L, body: F) -> R
where
    Z: CacheSource<Backend: CacheBackend + 'static, Serializer: Serializer + 'static, Compressor: Compressor + 'static>,
    R: 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
    E: ThreadSafe,
    L: TtlRule<T> + Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = R> + Send + 'static,
{
    let before = ttl.before();
    let rest = Arc::new(Mutex::new(Rest::of(body, ttl)));
    let outcome = match (source.cache(), before) {
        (Ok(cache), Ok(before)) => {
            let (rest, kind, raises) = (Arc::clone(&rest), plan.kind, plan.raises());
            let load = move || async move {
                let (body, rule) = rest.lock().unused.take().expect("a load runs once");
                match run(body, rule, kind, raises).await {
                    Ok(returned) => returned,
                    Err(panic) => {
                        rest.lock().panic = Some(panic);
                        resume_unwind(Box::new(()))
                    }
                }
            };
            cache
                .remember_detached_by(&plan.key, before, &plan.options(), true, load)
                .await
        }
        (Err(error), _) | (_, Err(error)) => Err(LoadError::Cache(error.with_operation("remember"))),
    };
    // A load that is left behind has the body for itself.
    let rest = Arc::into_inner(rest).map_or_else(Rest::none, Mutex::into_inner);
    end(plan, outcome, rest).await
}

/// Runs the body, and the rule of its ttl; what either panicked with, where it did.
async fn run<R, T, E, L, F, Fut>(
    body: F,
    rule: L,
    kind: Kind<R, T, E>,
    raises: bool,
) -> Result<Result<Loaded<T>, E>, Panic>
where
    L: TtlRule<T>,
    F: FnOnce() -> Fut,
    Fut: Future<Output = R>,
{
    let loaded = async { kind.open(body().await).map(|value| loaded(value, rule, raises)) };
    AssertUnwindSafe(loaded).catch_unwind().await
}

/// What the function returns.
async fn end<R, T, E, L, F, Fut>(
    plan: Plan<R, T, E>,
    outcome: Result<Remembered<T>, LoadError<E>>,
    rest: Rest<F, L>,
) -> R
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = R>,
{
    let kind = plan.kind;
    let failure = match outcome {
        Ok(answer) => match answer.value {
            Some(value) => return kind.close(Ok(value)),
            None => LoadError::Cache(Error::codec("remember: the value is gone")),
        },
        Err(LoadError::Loader(error)) => {
            // Nobody else has it, unless calls were waiting.
            return kind.close(Err(Arc::try_unwrap(error).unwrap_or_else(plan.shared)));
        }
        Err(failure) => failure,
    };
    if let Some(panic) = rest.panic {
        resume_unwind(panic);
    }
    match (failure, plan.rules, rest.unused) {
        (LoadError::Cache(error), Rules::Raise(raise), _) => kind.close(Err(raise(error))),
        (LoadError::Cache(_), Rules::ReturnNone(none), _) => kind.close(Ok(none())),
        (LoadError::Cache(_), Rules::Execute, Some((body, _))) => body().await,
        (failure, ..) => match plan.other {
            Some(other) => kind.close(Err(other(failure))),
            None => panic!("{}", inexpressible(plan.name, &failure)),
        },
    }
}

/// A value with the ttl that its rule gives it.
fn loaded<T, L: TtlRule<T>>(value: T, rule: L, raises: bool) -> Loaded<T> {
    match rule.after(&value) {
        None => Loaded::value(value),
        // Answered all the same: a wrong ttl costs no value.
        Some(Err(_)) if !raises => Loaded::value(value).do_not_store(),
        Some(ttl) => Loaded::value(value).ttl_or_error(ttl),
    }
}

#[cold]
fn inexpressible<E>(name: &str, failure: &LoadError<E>) -> String {
    let what = match failure {
        LoadError::Panicked => "the body that this call shared has panicked",
        LoadError::Reentrant => "its body asked for the very key that it loads",
        LoadError::TimedOut => "the load took longer than the cache's options give it",
        LoadError::Cache(_) | LoadError::Loader(_) => "the cache failed after the body had run",
    };
    format!("{name}: {what}; an error that is From<larder::LoadError<_>> would say so")
}

impl<R, T, E> Plan<R, T, E> {
    fn options(&self) -> LoadOptions {
        let options = self.options.clone().on_error(match self.rules {
            Rules::Execute => OnError::Execute,
            Rules::Raise(_) | Rules::ReturnNone(_) => OnError::Raise,
        });
        // The cache's own hard timeout must not leave the call without anything to return.
        if self.other.is_none() {
            options.waits_out()
        } else {
            options
        }
    }

    fn raises(&self) -> bool {
        matches!(self.rules, Rules::Raise(_))
    }
}

impl<F, L> Rest<F, L> {
    fn of(body: F, ttl: L) -> Self {
        Self {
            unused: Some((body, ttl)),
            panic: None,
        }
    }

    const fn none() -> Self {
        Self {
            unused: None,
            panic: None,
        }
    }
}

/// Waits on the calling thread, for functions that are not async.
pub fn block_on<F: Future>(future: F) -> F::Output {
    crate::blocking::block_on(future)
}

/// Removes what is cached under `key`, and voids its load.
pub async fn invalidate<Z>(source: &Z, key: &str) -> Result<bool>
where
    Z: CacheSource<Backend: CacheBackend>,
{
    let cache = source.cache().map_err(|error| error.with_operation("invalidate"))?;
    cache.delete(key).await
}

/// What is cached under `key`, without loading it.
pub async fn peek<Z, R, T, E>(source: &Z, key: &str, options: &LoadOptions, _kind: Kind<R, T, E>) -> Result<Option<T>>
where
    Z: CacheSource<Backend: CacheBackend, Serializer: Serializer, Compressor: Compressor>,
    T: DeserializeOwned,
{
    let cache = source.cache().map_err(|error| error.with_operation("peek"))?;
    let schema = cache.plan(options)?.schema;
    Ok(cache.read(key, schema, OperationKind::Peek).await?.into_option())
}

/// What was peeked at, under the name that the function's type has.
pub fn named<R, T, E>(peeked: Result<Option<T>>, kind: Kind<R, T, E>) -> Result<Option<R>> {
    Ok(peeked?.map(|value| kind.close(Ok(value))))
}

/// Options that load whatever is cached, where `is_forced`.
pub fn forced(options: LoadOptions, is_forced: bool) -> LoadOptions {
    if is_forced { options.force_refresh() } else { options }
}

/// Calls a closure of the options that would leave the function it is written into.
pub fn now<R>(closure: impl FnOnce() -> R) -> R {
    closure()
}
