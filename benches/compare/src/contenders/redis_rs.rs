//! redis-rs itself, by its `ConnectionManager`.

use std::hint::black_box;

use redis::{AsyncCommands, Client, aio::ConnectionManager};

use crate::{
    contender::{Many, Raw, Remote},
    payload::Payload,
};

/// Values in postcard.
pub(crate) struct Redis(ConnectionManager);

/// Bytes that nobody decodes.
pub(crate) struct RedisBytes(ConnectionManager);

impl Redis {
    pub(crate) async fn connect(url: &str) -> Self {
        let client = Client::open(url).expect("the fixture's own URL");
        Self(client.get_connection_manager().await.expect("the server is there"))
    }

    pub(crate) fn bytes(&self) -> RedisBytes {
        RedisBytes(self.0.clone())
    }
}

async fn read(connection: &ConnectionManager, key: &str) -> Option<Vec<u8>> {
    connection.clone().get(key).await.expect("the server answers")
}

async fn write<P: Payload>(connection: &ConnectionManager, key: &str, value: &P) {
    let written: Result<(), _> = connection.clone().pset_ex(key, encode(value), 3_600_000).await;
    written.expect("the server takes every write");
}

fn encode<P: Payload>(value: &P) -> Vec<u8> {
    postcard::to_stdvec(value).expect("postcard takes every payload")
}

fn decode<P: Payload>(bytes: &[u8]) -> P {
    postcard::from_bytes(bytes).expect("the bytes are a payload")
}

impl<P: Payload> Remote<P> for Redis {
    type Answer = P;

    async fn get(&self, key: &str) -> Option<P> {
        read(&self.0, key).await.map(|bytes| decode(&bytes))
    }

    async fn set(&self, key: &str, value: &P) {
        write(&self.0, key, value).await;
    }
}

impl<P: Payload> Remote<P> for RedisBytes {
    type Answer = Raw;

    async fn get(&self, key: &str) -> Option<Raw> {
        read(&self.0, key).await.map(|bytes| Raw(bytes.into()))
    }

    async fn set(&self, key: &str, value: &P) {
        write(&self.0, key, value).await;
    }
}

impl<P: Payload> Many<P> for Redis {
    async fn get_many(&self, keys: &[String]) -> usize {
        let found: Vec<Option<Vec<u8>>> = self.0.clone().mget(keys).await.expect("the server answers");
        let found: Vec<P> = found.into_iter().flatten().map(|bytes| decode(&bytes)).collect();
        black_box(found).len()
    }

    async fn set_many(&self, items: &[(String, P)]) {
        let mut pipe = redis::pipe();
        for (key, value) in items {
            pipe.pset_ex(key, encode(value), 3_600_000).ignore();
        }
        let written: Result<(), _> = pipe.query_async(&mut self.0.clone()).await;
        written.expect("the server takes every write");
    }
}
