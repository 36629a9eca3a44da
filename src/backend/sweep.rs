use std::pin::pin;

use futures::StreamExt;

use super::CacheBackend;
use crate::error::{Error, Result};

/// How many keys one round trip of a pattern removes at most.
const BATCH: usize = 512;

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

/// [`delete_by_scan`] that tells `progress` after every batch, of up to 512 keys, how far it has come.
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
    let mut pages = pin!(backend.scan(pattern));
    let (mut seen, mut removed) = (0, 0);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| interrupted(&error, removed))?;
        for batch in page.chunks(BATCH) {
            let keys: Vec<&str> = batch.iter().map(String::as_str).collect();
            let mut failure = None;
            for outcome in backend.delete_many(&keys).await {
                match outcome {
                    Ok(outcome) => removed += u64::from(outcome.is_done()),
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            seen += batch.len() as u64;
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
