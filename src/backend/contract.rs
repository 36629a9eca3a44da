use std::{fmt, future::Future};

use bytes::Bytes;
use futures::Stream;

use super::{
    AtOnce, Capabilities, Condition, Entry, Head, Outcome, SetItem, SetOptions, get_by_joining,
    sweep::{SweepListener, delete_by_scan, delete_by_scan_with},
};
use crate::error::Result;

/// A store of bytes by key with expiry: Redis, a local map, memory, or a layer around another backend.
///
/// A [`Cache`](crate::Cache) is generic over its backend, so the calls are static and a backend of a stranger's is
/// the equal of ours. `larder::conformance` (feature `conformance`) runs this whole contract against any
/// implementation.
///
/// # Contract
///
/// These hold for every method.
///
/// - **Keys** are any UTF-8, the empty string included. They are the physical keys: the cache has put its prefix on.
///   A key in the store that is not UTF-8 is skipped by `scan` and never touched.
/// - **Values** are any bytes, the empty value included, which is present and not the same as a missing key.
/// - **Expired is missing.** From the moment its life ends, every method treats a key as if it had never been.
///   Lives have millisecond resolution.
/// - **A key of another type** (a Redis list, say) reads as a missing key in `get`, `get_many` and `head`; `scan` lists
///   it. Writes under [`Condition::Always`] act on it: `set` replaces it, `delete` and `delete_many` remove it, `expire`
///   and `persist` change its life. [`Condition::IfAbsent`] answers [`Outcome::Mismatch`]; every other condition,
///   [`Expiry::Keep`](crate::Expiry::Keep) included, fails with [`ErrorKind::Server`](crate::ErrorKind::Server) and
///   leaves it as it was.
/// - **A single-key write is one atomic step**, condition and all. A batch is not: other clients may see it half
///   applied, and each part succeeds or fails by itself.
/// - **Reads follow writes.** Once a write's future has answered, every call that begins later, on any clone,
///   sees it or something newer.
/// - **Dropping a future** stops the wait, not always the work: a write whose future is dropped may or may not be
///   applied, and a call that was under way, a read as well, may go on until its deadline. Until then it counts where
///   calls are counted, so that giving up early is no way around a bound. Nothing is left behind after that: no lock,
///   no task, and nothing in a queue that would still be sent.
/// - **No method waits without bound** on a store that does not answer: it fails with
///   [`ErrorKind::Connection`](crate::ErrorKind::Connection), [`Timeout`](crate::ErrorKind::Timeout) or
///   [`Overloaded`](crate::ErrorKind::Overloaded).
/// - **Cloning**, where a backend is `Clone`, makes another handle on the same store.
/// - Implementors may not assume that a future is polled on any particular executor or thread.
///
/// # Conditions
///
/// | | `set` | `delete`, `expire`, `persist` |
/// |---|---|---|
/// | [`Condition::Always`] | writes | acts on the key, or answers `Missing` |
/// | [`Condition::IfAbsent`] | writes, or `Mismatch` | invalid input |
/// | [`Condition::IfPresent`] | writes, or `Missing` | acts on a value, or `Missing` |
/// | [`Condition::IfStartsWith`] | writes, `Mismatch` or `Missing` | acts, `Mismatch` or `Missing` |
///
/// An empty prefix in `IfStartsWith` is invalid input in every method: "any value that exists" is `IfPresent`.
///
/// # Layers
///
/// A layer forwards every method it does not change, under `#[deny(clippy::missing_trait_methods)]`, so that a
/// method added here can not be forgotten there.
pub trait CacheBackend: fmt::Debug + Send + Sync {
    /// What this backend may do that Redis does not.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Reads the value under `key`, or `None` for a missing one.
    ///
    /// # Errors
    ///
    /// Connection, timeout and overloaded errors; server errors other than a wrong type.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send;

    /// [`get`](Self::get) of the key that `prefix` and `key` are when they are put together.
    ///
    /// A cache asks for single keys this way, so that a backend that can look a key up by its parts need not join them
    /// first. Either may be empty, and where the key is split tells nothing: the answer is that of `get`.
    ///
    /// The provided one is [`get_by_joining`], which goes through `get`. Another one has to do all that `get` does.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), under its name.
    fn get_joined(&self, prefix: &str, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        get_by_joining(self, prefix, key)
    }

    /// What [`get_joined`](Self::get_joined) answers, where that takes neither a wait nor a future.
    ///
    /// `get`, `lookup` and `get_shared` of a cache ask this first where no hook listens, which spares a hit in this process
    /// the future. A backend that keeps its entries in this process as [`Kept`](crate::Kept) may answer. The provided one
    /// says [`AtOnce::Unknown`], as has every backend that may wait, every layer that does anything about a read, and
    /// whoever would fail. It never blocks.
    fn get_at_once(&self, prefix: &str, key: &str) -> AtOnce {
        let _ = (prefix, key);
        AtOnce::Unknown
    }

    /// Reads many keys in one round trip, or one per cluster node.
    ///
    /// The answer has one result per key, in the order given; a key given twice is answered twice. An empty batch
    /// answers an empty vector without a round trip. The reads are not of one moment.
    ///
    /// # Errors
    ///
    /// Each result fails by itself, as in [`get`](Self::get): where one node of a cluster is away, the keys of the
    /// others are still answered.
    fn get_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Option<Entry>>>> + Send;

    /// Reads the first `n` bytes of the value, its length and its remaining life in one atomic step.
    ///
    /// `n` of zero is allowed and reads no bytes; a value shorter than `n` is returned whole.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send;

    /// Writes `value` under `key` if the condition holds, value and expiry in one atomic step.
    ///
    /// - [`Expiry::After`](crate::Expiry::After) a zero span is invalid input: it would delete the key.
    /// - [`Expiry::Keep`](crate::Expiry::Keep) implies that the key exists, under any condition; together with
    ///   [`Condition::IfAbsent`] it is invalid input.
    /// - `value` is not kept as it is handed in when that would pin a larger buffer.
    /// - [`SetOptions::deadline`] is counted from the beginning of the call, whatever the call waits for; a backend of
    ///   which the write leaves this process keeps it, and one that acts at once has no use for it. Zero is invalid input.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); a timeout leaves it open whether the write was applied. A write that had not left
    /// this process by its deadline, the backend's or its own, is never applied later.
    fn set(&self, key: &str, value: Bytes, options: SetOptions) -> impl Future<Output = Result<Outcome>> + Send;

    /// Writes many keys in one pipelined round trip, each with its own options; a very large batch may take a few.
    ///
    /// The answer has one result per item, in the order given. Items with the same key are applied in that order, so of
    /// two unconditional ones the later wins.
    /// An empty batch answers an empty vector without a round trip.
    ///
    /// # Errors
    ///
    /// Each result fails by itself, as in [`set`](Self::set).
    fn set_many(&self, items: Vec<SetItem>) -> impl Future<Output = Vec<Result<Outcome>>> + Send;

    /// Removes the key if the condition holds. A missing key answers [`Outcome::Missing`].
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    fn delete(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send;

    /// Removes many keys in one round trip, or one per cluster node, whatever they hold.
    ///
    /// The answer has one result per key, in the order given: [`Outcome::Done`] or [`Outcome::Missing`]. A key given
    /// twice is removed once and is missing the second time. An empty batch answers an empty vector without a round
    /// trip.
    ///
    /// # Errors
    ///
    /// Each result fails by itself, as in [`delete`](Self::delete).
    fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Outcome>>> + Send;

    /// Gives the key a life of `after` from now if the condition holds. A missing key answers [`Outcome::Missing`].
    ///
    /// A part of a millisecond counts as a whole one; a zero span is invalid input.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    fn expire(
        &self,
        key: &str,
        after: std::time::Duration,
        condition: Condition,
    ) -> impl Future<Output = Result<Outcome>> + Send;

    /// Takes the expiry off the key if the condition holds. A missing key answers [`Outcome::Missing`]; a key that
    /// has no expiry answers [`Outcome::Done`].
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    fn persist(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send;

    /// Streams the keys that match `pattern`, page by page, from every node that holds keys.
    ///
    /// `pattern` is a Redis glob over the whole physical key; [`glob`](crate::glob) matches it in process.
    /// A key that is there from the first page asked for to the last is listed at least once; one written or removed
    /// meanwhile may be listed or not; a key may be listed twice. Memory is bounded by a page, whatever the number
    /// of keys. A page may be empty and is not the end.
    ///
    /// # Errors
    ///
    /// A page that fails ends the stream with its error. Each page has a deadline of its own.
    ///
    /// # Cancel safety
    ///
    /// A dropped stream asks for no further page.
    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a, Self>;

    /// Removes every key that matches `pattern`, a glob as in [`scan`](Self::scan), and answers how many it removed.
    ///
    /// A method of its own, because a layer has to know that every key of a pattern is to go, and not only those that
    /// are listed now. The provided one is [`delete_by_scan`]. A key written meanwhile may be removed or not.
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan) and [`delete_many`](Self::delete_many); some keys may have been removed by then.
    fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
        delete_by_scan(self, pattern)
    }

    /// [`delete_matching`](Self::delete_matching) that tells `progress` now and then how far it has come.
    ///
    /// What it tells never goes down, and the last it tells of keys removed is what it answers. Where nothing matches, it
    /// may tell nothing.
    ///
    /// The provided one is [`delete_by_scan_with`], so a backend or layer with a `delete_matching` of its own needs one of
    /// this too.
    ///
    /// # Errors
    ///
    /// As [`delete_matching`](Self::delete_matching).
    fn delete_matching_with(
        &self,
        pattern: &str,
        progress: &SweepListener<'_>,
    ) -> impl Future<Output = Result<u64>> + Send {
        delete_by_scan_with(self, pattern, progress)
    }
}
