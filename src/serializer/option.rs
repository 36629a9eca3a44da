//! A top-level `Option` never reaches the format.
//!
//! `None` is a flag in the entry's header and a top-level `Some` is taken off, so that a value set as `Some(user)`
//! reads back as a `User` and the other way round, in every format, and no byte sequence of any format has to stand
//! for "nothing". One pass does it on either side: [`Peel`] stands around the format's serializer and [`Wrap`] around
//! its deserializer, and both forward everything but an `Option` at the very top.

use std::{cell::Cell, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer as SerdeSerializer,
    de::{self, DeserializeOwned, DeserializeSeed, Visitor},
};

use super::Serializer;
use crate::error::{Error, Result};

/// Appends `value` to `out` without its top-level `Option`s. Where it is a `None`, appends nothing and answers how
/// many `Some`s stand around that `None`.
pub(crate) fn encode<S, T>(serializer: &S, value: &T, out: &mut Vec<u8>) -> Result<Option<u8>>
where
    S: Serializer,
    T: Serialize + ?Sized,
{
    let start = out.len();
    let state = State {
        depth: Cell::new(0),
        none: Cell::new(false),
    };
    serializer.encode(&Peeled { value, state: &state }, out)?;
    if !state.none.get() {
        return Ok(None);
    }
    out.truncate(start);
    u8::try_from(state.depth.get())
        .map(Some)
        .map_err(|_| Error::codec("a None inside more than 255 layers of Some can not be encoded"))
}

/// What a stored value is to a reader of type `T`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded<T> {
    Value(T),
    /// A stored `None`, and `T` is not an `Option`.
    Absent,
}

/// Reads a value that [`encode`] appended, into as many layers of `Some` as `T` has.
pub(crate) fn decode<S, T>(serializer: &S, bytes: &[u8]) -> Result<T>
where
    S: Serializer,
    T: DeserializeOwned,
{
    serializer.decode_seed(bytes, WrapSeed(PhantomData))
}

/// Reads a `None` that stood inside `depth` layers of `Some`.
///
/// A `T` of more layers gets exactly that value back. A `T` of fewer gets the nearest thing it can say: its own
/// innermost `None`, or [`Decoded::Absent`] where it is no `Option` at all.
pub(crate) fn decode_none<T: DeserializeOwned>(depth: u8) -> Decoded<T> {
    (0..=depth)
        .rev()
        .find_map(|depth| T::deserialize(Nothing { depth }).ok())
        .map_or(Decoded::Absent, Decoded::Value)
}

struct State {
    depth: Cell<usize>,
    none: Cell<bool>,
}

struct Peeled<'a, T: ?Sized> {
    value: &'a T,
    state: &'a State,
}

impl<T: Serialize + ?Sized> Serialize for Peeled<'_, T> {
    fn serialize<S: SerdeSerializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A format may go over the value twice, to measure it first.
        self.state.depth.set(0);
        self.state.none.set(false);
        self.value.serialize(Peel {
            inner: serializer,
            state: self.state,
        })
    }
}

struct Peel<'a, S> {
    inner: S,
    state: &'a State,
}

macro_rules! forward_scalars {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<S: SerdeSerializer> SerdeSerializer for Peel<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = S::SerializeSeq;
    type SerializeTuple = S::SerializeTuple;
    type SerializeTupleStruct = S::SerializeTupleStruct;
    type SerializeTupleVariant = S::SerializeTupleVariant;
    type SerializeMap = S::SerializeMap;
    type SerializeStruct = S::SerializeStruct;
    type SerializeStructVariant = S::SerializeStructVariant;

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.state.none.set(true);
        // Only the format can make an `Ok`; what it writes is taken off again.
        self.inner.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.state.depth.set(self.state.depth.get() + 1);
        value.serialize(self)
    }

    forward_scalars! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_str: &str,
        serialize_bytes: &[u8], serialize_unit_struct: &'static str,
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<S::SerializeSeq, S::Error> {
        self.inner.serialize_seq(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<S::SerializeTuple, S::Error> {
        self.inner.serialize_tuple(len)
    }

    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<S::SerializeTupleStruct, S::Error> {
        self.inner.serialize_tuple_struct(name, len)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<S::SerializeTupleVariant, S::Error> {
        self.inner.serialize_tuple_variant(name, index, variant, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<S::SerializeMap, S::Error> {
        self.inner.serialize_map(len)
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<S::SerializeStruct, S::Error> {
        self.inner.serialize_struct(name, len)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<S::SerializeStructVariant, S::Error> {
        self.inner.serialize_struct_variant(name, index, variant, len)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

struct WrapSeed<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for WrapSeed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(Wrap(deserializer))
    }
}

struct Wrap<D>(D);

macro_rules! forward_reads {
    ($($method:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Wrap<D> {
    type Error = D::Error;

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    forward_reads! {
        deserialize_any, deserialize_bool, deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64,
        deserialize_i128, deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64, deserialize_u128,
        deserialize_f32, deserialize_f64, deserialize_char, deserialize_str, deserialize_string, deserialize_bytes,
        deserialize_byte_buf, deserialize_unit, deserialize_seq, deserialize_map, deserialize_identifier,
        deserialize_ignored_any,
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

/// A `None` inside `depth` layers of `Some`, and nothing to any type that is not an `Option`.
struct Nothing {
    depth: u8,
}

#[derive(Debug)]
struct NotAnOption;

macro_rules! refuse_reads {
    ($($method:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NotAnOption> {
            Err(NotAnOption)
        }
    )*};
}

impl<'de> Deserializer<'de> for Nothing {
    type Error = NotAnOption;

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotAnOption> {
        match self.depth.checked_sub(1) {
            None => visitor.visit_none(),
            Some(depth) => visitor.visit_some(Self { depth }),
        }
    }

    /// Asked for by types that take whatever comes: an untagged enum may well have an `Option` inside.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotAnOption> {
        self.deserialize_option(visitor)
    }

    refuse_reads! {
        deserialize_bool, deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64, deserialize_i128,
        deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64, deserialize_u128, deserialize_f32,
        deserialize_f64, deserialize_char, deserialize_str, deserialize_string, deserialize_bytes,
        deserialize_byte_buf, deserialize_unit, deserialize_seq, deserialize_map, deserialize_identifier,
        deserialize_ignored_any,
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, NotAnOption> {
        Err(NotAnOption)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, NotAnOption> {
        Err(NotAnOption)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, NotAnOption> {
        Err(NotAnOption)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, NotAnOption> {
        Err(NotAnOption)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NotAnOption> {
        Err(NotAnOption)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NotAnOption> {
        Err(NotAnOption)
    }
}

impl fmt::Display for NotAnOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored None was read as a type that is not an Option")
    }
}

impl std::error::Error for NotAnOption {}

impl de::Error for NotAnOption {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}
