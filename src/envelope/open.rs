use serde::de::DeserializeOwned;

use super::{
    Undecodable,
    header::{Header, Parsed, parse},
    seal::checksum,
};
use crate::{
    compressor::Compressor,
    serializer::{self, Decoded, Serializer},
};

/// A stored entry as a cache's readers see it.
#[derive(Debug)]
pub(crate) enum Opened<T> {
    Marker,
    Value(Decoded<T>, Header),
}

/// Checks the whole entry and decodes its value. Whatever is odd about it is an `Undecodable`, never a wrong value.
///
/// The checksum of one that `is_intact` was checked before, in this process.
pub(crate) fn open<S, C, T>(
    serializer: &S,
    compressor: &C,
    max_value_bytes: usize,
    schema: u32,
    key: &str,
    entry: &[u8],
    is_intact: bool,
) -> Result<Opened<T>, Undecodable>
where
    S: Serializer,
    C: Compressor,
    T: DeserializeOwned,
{
    let header = match parse(entry)? {
        Parsed::Marker(_) => return Ok(Opened::Marker),
        Parsed::Value(header) => header,
    };
    header.check(S::ID, C::ID, schema)?;
    let payload = &entry[header.len..];
    if !is_intact && checksum(key, header.covered(entry), payload) != header.checksum {
        return Err(Undecodable::Checksum);
    }
    let value = if header.none {
        let [layers] = payload else {
            return Err(Undecodable::Malformed);
        };
        serializer::decode_none(*layers)
    } else if header.compressor == 0 {
        decode(serializer, payload)?
    } else {
        let mut unpacked = Vec::new();
        compressor
            .decompress(payload, max_value_bytes, &mut unpacked)
            .map_err(|_| Undecodable::Payload)?;
        decode(serializer, &unpacked)?
    };
    Ok(Opened::Value(value, header))
}

fn decode<S: Serializer, T: DeserializeOwned>(serializer: &S, payload: &[u8]) -> Result<Decoded<T>, Undecodable> {
    serializer::decode(serializer, payload)
        .map(Decoded::Value)
        .map_err(|_| Undecodable::Payload)
}
