use std::{fmt, sync::Arc};

use crate::{LocalBuilder, map::Map};

/// A bounded concurrent map in this process.
///
/// # Bound
///
/// The map holds so many entries, or so many bytes, and drops what is least worth keeping when it is full: any entry
/// may be gone at any time. The map is split into shards that each hold their part of the bound, so it begins to drop
/// entries a little before it is full. One that is larger than its shard allows is dropped at once, together with
/// what stood under its key: `set` answers `Done` and the key is missing. A map bounded by bytes takes entries of up
/// to 97 % of a shard, and no shard is smaller than 8 MiB unless it is the only one.
///
/// # Atomicity and order
///
/// Every write is one step, condition included, and readers see it whole. Reads take no lock that writers of other
/// keys hold for longer than a look at the table.
///
/// # Expiry
///
/// An entry is missing from the moment its life ends. Its memory is given back when a call meets it, or when the map
/// needs the room; no thread goes looking.
///
/// # Scans
///
/// A scan walks the slots of the map, in no order, 512 at a time, with a cursor: it copies the keys of one page and
/// holds no lock between two entries. An entry that stands throughout keeps its slot, so it is listed exactly once;
/// one that is evicted and written again may be listed or not.
///
/// Clones are handles on one map.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use larder::{CacheBackend, Condition, Expiry, Outcome, SetOptions};
/// use larder_local::LocalBackend;
///
/// # futures::executor::block_on(async {
/// let backend = LocalBackend::with_capacity(10_000);
/// let once = SetOptions::new(Expiry::Never).with_condition(Condition::IfAbsent);
/// let first = backend.set("k", Bytes::from("a"), once.clone()).await.unwrap();
/// let second = backend.set("k", Bytes::from("b"), once).await.unwrap();
/// assert_eq!((first, second), (Outcome::Done, Outcome::Mismatch));
/// # });
/// ```
#[derive(Clone)]
pub struct LocalBackend {
    map: Arc<Map>,
}

impl LocalBackend {
    pub(crate) fn new(map: Map) -> Self {
        Self { map: Arc::new(map) }
    }

    /// A map of up to `entries` entries, of whatever size. Zero keeps nothing.
    #[must_use]
    pub fn with_capacity(entries: usize) -> Self {
        Self::builder().capacity(entries).build()
    }

    /// A map of up to `bytes` bytes: those of its keys and values, and 128 for each entry. Zero keeps nothing.
    #[must_use]
    pub fn with_max_bytes(bytes: u64) -> Self {
        Self::builder().max_bytes(bytes).build()
    }

    /// Sets up a map with a clock of its own.
    pub fn builder() -> LocalBuilder {
        LocalBuilder::new()
    }

    /// The number of entries that take up room, expired ones that no call has met included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.entries().len()
    }

    /// Tells whether no entry takes up room.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.entries().is_empty()
    }

    /// What the entries weigh: their number, or their bytes where the map is bounded by bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.map.entries().weight()
    }

    /// Removes every entry. One that is written meanwhile may stay.
    pub fn clear(&self) {
        self.map.entries().clear();
    }

    pub(crate) fn map(&self) -> &Map {
        &self.map
    }
}

impl fmt::Debug for LocalBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys and values may be anything, secrets included.
        f.debug_struct("LocalBackend")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
