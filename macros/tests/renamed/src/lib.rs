//! What `#[cached]` writes in a crate of the edition 2021 that has larder under another name.

use lard::{cached, Cache};
use larder_memory::MemoryBackend;

/// The cache of all that is in here.
pub type Memory = Cache<MemoryBackend>;

/// A plain function.
#[cached(crate = lard, cache = cache, key = "length:{text}", ttl = "1h", negative_ttl = "1m", lease = "10s")]
pub fn length(cache: &Memory, text: &str) -> Option<usize> {
    let _ = cache;
    (!text.is_empty()).then_some(text.len())
}

/// An async one.
#[cached(
    crate = lard, cache = cache, key = |id| format!("doubled:{id}"), ttl = |_, doubled| if *doubled == 0 { 5 } else { 60 },
    bypass = |id| id == 7, on_error = "raise", hard_timeout = "5s", background,
)]
pub async fn doubled(cache: Memory, id: u64) -> Result<u64, Failure> {
    let _ = cache;
    std::future::ready(id.checked_mul(2).ok_or(Failure)).await
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure;

impl From<lard::Error> for Failure {
    fn from(_: lard::Error) -> Self {
        Self
    }
}

impl From<lard::LoadError<Self>> for Failure {
    fn from(_: lard::LoadError<Self>) -> Self {
        Self
    }
}

/// What is found by its number.
pub trait Find {
    /// What is found.
    type Item;

    /// Finds it.
    fn find(&self, id: u64) -> Self::Item;
}

/// The owner of a cache.
#[derive(Debug)]
pub struct Shelf {
    /// Its cache.
    pub cache: Memory,
}

#[cached]
impl Find for Shelf {
    type Item = Vec<u64>;

    #[cached(crate = lard, cache = self.cache, key = "found:{id}", ttl = "1h")]
    fn find(&self, id: u64) -> Self::Item {
        vec![id]
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn functions_and_methods_are_cached_and_have_their_calls() {
        let cache = Memory::new(MemoryBackend::new());
        assert_eq!(length(&cache, "four"), Some(4));
        assert_eq!(length::peek(&cache, "four").unwrap(), Some(Some(4)));
        assert_eq!(length(&cache, ""), None);

        assert_eq!(block_on(doubled(cache.clone(), 4)), Ok(8));
        assert_eq!(block_on(doubled(cache.clone(), u64::MAX)), Err(Failure));
        assert_eq!(block_on(doubled::refresh(cache.clone(), 4)), Ok(8));
        assert!(block_on(doubled::invalidate(cache.clone(), 4)).unwrap());
        assert_eq!(doubled::key(cache.clone(), 4), "doubled:4");

        let shelf = Shelf { cache };
        assert_eq!(shelf.find(1), [1]);
        assert_eq!(shelf.find_peek(1).unwrap(), Some(vec![1]));
    }
}
