use std::{mem, pin::pin};

use futures::{Stream, StreamExt};

use super::CacheBackend;
use crate::error::{Error, Result};

/// How many keys one round trip of a pattern removes at most: more than the pages of ours hold, which are a little larger
/// than was asked for, so that none leaves a few keys to a round trip of their own.
const BATCH: usize = 1024;

/// What [`CacheBackend::delete_matching`] does where a backend knows no better: scans, and deletes in batches.
///
/// Neither memory nor the store's time per command grows with the number of keys.
///
/// # Errors
///
/// What the backend raises; the message says how many keys had been removed by then.
///
/// # Cancel safety
///
/// A call that is dropped has removed some of the keys.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use larder::{CacheBackend, Expiry, SetOptions, delete_by_scan};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let backend = MemoryBackend::new();
/// for key in ["user:1", "user:2", "post:1"] {
///     backend.set(key, Bytes::from("v"), SetOptions::new(Expiry::Never)).await?;
/// }
/// assert_eq!(delete_by_scan(&backend, "user:*").await?, 2);
/// assert_eq!(backend.len(), 1);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub async fn delete_by_scan<B: CacheBackend + ?Sized>(backend: &B, pattern: &str) -> Result<u64> {
    delete_by_scan_with(backend, pattern, &|_| ()).await
}

/// How far the removal of a pattern has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SweepProgress {
    /// Keys found that match the pattern; one that a scan lists twice counts twice.
    pub seen: u64,
    /// Keys removed.
    pub removed: u64,
}

impl SweepProgress {
    /// A count of keys found and keys removed.
    #[must_use]
    pub const fn new(seen: u64, removed: u64) -> Self {
        Self { seen, removed }
    }
}

/// Who is told how far a removal has come.
pub type SweepListener<'a> = dyn Fn(SweepProgress) + Send + Sync + 'a;

/// [`delete_by_scan`] that tells `progress` after every batch, of up to 1 024 keys, how far it has come.
///
/// It is told from within the call, so it should be quick.
///
/// # Errors
///
/// As [`delete_by_scan`].
///
/// # Cancel safety
///
/// As [`delete_by_scan`].
///
/// # Examples
///
/// ```
/// use larder::{CacheBackend, Expiry, SetOptions, SweepProgress, delete_by_scan_with};
/// use larder_memory::MemoryBackend;
/// use std::sync::Mutex;
///
/// # futures::executor::block_on(async {
/// let backend = MemoryBackend::new();
/// backend.set("user:1", "v".into(), SetOptions::new(Expiry::Never)).await?;
///
/// let last = Mutex::new(SweepProgress::default());
/// delete_by_scan_with(&backend, "user:*", &|progress| *last.lock().unwrap() = progress).await?;
/// assert_eq!(last.into_inner().unwrap(), SweepProgress::new(1, 1));
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub async fn delete_by_scan_with<B: CacheBackend + ?Sized>(
    backend: &B,
    pattern: &str,
    progress: &SweepListener<'_>,
) -> Result<u64> {
    let remove = async |keys: Vec<String>| {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let outcomes = backend.delete_many(&keys).await.into_iter();
        outcomes
            .map(|outcome| outcome.map(|outcome| u64::from(outcome.is_done())))
            .collect()
    };
    delete_listed(backend.scan(pattern), remove, progress).await
}

/// [`delete_by_scan_with`] for a store that has a better way to remove many keys than
/// [`delete_many`](CacheBackend::delete_many), which answers for each: removes what `pages` list by `remove`.
///
/// `remove` takes up to 1 024 keys and answers how many of them it removed, in one number or several, each of which may
/// fail by itself.
///
/// # Errors
///
/// The first of the pages' and of `remove`'s; the message says how many keys had been removed by then.
///
/// # Cancel safety
///
/// As [`delete_by_scan`].
///
/// # Examples
///
/// ```
/// use futures::stream;
/// use larder::{Error, ErrorKind, delete_listed};
///
/// # futures::executor::block_on(async {
/// let pages = || stream::iter([Ok(vec!["user:1".to_owned(), "user:2".to_owned()]), Ok(vec!["user:3".to_owned()])]);
/// let all = async |keys: Vec<String>| vec![Ok(keys.len() as u64)];
/// assert_eq!(delete_listed(pages(), all, &|_| ()).await?, 3);
///
/// let but_the_second = async |keys: Vec<String>| {
///     let of = |key: &str| if key == "user:2" { Err(Error::new(ErrorKind::Server, "refused")) } else { Ok(1) };
///     keys.iter().map(|key| of(key)).collect()
/// };
/// let error = delete_listed(pages(), but_the_second, &|_| ()).await.unwrap_err();
/// assert_eq!(error.message(), "refused (after 1 keys were removed)");
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub async fn delete_listed<F>(
    pages: impl Stream<Item = Result<Vec<String>>>,
    mut remove: impl FnMut(Vec<String>) -> F,
    progress: &SweepListener<'_>,
) -> Result<u64>
where
    F: Future<Output = Vec<Result<u64>>>,
{
    let mut pages = pin!(pages);
    let (mut seen, mut removed) = (0, 0);
    while let Some(page) = pages.next().await {
        let mut keys = page.map_err(|error| interrupted(&error, removed))?;
        while !keys.is_empty() {
            let rest = keys.split_off(keys.len().min(BATCH));
            let batch = mem::replace(&mut keys, rest);
            seen += batch.len() as u64;
            let mut failure = None;
            for answer in remove(batch).await {
                match answer {
                    Ok(gone) => removed += gone,
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            progress(SweepProgress { seen, removed });
            if let Some(error) = failure {
                return Err(interrupted(&error, removed));
            }
        }
    }
    Ok(removed)
}

#[cold]
fn interrupted(error: &Error, removed: u64) -> Error {
    Error::new(
        error.kind(),
        format!("{} (after {removed} keys were removed)", error.message()),
    )
    .with_source(error.clone())
}
