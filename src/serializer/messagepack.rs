use rmp_serde::decode::Deserializer;
use serde::{Serialize, de::DeserializeSeed};

use super::{MessagePack, Serializer};
use crate::error::{Error, Result};

impl Serializer for MessagePack {
    const ID: u8 = 3;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
        value
            .serialize(&mut serializer)
            .map_err(|error| Error::codec(format!("messagepack can not encode the value: {error}")).with_source(error))
    }

    fn decode_seed<'de, D: DeserializeSeed<'de>>(&self, bytes: &'de [u8], seed: D) -> Result<D::Value> {
        // The borrowing reader does not tell what it left over.
        let mut deserializer = Deserializer::new(bytes);
        let value = seed.deserialize(&mut deserializer).map_err(|_| {
            // The cause quotes the offending text, and stored values stay out of messages and logs.
            Error::codec("messagepack can not decode the value: not of this type, or not MessagePack")
        })?;
        match deserializer.get_ref().len() {
            0 => Ok(value),
            rest => Err(Error::codec(format!(
                "messagepack decoded the value and {rest} bytes were left over"
            ))),
        }
    }
}
