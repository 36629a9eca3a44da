use ::postcard::{Deserializer, Result as PostcardResult, ser_flavors::Flavor, serialize_with_flavor};
use serde::{Serialize, de::DeserializeSeed};

use super::{Postcard, Serializer};
use crate::error::{Error, Result};

/// Writes to the end of a borrowed vector; postcard's own vector flavours start a new one.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> PostcardResult<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> PostcardResult<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> PostcardResult<()> {
        Ok(())
    }
}

impl Serializer for Postcard {
    const ID: u8 = 1;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        serialize_with_flavor(value, Append(out))
            .map_err(|error| Error::codec(format!("postcard can not encode the value: {error}")).with_source(error))
    }

    fn decode_seed<'de, D: DeserializeSeed<'de>>(&self, bytes: &'de [u8], seed: D) -> Result<D::Value> {
        let refuse = |error: ::postcard::Error| {
            Error::codec(format!("postcard can not decode the value: {error}")).with_source(error)
        };
        let mut deserializer = Deserializer::from_bytes(bytes);
        let value = seed.deserialize(&mut deserializer).map_err(refuse)?;
        match deserializer.finalize().map_err(refuse)? {
            [] => Ok(value),
            rest => Err(Error::codec(format!(
                "postcard decoded the value and {} bytes were left over",
                rest.len()
            ))),
        }
    }
}
