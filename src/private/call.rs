use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
};

use futures::FutureExt;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    CacheSource, Kind, Rules, TtlRule,
    outcome::{Other, Shared},
};
use crate::{
    backend::CacheBackend,
    compressor::Compressor,
    error::{Error, Result},
    remember::{LoadError, LoadOptions, Loaded, OnError},
    serializer::Serializer,
};

/// Everything about one call but its cache and its body.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "written by the expansion alone")]
pub struct Plan<R, T, E, L> {
    /// The function, for messages.
    pub name: &'static str,
    /// The key.
    pub key: String,
    /// The ttl.
    pub ttl: L,
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

/// Answers from the cache, or by `body`.
///
/// # Panics
///
/// Where the body does; and where the function's error can not say that a body which this call shared panicked, that
/// the body asked for its own key, or that it was cut short.
pub async fn call<Z, R, T, E, L, F, Fut>(source: &Z, plan: Plan<R, T, E, L>, body: F) -> R
where
    Z: CacheSource<Backend: CacheBackend + 'static, Serializer: Serializer + 'static, Compressor: Compressor + 'static>,
    T: Serialize + DeserializeOwned,
    E: Send + Sync + 'static,
    L: TtlRule<T>,
    F: FnOnce() -> Fut,
    Fut: Future<Output = R>,
{
    let (kind, rules) = (plan.kind, plan.rules);
    let ttl = plan.ttl.before();
    let mut unused = Some((body, plan.ttl));
    let mut panic: Option<Box<dyn Any + Send>> = None;
    let outcome = match (source.cache(), ttl) {
        (Ok(cache), Ok(ttl)) => {
            let load = async || {
                let (body, rule) = unused.take().expect("a load runs once");
                match AssertUnwindSafe(async { body().await }).catch_unwind().await {
                    Ok(returned) => kind.open(returned).map(|value| loaded(value, rule, &rules)),
                    Err(payload) => {
                        panic = Some(payload);
                        // For those that share the load. The panic hook has been called already.
                        resume_unwind(Box::new(()))
                    }
                }
            };
            let options = plan.options.on_error(rules.on_error());
            cache.remember_by(&plan.key, ttl, &options, true, load).await
        }
        (Err(error), _) | (_, Err(error)) => Err(LoadError::Cache(error.with_operation("remember"))),
    };
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
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
    match (failure, rules, unused) {
        (LoadError::Cache(error), Rules::Raise(raise), _) => kind.close(Err(raise(error))),
        (LoadError::Cache(_), Rules::ReturnNone(none), _) => kind.close(Ok(none())),
        (LoadError::Cache(_), Rules::Execute, Some((body, _))) => body().await,
        (failure, _, unused) => match (plan.other, &failure, unused) {
            (Some(other), ..) => kind.close(Err(other(failure))),
            // What it waited for was cut short.
            (None, LoadError::TimedOut, Some((body, _))) => body().await,
            (None, ..) => panic!("{}", inexpressible(plan.name, &failure)),
        },
    }
}

/// A value with the ttl that its rule gives it.
fn loaded<T, E, L: TtlRule<T>>(value: T, rule: L, rules: &Rules<T, E>) -> Loaded<T> {
    match (rule.after(&value), rules) {
        (None, _) => Loaded::value(value),
        // Answered all the same: a wrong ttl costs no value.
        (Some(Err(_)), Rules::Execute | Rules::ReturnNone(_)) => Loaded::value(value).do_not_store(),
        (Some(ttl), _) => Loaded::value(value).ttl_or_error(ttl),
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

impl<T, E> Rules<T, E> {
    fn on_error(&self) -> OnError {
        match self {
            Self::Execute => OnError::Execute,
            Self::Raise(_) | Self::ReturnNone(_) => OnError::Raise,
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
    Ok(cache.read(key, schema, "peek").await?.into_option())
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
