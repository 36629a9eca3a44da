use serde::{Serialize, de::DeserializeSeed};

use super::{Json, Serializer};
use crate::error::{Error, Result};

impl Serializer for Json {
    const ID: u8 = 2;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, value)
            .map_err(|error| Error::codec(format!("json can not encode the value: {error}")).with_source(error))
    }

    fn decode_seed<'de, D: DeserializeSeed<'de>>(&self, bytes: &'de [u8], seed: D) -> Result<D::Value> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        seed.deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|error| {
                // serde_json quotes the offending text, and stored values stay out of messages and logs.
                Error::codec(format!(
                    "json can not decode the value: {:?} error at line {} column {}",
                    error.classify(),
                    error.line(),
                    error.column()
                ))
            })
    }
}
