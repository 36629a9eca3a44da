use std::sync::{Arc, LazyLock, OnceLock};

use crate::{
    blocking::BlockingCache,
    cache::Cache,
    error::{Error, ErrorKind, Result},
};

/// What `cache = ..` may name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a cache",
    label = "not a cache",
    note = "`cache = ..` takes a `larder::Cache` or `BlockingCache`, or a reference, `Arc`, `Box`, `LazyLock`, \
            `OnceLock` or `Option` of one"
)]
pub trait CacheSource {
    /// The cache's backend.
    type Backend;
    /// The cache's serializer.
    type Serializer;
    /// The cache's compressor.
    type Compressor;

    /// The cache, or why there is none yet.
    ///
    /// # Errors
    ///
    /// A connection error where there is none: a cache that is not set counts as away.
    fn cache(&self) -> Result<&Cache<Self::Backend, Self::Serializer, Self::Compressor>>;
}

/// A handle of its own on the cache of `source`, where `source` is about to be given to the body.
pub fn hold<Z: CacheSource>(source: &Z) -> Option<Cache<Z::Backend, Z::Serializer, Z::Compressor>> {
    source.cache().ok().cloned()
}

#[cold]
fn unset() -> Error {
    Error::new(ErrorKind::Connection, "the cache is not set")
}

impl<B, S, C> CacheSource for Cache<B, S, C> {
    type Backend = B;
    type Compressor = C;
    type Serializer = S;

    fn cache(&self) -> Result<&Cache<B, S, C>> {
        Ok(self)
    }
}

impl<B, S, C> CacheSource for BlockingCache<B, S, C> {
    type Backend = B;
    type Compressor = C;
    type Serializer = S;

    fn cache(&self) -> Result<&Cache<B, S, C>> {
        Ok(self.as_async())
    }
}

macro_rules! pointer {
    ($pointer:ty $(, $bound:tt)*; |$self:ident| $target:expr) => {
        impl<Z: CacheSource $(, $bound: FnOnce() -> Z)*> CacheSource for $pointer {
            type Backend = Z::Backend;
            type Compressor = Z::Compressor;
            type Serializer = Z::Serializer;

            fn cache(&$self) -> Result<&Cache<Z::Backend, Z::Serializer, Z::Compressor>> {
                $target.cache()
            }
        }
    };
}

pointer!(&Z; |self| (**self));
pointer!(Arc<Z>; |self| (**self));
pointer!(Box<Z>; |self| (**self));
pointer!(LazyLock<Z, F>, F; |self| (**self));
pointer!(OnceLock<Z>; |self| self.get().ok_or_else(unset)?);
pointer!(Option<Z>; |self| self.as_ref().ok_or_else(unset)?);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_is_not_set_is_away() {
        let source: OnceLock<Cache<()>> = OnceLock::new();
        let error = source.cache().map(|_| ()).unwrap_err();
        assert!(error.is_unavailable());
        assert_eq!(error.to_string(), "the cache is not set");
        assert!(hold(&source).is_none());
        assert!(source.set(Cache::new(())).is_ok());
        assert!(source.cache().is_ok());
        assert!(hold(&None::<Cache<()>>).is_none());
        assert!(hold(&Arc::new(&Cache::new(()).blocking())).is_some());
    }
}
