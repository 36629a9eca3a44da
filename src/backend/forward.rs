use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::Stream;

use super::{AtOnce, CacheBackend, Capabilities, Condition, Entry, Head, Outcome, SetItem, SetOptions, SweepListener};
use crate::error::Result;

macro_rules! forward_to_inner {
    ($(#[$doc:meta])* impl<$($lifetime:lifetime,)? $inner:ident> for $outer:ty) => {
        $(#[$doc])*
        #[deny(clippy::missing_trait_methods)]
        impl<$($lifetime,)? $inner: CacheBackend> CacheBackend for $outer {
            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }

            fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
                (**self).get(key)
            }

            fn get_joined(&self, prefix: &str, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
                (**self).get_joined(prefix, key)
            }

            fn get_at_once(&self, prefix: &str, key: &str) -> AtOnce {
                (**self).get_at_once(prefix, key)
            }

            fn get_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Option<Entry>>>> + Send {
                (**self).get_many(keys)
            }

            fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send {
                (**self).head(key, n)
            }

            fn set(
                &self,
                key: &str,
                value: Bytes,
                options: SetOptions,
            ) -> impl Future<Output = Result<Outcome>> + Send {
                (**self).set(key, value, options)
            }

            fn set_many(&self, items: Vec<SetItem>) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
                (**self).set_many(items)
            }

            fn delete(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
                (**self).delete(key, condition)
            }

            fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
                (**self).delete_many(keys)
            }

            fn expire(
                &self,
                key: &str,
                after: Duration,
                condition: Condition,
            ) -> impl Future<Output = Result<Outcome>> + Send {
                (**self).expire(key, after, condition)
            }

            fn persist(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
                (**self).persist(key, condition)
            }

            fn scan<'a>(
                &'a self,
                pattern: &str,
            ) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a, $($lifetime,)? $inner> {
                (**self).scan(pattern)
            }

            fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
                (**self).delete_matching(pattern)
            }

            fn delete_matching_with(
                &self,
                pattern: &str,
                progress: &SweepListener<'_>,
            ) -> impl Future<Output = Result<u64>> + Send {
                (**self).delete_matching_with(pattern, progress)
            }
        }
    };
}

forward_to_inner! {
    /// An `Arc` of a backend is the same backend.
    impl<B> for Arc<B>
}

forward_to_inner! {
    /// A reference to a backend is the same backend.
    impl<'b, B> for &'b B
}
