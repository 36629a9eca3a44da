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

/// What a reader expects of an entry.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// `None` where the checksum, which covers the key, was checked before in this process.
    pub(crate) key: Option<&'a str>,
    pub(crate) schema: u32,
    pub(crate) max_value_bytes: usize,
}

/// Checks the whole entry and decodes its value; `on_size` hears how many bytes that has, serialized.
///
/// Whatever is odd about the entry is an `Undecodable`, never a wrong value.
pub(crate) fn open<S, C, T>(
    serializer: &S,
    compressor: &C,
    expected: Expected<'_>,
    entry: &[u8],
    on_size: impl FnOnce(usize),
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
    header.check(S::ID, C::ID, expected.schema)?;
    let payload = &entry[header.len..];
    if let Some(key) = expected.key
        && checksum(key, header.covered(entry), payload) != header.checksum
    {
        return Err(Undecodable::Checksum);
    }
    let value = if header.none {
        let [layers] = payload else {
            return Err(Undecodable::Malformed);
        };
        on_size(payload.len());
        serializer::decode_none(*layers)
    } else if header.compressor == 0 {
        on_size(payload.len());
        decode(serializer, payload)?
    } else {
        let mut unpacked = Vec::new();
        compressor
            .decompress(payload, expected.max_value_bytes, &mut unpacked)
            .map_err(|_| Undecodable::Payload)?;
        on_size(unpacked.len());
        decode(serializer, &unpacked)?
    };
    Ok(Opened::Value(value, header))
}

fn decode<S: Serializer, T: DeserializeOwned>(serializer: &S, payload: &[u8]) -> Result<Decoded<T>, Undecodable> {
    serializer::decode(serializer, payload)
        .map(Decoded::Value)
        .map_err(|_| Undecodable::Payload)
}
