//! The written laws of serializers and compressors.

use std::{collections::BTreeMap, marker::PhantomData};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Compressor, Serializer};

/// What every format has to hold: the shapes of serde's data model that caches store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Specimen {
    numbers: (i8, i16, i32, i64, u8, u16, u32, u64, f32, f64),
    flag: bool,
    letter: char,
    text: String,
    list: Vec<Option<u32>>,
    map: BTreeMap<String, Vec<u8>>,
    choice: Vec<Choice>,
    unit: (),
    newtype: Newtype,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    Newtype(u64),
    Tuple(i32, String),
    Struct { inner: Option<Box<Choice>> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newtype(Option<String>);

fn specimen() -> Specimen {
    Specimen {
        numbers: (
            i8::MIN,
            i16::MIN,
            i32::MIN,
            i64::MIN,
            u8::MAX,
            u16::MAX,
            u32::MAX,
            u64::MAX,
            1.5,
            f64::MIN_POSITIVE,
        ),
        flag: true,
        letter: '🦀',
        text: "line\nbreak, \"quote\", \0, 日本語".into(),
        list: vec![None, Some(0), Some(u32::MAX)],
        map: BTreeMap::from([(String::new(), vec![]), ("key".into(), (0..=255).collect())]),
        choice: vec![
            Choice::Unit,
            Choice::Newtype(1),
            Choice::Tuple(-1, "two".into()),
            Choice::Struct {
                inner: Some(Box::new(Choice::Struct { inner: None })),
            },
        ],
        unit: (),
        newtype: Newtype(Some("inside".into())),
    }
}

/// Holds a serializer to the laws written at [`Serializer`].
///
/// # Panics
///
/// With the law that is broken.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "json")]
/// larder::conformance::serializer(&larder::Json);
/// ```
pub fn serializer<S: Serializer>(serializer: &S) {
    assert_ne!(S::ID, 0, "identity: the serializer id 0 is unused");
    round_trip(serializer, &specimen());
    round_trip(serializer, &());
    round_trip(serializer, &0_u8);
    round_trip(serializer, &String::new());
    round_trip(serializer, &"x".repeat(1 << 20));
    round_trip(serializer, &vec![u64::MAX; 10_000]);
    round_trip(serializer, &Vec::<Option<String>>::new());
    round_trip(serializer, &(1_u8, Some(2_u8)));
    round_trip(serializer, &Choice::Unit);
    any_input(serializer);
}

fn encoded<S: Serializer, T: Serialize + ?Sized>(serializer: &S, value: &T) -> Vec<u8> {
    let mut out = b"before".to_vec();
    serializer
        .encode(value, &mut out)
        .unwrap_or_else(|error| panic!("round trip: the specimen is not encoded: {error}"));
    let appended = out.strip_prefix(b"before").map(<[u8]>::to_vec);
    appended.unwrap_or_else(|| panic!("append: encode changed what was in the buffer"))
}

fn decoded<S: Serializer, T: DeserializeOwned>(serializer: &S, bytes: &[u8]) -> crate::Result<T> {
    serializer.decode_seed(bytes, PhantomData)
}

fn round_trip<S, T>(serializer: &S, value: &T)
where
    S: Serializer,
    T: Serialize + DeserializeOwned + PartialEq,
{
    let bytes = encoded(serializer, value);
    match decoded::<S, T>(serializer, &bytes) {
        Ok(read) => assert!(read == *value, "round trip: a value came back as another one"),
        Err(error) => panic!("round trip: what was encoded is not decoded: {error}"),
    }
    for more in [0_u8, b' ' + 1, 0xFF] {
        let longer = [bytes.as_slice(), &[more]].concat();
        assert!(
            decoded::<S, T>(serializer, &longer).is_err(),
            "whole input: a byte {more:#04x} behind the value is not noticed"
        );
    }
}

/// Bytes that are cut off, changed or made up: each is a value or an error, and neither a panic nor a huge allocation.
fn any_input<S: Serializer>(serializer: &S) {
    let bytes = encoded(serializer, &specimen());
    for len in 0..bytes.len() {
        assert!(
            decoded::<S, Specimen>(serializer, &bytes[..len]).is_err(),
            "any input: the first {len} of {} bytes pass for the whole value",
            bytes.len()
        );
    }
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            drop(decoded::<S, Specimen>(serializer, &changed));
        }
    }
    // Lengths that no input has the bytes for, in the encodings in use: varints, fixed widths, text.
    for lie in [
        vec![0xFF; 9],
        [vec![0xFF; 9], vec![0x01]].concat(),
        [vec![0xDD], vec![0xFF; 4]].concat(),
        [vec![0xDB], vec![0x7F; 4]].concat(),
        [vec![0xC6], vec![0x7F; 4]].concat(),
        vec![b'['; 100_000],
        vec![0x91; 100_000],
    ] {
        drop(decoded::<S, Vec<u64>>(serializer, &lie));
        drop(decoded::<S, String>(serializer, &lie));
        drop(decoded::<S, Vec<Vec<Vec<u8>>>>(serializer, &lie));
        drop(decoded::<S, Specimen>(serializer, &lie));
    }
}

/// Holds a compressor to the laws written at [`Compressor`].
///
/// # Panics
///
/// With the law that is broken.
///
/// # Examples
///
/// ```
/// larder::conformance::compressor(&larder::NoCompression);
/// ```
pub fn compressor<C: Compressor>(compressor: &C) {
    for original in originals() {
        let packed = packed(compressor, &original);
        assert_eq!(
            unpacked(compressor, &packed, original.len()).as_deref().ok(),
            Some(original.as_slice()),
            "round trip: {} bytes came back changed, or not at a limit of their own length",
            original.len()
        );
        if let Some(less) = original.len().checked_sub(1) {
            assert!(
                unpacked(compressor, &packed, less).is_err(),
                "limit first: {} bytes were appended at a limit of {less}",
                original.len()
            );
        }
        // A sample of the places, since a large input takes its time at each.
        let step = (packed.len() / 64).max(1);
        if original.len() > 1 << 18 {
            continue;
        }
        for len in (0..packed.len()).step_by(step) {
            let _ = unpacked(compressor, &packed[..len], original.len());
            let mut changed = packed.clone();
            changed[len] ^= 0xFF;
            let _ = unpacked(compressor, &changed, original.len());
        }
    }
    for made_up in [vec![], vec![0xFF; 3], vec![0xFF; 64], vec![0; 64], (0..=255).collect()] {
        let _ = unpacked(compressor, &made_up, 1 << 16);
    }
}

fn originals() -> Vec<Vec<u8>> {
    let mut state = 1_u32;
    let noise = (0..100_000).map(|_| {
        // The constants of Numerical Recipes: any bytes will do, as long as they do not repeat.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    vec![
        vec![],
        vec![0],
        b"short".to_vec(),
        vec![7; 1 << 20],
        b"the same words over and over, ".repeat(1000),
        noise.collect(),
    ]
}

fn packed<C: Compressor>(compressor: &C, original: &[u8]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    compressor
        .compress(original, &mut out)
        .unwrap_or_else(|error| panic!("round trip: {} bytes are not compressed: {error}", original.len()));
    let appended = out.strip_prefix(b"before").map(<[u8]>::to_vec);
    appended.unwrap_or_else(|| panic!("append: compress changed what was in the buffer"))
}

/// Decompresses behind bytes that must stay, and holds the output to the limit.
fn unpacked<C: Compressor>(compressor: &C, packed: &[u8], limit: usize) -> crate::Result<Vec<u8>> {
    let mut out = b"before".to_vec();
    let result = compressor.decompress(packed, limit, &mut out);
    let Some(appended) = out.strip_prefix(b"before") else {
        panic!("append: decompress changed what was in the buffer");
    };
    assert!(
        appended.len() <= limit,
        "limit first: {} bytes were appended at a limit of {limit}",
        appended.len()
    );
    result.map(|()| appended.to_vec())
}
