//! The backend of a client, which is a store and shows nothing of it.

/// Makes the backend of a client around the [`Store`](crate::Store) on its connection.
#[macro_export]
macro_rules! backend {
    ($(#[$doc:meta])* $backend:ident around $connection:ty) => {
        /// Redis or Valkey as a store of a cache's bytes; made by [`ConnectionManager::backend`](crate::ConnectionManager::backend).
        ///
        /// Clones share the connection.
        ///
        /// # Behavior
        ///
        /// Beyond the contract of [`CacheBackend`](larder::CacheBackend):
        ///
        /// - Each command has the deadline of the connection and is sent once, never again after a failure. A command
        ///   that is not in the client's hands by its deadline is not sent at all.
        /// - While the server is away, calls fail at once; within the first moments of an outage, at their deadline.
        /// - A server that answers LOADING, BUSY, CLUSTERDOWN or MASTERDOWN, or that it has too many clients, counts as away, and
        ///   so do the nodes of a cluster that go on redirecting a call: [`ErrorKind::Connection`](larder::ErrorKind::Connection). Every other error it answers is
        ///   [`ErrorKind::Server`](larder::ErrorKind::Server) in its own words.
        /// - A call whose future is dropped after it was sent goes on in the background until its answer or its deadline, and
        ///   counts as in flight until then; one that still waits for others to go with is not sent. So a write is not left to be sent when a lost connection is back, callers who give up
        ///   early can not exceed [`RedisConfig::with_max_in_flight`](crate::RedisConfig::with_max_in_flight), and a
        ///   connection that leaves them unanswered is found out.
        /// - A connection that answers nothing for a second is replaced.
        /// - A write whose connection breaks before its answer fails with
        ///   [`ErrorKind::Connection`](larder::ErrorKind::Connection), and may have been applied.
        /// - `get`s that are under way at the same time go together, as MGETs: see [`Batched`](larder::Batched). On a
        ///   cluster each goes by itself, because MGET takes keys of one slot only. [`unbatched`](Self::unbatched) leaves
        ///   that out.
        /// - A `set` keeps [its own deadline](larder::SetOptions::deadline) where that is shorter. One that waited for
        ///   others to go with has waited on its own time: what had not left when that was over is never sent.
        /// - A batch goes out as one pipeline per 1 024 commands, and in more where some have less than half of the time that
        ///   others have. Where the server is away for all of one part, the parts
        ///   after it are not tried.
        /// - `scan` asks for 512 keys a page. `delete_matching` removes a page by one UNLINK; on a cluster, and where the
        ///   server refuses that, by one for each key.
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $backend {
            calls: $crate::__private::Batched<$crate::Store<$connection>>,
        }

        impl $backend {
            pub(crate) fn new(store: $crate::Store<$connection>) -> Self {
                Self {
                    calls: store.batched(),
                }
            }

            /// The same backend without batches: each `get` is a GET of its own, and each `set` is sent by itself.
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
                self.calls.get_ref().wrong_type_reads()
            }
        }

        impl std::fmt::Debug for $backend {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($backend)).field(self.calls.get_ref()).finish()
            }
        }

        const _: () = {
            use std::{future::Future, time::Duration};

            use $crate::__private::{
                Bytes, CacheBackend, Capabilities, Condition, Entry, Head, Outcome, Result, SetItem, SetOptions, Stream,
                SweepListener,
            };

            #[deny(clippy::missing_trait_methods)]
            impl CacheBackend for $backend {
                fn capabilities(&self) -> Capabilities {
                    self.calls.capabilities()
                }

                fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
                    self.calls.get(key)
                }

                fn get_joined(&self, prefix: &str, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
                    self.calls.get_joined(prefix, key)
                }

                fn get_at_once(&self, _: &str, _: &str) -> larder::AtOnce {
                    larder::AtOnce::Unknown
                }

                fn get_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Option<Entry>>>> + Send {
                    self.calls.get_many(keys)
                }

                fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send {
                    self.calls.head(key, n)
                }

                fn set(
                    &self,
                    key: &str,
                    value: Bytes,
                    options: SetOptions,
                ) -> impl Future<Output = Result<Outcome>> + Send {
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

                fn expire(
                    &self,
                    key: &str,
                    after: Duration,
                    condition: Condition,
                ) -> impl Future<Output = Result<Outcome>> + Send {
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
        };
    };
}
