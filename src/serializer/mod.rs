//! Values to bytes and back, through serde.

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "messagepack")]
mod messagepack;
mod option;
#[cfg(feature = "postcard")]
mod postcard;

use serde::{Serialize, de::DeserializeSeed};

pub(crate) use self::option::{Decoded, decode, decode_none, encode};
use crate::error::Result;

/// Turns values into bytes and back.
///
/// Shipped: [`Postcard`] (the default), [`Json`] and [`MessagePack`]; the feature of the same name adds the
/// implementation. Write your own around any serde format: `examples/own_codec.rs` adds one, and
/// `larder::conformance` (feature `conformance`) tests it.
///
/// # Laws
///
/// 1. **Round trip.** `decode_seed(encode(v))` gives `v` back for every `v` the format can hold; the format's own docs
///    say what it can not.
/// 2. **Append.** `encode` appends to `out` and leaves what was there alone. After an error `out` may end in a part
///    of the value.
/// 3. **Whole input.** `decode_seed` fails on bytes left over behind the value.
/// 4. **Any input.** `decode_seed` answers any bytes with a value or an error: no panic, and no allocation out of
///    proportion to the input, whatever lengths the input claims. (The checksum keeps damaged bytes from ever reaching
///    a serializer; this is about bytes that somebody forged.)
/// 5. **Unit.** `()` can be encoded. The cache asks for nothing else about `None`: a top-level `Option` never reaches
///    a serializer, because the entry's header says whether there is a value.
/// 6. **Identity.** `ID` names the byte format for ever. 1 to 127 are larder's own, 128 to 255 are yours; 0 is
///    unused. Two formats that can not read each other need two ids.
pub trait Serializer: Send + Sync {
    /// The byte that names this format in every stored entry.
    const ID: u8;

    /// Appends the bytes of `value` to `out`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) where the format can not hold the value.
    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()>;

    /// Reads one value, all of `bytes`, into `seed`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) where the bytes are not exactly one such value.
    fn decode_seed<'de, D: DeserializeSeed<'de>>(&self, bytes: &'de [u8], seed: D) -> Result<D::Value>;
}

/// Compact binary by [postcard](https://postcard.jamesmunns.com/wire-format): the smallest and the quickest of the
/// three, and not self-describing.
///
/// Two fields of one type that change places still decode, into swapped values: raise the cache's `schema_version`
/// whenever a stored type changes. Types that need to look at the input to know what they are
/// (`#[serde(untagged)]`, `serde_json::Value`) do not decode; [`Json`] and [`MessagePack`] take them.
///
/// postcard has no limit of depth or of count: forged bytes can nest a recursive type until the stack ends, or claim a
/// number of empty elements that takes for ever to count. Where others may write to the store, keep such types to the
/// other two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Postcard;

/// JSON by `serde_json`: readable by anything, and by a person in `redis-cli`.
///
/// What JSON itself can not tell apart stays so inside a value: a field of `Some(None)` reads back as `None`, and a
/// float that is not finite is written as `null`. Map keys must be strings or numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json;

/// [MessagePack](https://msgpack.org) by `rmp-serde` with named fields: a binary JSON that other languages read, and
/// that takes added, removed and moved fields as JSON does.
///
/// A field of `Some(None)` reads back as `None`, as in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessagePack;
