//! What a function may return, and what its error must be able to do.
//!
//! A macro sees no types, so the compiler chooses: a method is looked for on `&&Kind` first, then on `&Kind`, then on
//! `Kind`, and the first whose bounds hold is taken.

use std::{convert::Infallible, fmt, marker::PhantomData, sync::Arc};

use crate::{error::Error, remember::LoadError};

/// Names a type.
pub struct Pick<R>(PhantomData<fn() -> R>);

impl<R> Pick<R> {
    /// Names `R`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "nobody needs it generically")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> fmt::Debug for Pick<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pick")
    }
}

/// A function that returns `R`: a `T`, or a failure `E`.
pub struct Kind<R, T, E> {
    open: fn(R) -> Result<T, E>,
    close: fn(Result<T, E>) -> R,
}

impl<R, T, E> Copy for Kind<R, T, E> {}
impl<R, T, E> Clone for Kind<R, T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, T, E> fmt::Debug for Kind<R, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kind")
    }
}

/// A function that returns a `Result`.
pub trait ResultKind<T, E> {
    /// Its kind.
    fn larder_kind(&self) -> Kind<Result<T, E>, T, E>;
}

impl<T, E> ResultKind<T, E> for Pick<Result<T, E>> {
    fn larder_kind(&self) -> Kind<Result<T, E>, T, E> {
        Kind {
            open: |returned| returned,
            close: |result| result,
        }
    }
}

/// A function that returns anything else.
pub trait AnyKind<T> {
    /// Its kind.
    fn larder_kind(&self) -> Kind<T, T, Infallible>;
}

impl<T> AnyKind<T> for &Pick<T> {
    fn larder_kind(&self) -> Kind<T, T, Infallible> {
        Kind {
            open: Ok,
            close: |result| match result {
                Ok(value) => value,
                Err(never) => match never {},
            },
        }
    }
}

impl<R, T, E> Kind<R, T, E> {
    /// What the function returns, as a result.
    pub fn open(&self, returned: R) -> Result<T, E> {
        (self.open)(returned)
    }

    /// A result as what the function returns.
    pub fn close(&self, result: Result<T, E>) -> R {
        (self.close)(result)
    }

    /// The type of the values.
    #[must_use]
    pub const fn value(&self) -> Pick<T> {
        Pick::new()
    }

    /// Where the cache fails, the body runs.
    #[must_use]
    pub const fn execute(&self) -> Rules<T, E> {
        Rules::Execute
    }

    /// Where the cache fails, so does the call.
    #[must_use]
    pub fn raise(&self) -> Rules<T, E>
    where
        E: FromCacheError,
    {
        Rules::Raise(E::from_cache_error)
    }

    /// Where the cache fails, there is no value.
    #[must_use]
    pub fn return_none(&self) -> Rules<T, E>
    where
        T: OptionValue,
    {
        Rules::ReturnNone(T::none)
    }

    /// What a call that waits no longer says of a load that took too long.
    #[must_use]
    pub fn timed(&self) -> Other<E>
    where
        E: FromLoadError,
    {
        Some(E::from_load_error)
    }
}

/// What a call does where the cache fails.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "made and taken apart in this module alone")]
pub enum Rules<T, E> {
    /// Runs the body.
    Execute,
    /// Fails.
    Raise(fn(Error) -> E),
    /// Answers `None`.
    ReturnNone(fn() -> T),
}

/// Errors that can hold what a cache raised.
#[diagnostic::on_unimplemented(
    message = "`on_error = \"raise\"` needs a function whose error can hold a `larder::Error`",
    label = "`{Self}` can not hold a `larder::Error`",
    note = "return a `Result` whose error is `From<larder::Error>`, or leave out `on_error`: the body then runs where \
            the cache fails"
)]
pub trait FromCacheError {
    /// The error of a call whose cache failed.
    fn from_cache_error(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Error>> FromCacheError for E {
    fn from_cache_error(error: Error) -> Self {
        error.into()
    }
}

/// Errors that can say that a load took too long.
#[diagnostic::on_unimplemented(
    message = "`hard_timeout` needs a function whose error can say that its body took too long",
    label = "`{Self}` is not `From<larder::LoadError<{Self}>>`",
    note = "return a `Result` whose error is `From<larder::LoadError<..>>`: `LoadError::TimedOut` is what it is made of \
            then; in a generic function write the bound"
)]
pub trait FromLoadError: Sized {
    /// The error of a call whose load did not end well.
    fn from_load_error(error: LoadError<Self>) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<LoadError<E>>> FromLoadError for E {
    fn from_load_error(error: LoadError<E>) -> Self {
        error.into()
    }
}

/// Functions that return a `Result`, whatever it is called.
#[diagnostic::on_unimplemented(
    message = "`{Self}` goes by the name of `Result` and is none",
    label = "not a `core::result::Result`",
    note = "give it another name here, such as `type Found<T> = ..`: every value of it is cached then"
)]
pub trait Returned {
    /// What is cached.
    type Value;
}

impl<T, E> Returned for Result<T, E> {
    type Value = T;
}

/// What is cached of a function that returns `R`.
pub type ValueOf<R> = <R as Returned>::Value;

/// Functions that return a `Result` of `T`, as they say.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is written as a `Result` of `{T}`, and is none",
    label = "not a `core::result::Result<{T}, _>`",
    note = "give it another name here, such as `type Found<T> = ..`"
)]
pub trait Holding<T> {}

impl<T, E> Holding<T> for Result<T, E> {}

/// What was peeked at, where a function is seen to return a `Result` of `T`.
///
/// # Errors
///
/// What the peek raised.
pub fn holding<R: Holding<T>, T>(peeked: crate::error::Result<Option<T>>) -> crate::error::Result<Option<T>> {
    peeked
}

/// Errors that can be told to calls on other threads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be given to calls that share the body from other threads",
    label = "the error is not `Send + Sync + 'static`",
    note = "calls on other threads may share a failed load; return an error that is `Send + Sync + 'static`, such as \
            `Box<dyn Error + Send + Sync>` for `Box<dyn Error>`"
)]
pub trait ThreadSafe: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Send + Sync + 'static> ThreadSafe for E {}

/// Values that can be missing.
#[diagnostic::on_unimplemented(
    message = "`on_error = \"return_none\"` needs a function that returns `Option<_>` or `Result<Option<_>, _>`",
    label = "`{Self}` is no `Option`",
    note = "leave out `on_error`: the body then runs where the cache fails"
)]
pub trait OptionValue {
    /// No value.
    fn none() -> Self;
}

impl<T> OptionValue for Option<T> {
    fn none() -> Self {
        None
    }
}

/// Makes the error of one caller of those that shared it.
pub type Shared<E> = fn(Arc<E>) -> E;

/// Makes an error of what went wrong with a load besides its own error, where that is possible.
pub type Other<E> = Option<fn(LoadError<E>) -> E>;

/// Errors that are copied for each caller.
pub trait ClonedErrors<E> {
    /// By `Clone`.
    fn larder_shared(&self) -> Shared<E>;
}

impl<R, T, E: Clone> ClonedErrors<E> for &&Kind<R, T, E> {
    fn larder_shared(&self) -> Shared<E> {
        |error| E::clone(&error)
    }
}

/// Errors that hold a shared one.
pub trait ConvertedErrors<E> {
    /// By `From<LoadError<E>>`.
    fn larder_shared(&self) -> Shared<E>;
}

impl<R, T, E: From<LoadError<E>>> ConvertedErrors<E> for &Kind<R, T, E> {
    fn larder_shared(&self) -> Shared<E> {
        |error| LoadError::Loader(error).into()
    }
}

/// Errors that can be given to one caller only.
pub trait UnsharedErrors<E> {
    /// Does not compile.
    fn larder_shared(&self) -> Shared<E>
    where
        E: SharedError;
}

impl<R, T, E> UnsharedErrors<E> for Kind<R, T, E> {
    fn larder_shared(&self) -> Shared<E>
    where
        E: SharedError,
    {
        E::shared
    }
}

/// Implemented by nothing: what is said where an error can not be shared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be given to every caller that shared a failed load",
    label = "the error is neither `Clone` nor `From<larder::LoadError<{Self}>>`",
    note = "derive `Clone` for the error, or implement `From<larder::LoadError<..>>` for it: \
            `LoadError::Loader` holds the shared error in an `Arc`; in a generic function write the bound"
)]
pub trait SharedError: Sized {
    /// The error of one caller.
    fn shared(error: Arc<Self>) -> Self;
}

/// Errors that can hold everything that may go wrong with a load.
pub trait ConvertedOthers<E> {
    /// By `From<LoadError<E>>`.
    fn larder_other(&self) -> Other<E>;
}

impl<R, T, E: From<LoadError<E>>> ConvertedOthers<E> for &Kind<R, T, E> {
    fn larder_other(&self) -> Other<E> {
        Some(E::from)
    }
}

/// Errors that can not.
pub trait UnsharedOthers<E> {
    /// There is no way.
    fn larder_other(&self) -> Other<E>;
}

impl<R, T, E> UnsharedOthers<E> for Kind<R, T, E> {
    fn larder_other(&self) -> Other<E> {
        None
    }
}

/// Values that can be missing.
pub trait NoneOfOption<T> {
    /// Tells whether it is.
    fn larder_is_none(&self) -> fn(&T) -> bool;
}

impl<R, T, E> NoneOfOption<Option<T>> for &Kind<R, Option<T>, E> {
    fn larder_is_none(&self) -> fn(&Option<T>) -> bool {
        Option::is_none
    }
}

/// Values that are always there.
pub trait NoneOfOthers<T> {
    /// Never.
    fn larder_is_none(&self) -> fn(&T) -> bool;
}

impl<R, T, E> NoneOfOthers<T> for Kind<R, T, E> {
    fn larder_is_none(&self) -> fn(&T) -> bool {
        |_| false
    }
}
