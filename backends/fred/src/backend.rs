//! The contract of a backend, method by method.

use std::{
    fmt,
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use fred::interfaces::ClientLike;
use futures::Stream;
use larder::{
    Batched, CacheBackend, Capabilities, Condition, Entry, Head, Outcome, Result, SetItem, SetOptions, SweepListener,
    delete_by_scan, delete_by_scan_with,
};

use crate::link::Link;

/// Redis or Valkey as a store of a cache's bytes; made by [`ConnectionManager::backend`](crate::ConnectionManager::backend).
///
/// Clones share the connection.
///
/// # Behavior
///
/// Beyond the contract of [`CacheBackend`]:
///
/// - Each command has the deadline of the connection and is sent once, never again after a failure. A command that
///   has not left this process by its deadline is not sent at all.
/// - While the server is away, calls fail at once; within the first moments of an outage, at their deadline.
/// - A server that answers LOADING, BUSY, CLUSTERDOWN or MASTERDOWN counts as away, and so do the nodes of a cluster that
///   go on redirecting a call: [`ErrorKind::Connection`](larder::ErrorKind::Connection). Every other error it answers is
///   [`ErrorKind::Server`](larder::ErrorKind::Server) in its own words.
/// - A call whose future is dropped midway goes on in the background until its answer or its deadline, and counts as
///   in flight until then. So a write is not left to be sent when a lost connection is back, callers who give up
///   early can not exceed [`RedisConfig::with_max_in_flight`](crate::RedisConfig::with_max_in_flight), and a
///   connection that leaves them unanswered is found out.
/// - A connection that answers nothing for a second is replaced.
/// - A write whose connection breaks before its answer fails with
///   [`ErrorKind::Connection`](larder::ErrorKind::Connection), and may have been applied.
/// - `get`s that are under way at the same time go together, as MGETs: see [`Batched`]. On a cluster each goes by itself,
///   because MGET takes keys of one slot only. [`unbatched`](Self::unbatched) leaves that out.
/// - A batch goes out as one pipeline per 1 024 commands. Where the server is away for all of one part, the parts
///   after it are not tried.
/// - Values are copied out of the connection's buffer, whatever their size: a slice of it would keep all of it in
///   memory for as long as the value lives.
/// - `scan` asks for 512 keys a page.
#[derive(Clone)]
pub struct FredBackend {
    calls: Batched<Direct>,
}

/// A connection as a backend that sends each call by itself.
struct Direct {
    link: Arc<Link>,
}

impl FredBackend {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        let is_clustered = link.is_clustered();
        let (calls, deadline) = (link.max_in_flight, link.deadline);
        let batched = Batched::builder(Direct { link })
            .max_in_flight(calls)
            .deadline(deadline);
        // fred writes SETs that come at the same time as one anyway.
        let batched = batched.without_sets().build();
        let calls = batched.expect("the settings of a connection are checked when it is made");
        Self {
            // A batch would hold keys of several nodes, and wait for the slowest; and MGET takes keys of one slot.
            calls: if is_clustered { calls.unbatched() } else { calls },
        }
    }

    /// The same backend without batches: each `get` is a GET of its own.
    #[must_use]
    pub fn unbatched(&self) -> Self {
        Self {
            calls: self.calls.unbatched(),
        }
    }

    /// How often `get` or `head` met a key of another Redis type and answered as if it were missing, since the
    /// connection was made.
    ///
    /// `get_many` is not counted, nor a `get` in a batch: MGET answers nil for such keys and for missing ones alike.
    #[must_use]
    pub fn wrong_type_reads(&self) -> u64 {
        self.calls.get_ref().link.wrong_types.load(Ordering::Relaxed)
    }
}

impl Direct {
    /// Runs a call on the connection's runtime and names it in its error.
    async fn call<T>(&self, operation: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let answer = self.link.driver.enter(call).await;
        answer.flatten().map_err(|error| error.with_operation(operation))
    }

    /// [`call`](Self::call) for a batch, whose parts fail by themselves.
    async fn call_many<T>(
        &self,
        operation: &'static str,
        parts: usize,
        call: impl Future<Output = Vec<Result<T>>> + Send,
    ) -> Vec<Result<T>> {
        let answers = self.link.driver.enter(call).await;
        let answers = answers.unwrap_or_else(|error| (0..parts).map(|_| Err(error.clone())).collect());
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| error.with_operation(operation)))
            .collect()
    }
}

#[deny(clippy::missing_trait_methods)]
impl CacheBackend for Direct {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        self.call("get", self.link.get(key))
    }

    fn get_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Option<Entry>>>> + Send {
        self.call_many("get_many", keys.len(), self.link.get_many(keys))
    }

    fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send {
        self.call("head", self.link.head(key, n))
    }

    fn set(&self, key: &str, value: Bytes, options: SetOptions) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("set", self.link.set(key, value, options))
    }

    fn set_many(&self, items: Vec<SetItem>) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.call_many("set_many", items.len(), self.link.set_many(items))
    }

    fn delete(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("delete", self.link.delete(key, condition))
    }

    fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.call_many("delete_many", keys.len(), self.link.delete_many(keys))
    }

    fn expire(&self, key: &str, after: Duration, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("expire", self.link.expire(key, after, condition))
    }

    fn persist(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("persist", self.link.persist(key, condition))
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a> {
        self.link.scan(pattern)
    }

    fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
        delete_by_scan(self, pattern)
    }

    fn delete_matching_with(
        &self,
        pattern: &str,
        progress: &SweepListener<'_>,
    ) -> impl Future<Output = Result<u64>> + Send {
        delete_by_scan_with(self, pattern, progress)
    }
}

#[deny(clippy::missing_trait_methods)]
impl CacheBackend for FredBackend {
    fn capabilities(&self) -> Capabilities {
        self.calls.capabilities()
    }

    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        self.calls.get(key)
    }

    fn get_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Option<Entry>>>> + Send {
        self.calls.get_many(keys)
    }

    fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send {
        self.calls.head(key, n)
    }

    fn set(&self, key: &str, value: Bytes, options: SetOptions) -> impl Future<Output = Result<Outcome>> + Send {
        self.calls.set(key, value, options)
    }

    fn set_many(&self, items: Vec<SetItem>) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.calls.set_many(items)
    }

    fn delete(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.calls.delete(key, condition)
    }

    fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.calls.delete_many(keys)
    }

    fn expire(&self, key: &str, after: Duration, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.calls.expire(key, after, condition)
    }

    fn persist(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.calls.persist(key, condition)
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a> {
        self.calls.scan(pattern)
    }

    fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
        self.calls.delete_matching(pattern)
    }

    fn delete_matching_with(
        &self,
        pattern: &str,
        progress: &SweepListener<'_>,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.calls.delete_matching_with(pattern, progress)
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.fmt(f)
    }
}

impl fmt::Debug for FredBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = &self.calls.get_ref().link;
        f.debug_struct("FredBackend")
            .field("servers", &link.servers())
            .field("state", &link.client().state())
            .finish_non_exhaustive()
    }
}
