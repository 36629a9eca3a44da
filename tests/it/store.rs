//! Stores around stores.

/// A store around another, which is its first field, with reads of its own.
macro_rules! forward_to_store {
    ($store:ident, $($read:tt)*) => {
        impl larder::CacheBackend for $store {
            $($read)*

            async fn head(&self, key: &str, n: usize) -> larder::Result<Option<larder::Head>> {
                self.0.head(key, n).await
            }

            async fn set(
                &self,
                key: &str,
                value: bytes::Bytes,
                options: larder::SetOptions,
            ) -> larder::Result<larder::Outcome> {
                self.0.set(key, value, options).await
            }

            async fn set_many(&self, items: Vec<larder::SetItem>) -> Vec<larder::Result<larder::Outcome>> {
                self.0.set_many(items).await
            }

            async fn delete(&self, key: &str, condition: larder::Condition) -> larder::Result<larder::Outcome> {
                self.0.delete(key, condition).await
            }

            async fn delete_many(&self, keys: &[&str]) -> Vec<larder::Result<larder::Outcome>> {
                self.0.delete_many(keys).await
            }

            async fn expire(
                &self,
                key: &str,
                after: std::time::Duration,
                condition: larder::Condition,
            ) -> larder::Result<larder::Outcome> {
                self.0.expire(key, after, condition).await
            }

            async fn persist(&self, key: &str, condition: larder::Condition) -> larder::Result<larder::Outcome> {
                self.0.persist(key, condition).await
            }

            fn scan<'a>(
                &'a self,
                pattern: &str,
            ) -> impl futures::Stream<Item = larder::Result<Vec<String>>> + Send + use<'a> {
                self.0.scan(pattern)
            }
        }
    };
}
pub(crate) use forward_to_store;
