use std::{error::Error as StdError, fmt, sync::Arc};

use crate::error::Error;

/// Why a [`remember`](crate::Cache::remember) has no value to give.
///
/// One failed load answers every call that shared it, so the loader's error comes in an `Arc`.
///
/// # Examples
///
/// ```
/// use larder::{Cache, LoadError};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let cache = Cache::new(MemoryBackend::new());
/// let failed: Result<u32, _> = cache.remember("key", 60, || async { Err("the database is away") }).await;
/// assert_eq!(failed.unwrap_err().loader(), Some(&"the database is away"));
/// # });
/// ```
#[non_exhaustive]
pub enum LoadError<E> {
    /// The loader failed.
    Loader(Arc<E>),
    /// The cache failed: a wrong ttl or key, or, where [`OnError::Raise`](crate::OnError::Raise) asks for it, the
    /// backend.
    Cache(Error),
    /// The loader panicked.
    Panicked,
    /// The call was made by the load of the same key, which would wait for itself.
    Reentrant,
    /// The load took longer than it was given.
    TimedOut,
}

impl<E> LoadError<E> {
    /// The loader's error, where it was the loader that failed.
    #[must_use]
    pub fn loader(&self) -> Option<&E> {
        match self {
            Self::Loader(error) => Some(error),
            _ => None,
        }
    }

    /// The loader's error by value, where it was the loader that failed; shared with the other calls of that load.
    #[must_use]
    pub fn into_loader(self) -> Option<Arc<E>> {
        match self {
            Self::Loader(error) => Some(error),
            _ => None,
        }
    }
}

// By hand, since `E` itself need not be `Clone`.
impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Loader(error) => Self::Loader(Arc::clone(error)),
            Self::Cache(error) => Self::Cache(error.clone()),
            Self::Panicked => Self::Panicked,
            Self::Reentrant => Self::Reentrant,
            Self::TimedOut => Self::TimedOut,
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(error) => f.debug_tuple("Loader").field(error).finish(),
            Self::Cache(error) => f.debug_tuple("Cache").field(error).finish(),
            Self::Panicked => f.write_str("Panicked"),
            Self::Reentrant => f.write_str("Reentrant"),
            Self::TimedOut => f.write_str("TimedOut"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(error) => write!(f, "the load failed: {error}"),
            Self::Cache(error) => error.fmt(f),
            Self::Panicked => f.write_str("the loader panicked"),
            Self::Reentrant => f.write_str("the load of a key asked for the same key, which would wait for itself"),
            Self::TimedOut => f.write_str("the load took longer than it was given"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> StdError for LoadError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Cache(error) => Some(error),
            // `E` may be `anyhow::Error` or a `Box<dyn Error>`, which are no errors themselves; Display tells it.
            _ => None,
        }
    }
}

impl<E> From<Error> for LoadError<E> {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}
