//! The calls that faults are held against.

use futures::{StreamExt, future::join_all};
use larder::{Cache, CacheBackend, Entry, Error, Result};

use crate::support::forever;

/// A call with what it has to answer while all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Get,
    Set,
    GetMany,
    Remember,
    Scan,
}

impl Call {
    pub(super) const ALL: [Self; 5] = [Self::Get, Self::Set, Self::GetMany, Self::Remember, Self::Scan];

    /// Writes what the calls read.
    pub(super) async fn prepare(backend: &impl CacheBackend) {
        for key in ["a", "b"] {
            backend.set(key, value_of(key), forever()).await.unwrap();
        }
    }

    /// Makes the call. An answer that comes is the right one, whatever went wrong before.
    pub(super) async fn make<B: CacheBackend + Clone + 'static>(self, backend: &B) -> Result<()> {
        match self {
            Self::Get => {
                let (a, b) = futures::join!(backend.get("a"), backend.get("b"));
                for (key, found) in [("a", a?), ("b", b?)] {
                    assert_eq!(found.unwrap().bytes(), &value_of(key), "the answer to another call");
                }
                Ok(())
            }
            Self::Set => {
                let keys = ["a", "b"];
                let written = join_all(keys.iter().map(|key| backend.set(key, value_of(key), forever()))).await;
                written.into_iter().try_for_each(|written| written.map(|_| ()))
            }
            Self::GetMany => {
                let found = backend.get_many(&["b", "none", "a"]).await;
                let found = found.into_iter().collect::<Result<Vec<_>>>()?;
                let bytes: Vec<_> = found.iter().map(|entry| entry.as_ref().map(Entry::bytes)).collect();
                assert_eq!(bytes, [Some(&value_of("b")), None, Some(&value_of("a"))]);
                Ok(())
            }
            // Whatever the store does, the value comes; an outage is no error here.
            Self::Remember => {
                let cache = Cache::builder(backend.clone()).prefix("remembered").build()?;
                let value = cache.remember("k", "1h", async || Ok::<_, Error>(7)).await.unwrap();
                assert_eq!(value, 7);
                Ok(())
            }
            Self::Scan => {
                let mut pages = std::pin::pin!(backend.scan("[ab]"));
                let mut keys = Vec::new();
                while let Some(page) = pages.next().await {
                    keys.extend(page?);
                }
                keys.sort();
                assert_eq!(keys, ["a", "b"]);
                Ok(())
            }
        }
    }

    /// How many deadlines the call may take: `remember` reads, places its marker and fills.
    pub(super) fn deadlines(self) -> u32 {
        if self == Self::Remember { 4 } else { 1 }
    }
}

fn value_of(key: &str) -> bytes::Bytes {
    format!("the value of {key}").into()
}
