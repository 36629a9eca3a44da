//! Values of every shape serde knows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) small: i8,
    pub(crate) large: u64,
    pub(crate) signed: i64,
    pub(crate) ratio: f64,
    pub(crate) flag: bool,
    pub(crate) letter: char,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) maybe: Option<u32>,
    pub(crate) pair: (u16, String),
    pub(crate) shape: Shape,
    pub(crate) tags: BTreeMap<String, Vec<i32>>,
    pub(crate) unit: (),
    pub(crate) wrapped: Wrapped,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Shape {
    Nothing,
    Named { width: u32, height: Option<u32> },
    Tuple(i32, String),
    One(Box<Shape>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wrapped(pub(crate) Option<String>);

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Nothing),
        (any::<u32>(), any::<Option<u32>>()).prop_map(|(width, height)| Shape::Named { width, height }),
        (any::<i32>(), ".{0,20}").prop_map(|(number, text)| Shape::Tuple(number, text)),
    ];
    leaf.prop_recursive(3, 8, 1, |inner| inner.prop_map(|shape| Shape::One(Box::new(shape))))
}

pub(crate) fn sample() -> impl Strategy<Value = Sample> {
    let numbers = (
        any::<i8>(),
        any::<u64>(),
        any::<i64>(),
        prop::num::f64::NORMAL | prop::num::f64::ZERO,
        any::<bool>(),
        any::<char>(),
    );
    let texts = (
        ".{0,400}",
        prop::collection::vec(any::<u8>(), 0..3000),
        any::<Option<u32>>(),
        (any::<u16>(), ".{0,10}"),
        shape(),
        prop::collection::btree_map(".{0,8}", prop::collection::vec(any::<i32>(), 0..5), 0..5),
        prop::option::of(".{0,8}"),
    );
    (numbers, texts).prop_map(
        |((small, large, signed, ratio, flag, letter), (text, bytes, maybe, pair, shape, tags, wrapped))| Sample {
            small,
            large,
            signed,
            ratio,
            flag,
            letter,
            text,
            bytes,
            maybe,
            pair,
            shape,
            tags,
            unit: (),
            wrapped: Wrapped(wrapped),
        },
    )
}
