//! What a call answers when the backend is away.

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{Cache, Inner, Lookup};
use crate::{
    error::{Error, Result},
    hook::{Event, Hooks, Note, Scope},
    serializer::{self, Decoded, Serializer},
};

/// What the calls of a [`Cache`] answer when the backend is away: when it failed with
/// [`Connection`](crate::ErrorKind::Connection), [`Timeout`](crate::ErrorKind::Timeout) or
/// [`Overloaded`](crate::ErrorKind::Overloaded).
///
/// Every other error is raised whatever the policy: the backend's own, those of a codec, and those of a wrong call.
/// [`remember`](Cache::remember) and its kin have [`OnError`](crate::OnError) instead.
///
/// Set for a cache with [`CacheBuilder::fallback`](crate::CacheBuilder::fallback) and for some calls with
/// [`Cache::with_fallback`].
///
/// # Examples
///
/// ```
/// use larder::{Cache, ErrorKind, FallbackPolicy, Fallen};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let backend = MemoryBackend::new();
/// let cache = Cache::builder(backend.clone()).fallback(FallbackPolicy::ReturnNone).build()?;
/// backend.faults().fail_all(ErrorKind::Connection);
/// assert_eq!(cache.get::<u32>("limit").await?, None);
/// assert!(!cache.exists("limit").await?);
///
/// let policy = FallbackPolicy::callback(|operation, key, error| match (operation, key) {
///     ("get", "limit") => Fallen::value(100_u32),
///     _ => Fallen::error(error.clone()),
/// });
/// let strict = cache.with_fallback(policy);
/// assert_eq!(strict.get::<u32>("limit").await?, Some(100));
/// assert_eq!(strict.get::<u32>("other").await.unwrap_err().kind(), ErrorKind::Connection);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum FallbackPolicy {
    /// The error.
    #[default]
    Raise,
    /// What an empty cache would answer, as the table in `docs/outages.md` says for each call.
    ReturnNone,
    /// What the callback answers. Made by [`FallbackPolicy::callback`].
    Callback(FallbackCallback),
}

/// A callback of a [`FallbackPolicy`].
#[derive(Clone)]
pub struct FallbackCallback(Arc<Callback>);

type Callback = dyn Fn(&'static str, &str, &Error) -> Fallen + Send + Sync;

/// What a callback answers in the place of the backend.
///
/// # Examples
///
/// ```
/// use larder::{Error, ErrorKind, Fallen};
///
/// let a_value = Fallen::value(vec![1, 2, 3]); // encoded by whatever serializer the cache has
/// let nothing = Fallen::nothing();
/// let an_error = Fallen::error(Error::new(ErrorKind::Connection, "closed for today"));
/// # let _ = (a_value, nothing, an_error);
/// ```
#[derive(Debug)]
#[must_use]
pub struct Fallen(Answer);

enum Answer {
    Value(Erased),
    Nothing,
    Error(Error),
}

type Erased = Box<dyn erased_serde::Serialize + Send + Sync>;

impl FallbackPolicy {
    /// Asks `callback`, with the name of the call, its key and the error.
    ///
    /// The key is the caller's own, without the cache's prefix; a batch asks for each key that failed, a pattern is its
    /// own key. The callback runs inside the call and should be quick.
    pub fn callback(callback: impl Fn(&'static str, &str, &Error) -> Fallen + Send + Sync + 'static) -> Self {
        Self::Callback(FallbackCallback(Arc::new(callback)))
    }

    pub(super) fn or_nothing<T>(
        &self,
        hooks: &Hooks,
        scope: &Scope<'_>,
        key: &str,
        result: Result<T>,
        nothing: T,
    ) -> Result<T> {
        match result {
            Err(error) if error.is_unavailable() => {
                self.answer(scope.name(), key, error.clone())?;
                tell(hooks, scope, &error);
                Ok(nothing)
            }
            result => result,
        }
    }

    #[cold]
    fn answer(&self, operation: &'static str, key: &str, error: Error) -> Result<Option<Erased>> {
        match self {
            Self::Raise => Err(error),
            Self::ReturnNone => Ok(None),
            Self::Callback(callback) => match (callback.0)(operation, key, &error).0 {
                Answer::Value(value) => Ok(Some(value)),
                Answer::Nothing => Ok(None),
                Answer::Error(error) => Err(error.with_operation(operation)),
            },
        }
    }
}

/// Tells hooks that the policy has answered for one key.
#[cold]
fn tell(hooks: &Hooks, scope: &Scope<'_>, error: &Error) {
    scope.note(Note::Fallback);
    let kind = scope.kind();
    hooks.emit(|cache| Event::FallbackAnswered { cache, kind, error });
}

impl Fallen {
    /// A value for the calls that answer one (`get`, `lookup`, `get_many`, `pull`); the others take it as
    /// [`nothing`](Self::nothing). It is encoded by the cache's serializer and decoded as what the caller asked for,
    /// so it need not be of the same type.
    pub fn value(value: impl Serialize + Send + Sync + 'static) -> Self {
        Self(Answer::Value(Box::new(value)))
    }

    /// What [`FallbackPolicy::ReturnNone`] answers.
    pub const fn nothing() -> Self {
        Self(Answer::Nothing)
    }

    /// An error: the backend's, or another.
    pub const fn error(error: Error) -> Self {
        Self(Answer::Error(error))
    }
}

impl<B, S, C> Cache<B, S, C> {
    /// The same cache with another policy for the calls made through it.
    ///
    /// Shares everything else, like a [`scope`](Self::scope), and is as cheap.
    ///
    /// ```
    /// use larder::{Cache, ErrorKind, FallbackPolicy};
    /// use larder_memory::MemoryBackend;
    ///
    /// # futures::executor::block_on(async {
    /// let backend = MemoryBackend::new();
    /// let cache = Cache::new(backend.clone());
    /// backend.faults().fail_all(ErrorKind::Timeout);
    /// assert!(cache.get::<String>("k").await.is_err());
    /// assert_eq!(cache.with_fallback(FallbackPolicy::ReturnNone).get::<String>("k").await?, None);
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn with_fallback(&self, policy: FallbackPolicy) -> Self {
        Self {
            inner: Arc::new(Inner {
                keys: self.inner.keys.clone(),
                fallback: policy,
                hooks: self.inner.hooks.clone(),
                core: Arc::clone(&self.inner.core),
            }),
        }
    }

    /// The answer of a call that answers no value, where `nothing` is what an empty cache would.
    pub(super) fn or_nothing<T>(&self, scope: &Scope<'_>, key: &str, result: Result<T>, nothing: T) -> Result<T> {
        let Inner { fallback, hooks, .. } = &*self.inner;
        fallback.or_nothing(hooks, scope, key, result, nothing)
    }

    /// [`or_nothing`](Self::or_nothing) where only the physical key is at hand.
    pub(super) fn or_nothing_at<T>(
        &self,
        scope: &Scope<'_>,
        physical: &str,
        result: Result<T>,
        nothing: T,
    ) -> Result<T> {
        let key = self.inner.keys.logical(physical).unwrap_or(physical);
        self.or_nothing(scope, key, result, nothing)
    }
}

impl<B, S: Serializer, C> Cache<B, S, C> {
    /// The answer of a call that answers a value.
    pub(super) fn or_substitute<T: DeserializeOwned>(
        &self,
        scope: &Scope<'_>,
        key: &str,
        result: Result<Lookup<T>>,
    ) -> Result<Lookup<T>> {
        let error = match result {
            Err(error) if error.is_unavailable() => error,
            result => return result,
        };
        let Inner { fallback, hooks, .. } = &*self.inner;
        let answer = match fallback.answer(scope.name(), key, error.clone())? {
            Some(value) => self.reread(scope, &*value)?,
            None => Lookup::Miss,
        };
        // An answer that could not be used is none.
        tell(hooks, scope, &error);
        Ok(answer)
    }

    /// A value of a policy's as what the caller asked for.
    fn reread<T: DeserializeOwned>(
        &self,
        scope: &Scope<'_>,
        value: &(dyn erased_serde::Serialize + Send + Sync),
    ) -> Result<Lookup<T>> {
        let serializer = &self.inner.core.serializer;
        let mut encoded = Vec::new();
        let decoded = serializer::encode(serializer, value, &mut encoded).and_then(|none| match none {
            Some(layers) => Ok(serializer::decode_none(layers)),
            None => serializer::decode(serializer, &encoded).map(Decoded::Value),
        });
        match decoded {
            Ok(Decoded::Value(value)) => Ok(Lookup::Hit(value)),
            Ok(Decoded::Absent) => Ok(Lookup::Absent),
            Err(error) => Err(
                Error::codec("the value of the fallback is none of the type that was asked for")
                    .with_operation(scope.name())
                    .with_source(error),
            ),
        }
    }
}

// By hand: what a callback is, and what it answers, is nobody's to print.
impl fmt::Debug for FallbackPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raise => "Raise",
            Self::ReturnNone => "ReturnNone",
            Self::Callback(_) => "Callback",
        })
    }
}

impl fmt::Debug for FallbackCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FallbackCallback")
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value"),
            Self::Nothing => f.write_str("Nothing"),
            Self::Error(error) => write!(f, "Error({error:?})"),
        }
    }
}
