use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Json, Lz4, MessagePack, NoCompression, Postcard, Snappy, Zstd, compressor::Compressor, error::Result,
    serializer::Serializer,
};

/// One pair, with its types erased: what a virtual call costs is the same for all.
pub(super) trait Codec<T> {
    /// Appends the stored form of `value` to `out`; `serialized` is room for the step between.
    fn encode(&self, value: &T, serialized: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()>;

    /// Reads what `encode` wrote.
    fn decode(&self, stored: &[u8], serialized: &mut Vec<u8>) -> Result<T>;
}

pub(super) struct Pair<T> {
    pub(super) serializer: &'static str,
    pub(super) compressor: &'static str,
    pub(super) codec: Box<dyn Codec<T>>,
}

/// Every shipped pair, by serializer.
pub(super) fn pairs<T: Serialize + DeserializeOwned>() -> Vec<Pair<T>> {
    let mut pairs = with_serializer("postcard", Postcard);
    pairs.extend(with_serializer("json", Json));
    pairs.extend(with_serializer("messagepack", MessagePack));
    pairs
}

fn with_serializer<T, S>(serializer: &'static str, codec: S) -> Vec<Pair<T>>
where
    T: Serialize + DeserializeOwned,
    S: Serializer + Copy + 'static,
{
    let pair = |compressor, codec| Pair {
        serializer,
        compressor,
        codec,
    };
    vec![
        pair("none", Box::new((codec, NoCompression)) as Box<dyn Codec<T>>),
        pair("snappy", Box::new((codec, Snappy))),
        pair("lz4", Box::new((codec, Lz4))),
        pair("zstd", Box::new((codec, Zstd::default()))),
    ]
}

impl<T, S, C> Codec<T> for (S, C)
where
    T: Serialize + DeserializeOwned,
    S: Serializer,
    C: Compressor,
{
    fn encode(&self, value: &T, serialized: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        if C::ID == 0 {
            return self.0.encode(value, out);
        }
        serialized.clear();
        self.0.encode(value, serialized)?;
        self.1.compress(serialized, out)
    }

    fn decode(&self, stored: &[u8], serialized: &mut Vec<u8>) -> Result<T> {
        if C::ID == 0 {
            return self.0.decode_seed(stored, PhantomData);
        }
        serialized.clear();
        self.1.decompress(stored, usize::MAX, serialized)?;
        self.0.decode_seed(serialized, PhantomData)
    }
}
