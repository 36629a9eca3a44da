//! fred itself: the client larder-fred stands on.

use std::hint::black_box;

use bytes::Bytes;
use fred::{
    clients::Client,
    interfaces::{ClientLike, KeysInterface},
    types::{
        Builder, Expiration,
        config::{Config, TcpConfig},
    },
};
use futures::future::join_all;

use crate::{
    contender::{Many, Raw, Remote},
    payload::Payload,
};

/// Values in postcard.
pub(crate) struct Fred(Client);

/// Bytes that nobody decodes.
pub(crate) struct FredBytes(Client);

impl Fred {
    /// As its README shows it: without Nagle's algorithm.
    pub(crate) async fn connect(url: &str) -> Self {
        Self::connect_with(url, Some(true)).await
    }

    /// With what it does where nobody says anything.
    pub(crate) async fn connect_with_nagle(url: &str) -> Self {
        Self::connect_with(url, None).await
    }

    async fn connect_with(url: &str, nodelay: Option<bool>) -> Self {
        let config = Config::from_url(url).expect("the fixture's own URL");
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.tcp = TcpConfig {
                    nodelay,
                    ..TcpConfig::default()
                };
            })
            .build()
            .expect("the settings are in range");
        client.init().await.expect("the server is there");
        Self(client)
    }

    pub(crate) fn bytes(&self) -> FredBytes {
        FredBytes(self.0.clone())
    }
}

async fn read(client: &Client, key: &str) -> Option<Bytes> {
    client.get(key).await.expect("the server answers")
}

async fn write<P: Payload>(client: &Client, key: &str, value: &P) {
    let bytes = Bytes::from(postcard::to_stdvec(value).expect("postcard takes every payload"));
    let written: Result<(), _> = client
        .set(key, bytes, Some(Expiration::PX(3_600_000)), None, false)
        .await;
    written.expect("the server takes every write");
}

impl<P: Payload> Remote<P> for Fred {
    type Answer = P;

    async fn get(&self, key: &str) -> Option<P> {
        let bytes = read(&self.0, key).await?;
        Some(postcard::from_bytes(&bytes).expect("the bytes are a payload"))
    }

    async fn set(&self, key: &str, value: &P) {
        write(&self.0, key, value).await;
    }
}

impl<P: Payload> Remote<P> for FredBytes {
    type Answer = Raw;

    async fn get(&self, key: &str) -> Option<Raw> {
        read(&self.0, key).await.map(Raw)
    }

    async fn set(&self, key: &str, value: &P) {
        write(&self.0, key, value).await;
    }
}

impl<P: Payload> Many<P> for Fred {
    async fn get_many(&self, keys: &[String]) -> usize {
        let found: Vec<Option<Bytes>> = self.0.mget(keys.to_vec()).await.expect("the server answers");
        let decode = |bytes: Bytes| postcard::from_bytes::<P>(&bytes).expect("the bytes are a payload");
        let found: Vec<P> = found.into_iter().flatten().map(decode).collect();
        black_box(found).len()
    }

    // Faster than fred's own pipeline.
    async fn set_many(&self, items: &[(String, P)]) {
        join_all(items.iter().map(|(key, value)| write(&self.0, key, value))).await;
    }
}
