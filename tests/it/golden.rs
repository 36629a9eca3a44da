//! Entries of every released version decode for ever.
//!
//! A file in `tests/golden/` is never changed. To add those of a new version, write them once with
//! `LARDER_GOLDEN=write cargo test --all-features golden`: files that exist are left alone.

use std::{env, fs, path::PathBuf, time::Duration};

use larder::{
    Cache, CacheBackend, Compressor, Expiry, Json, KeyTtl, Lookup, Lz4, MessagePack, NoCompression, Postcard,
    Serializer, SetOptions, Snappy, Zstd,
};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::backends::{World, block_on, memory};

const KEY: &str = "user:1";
const SCHEMA: u32 = 7;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: Option<String>,
    scores: Vec<f64>,
    bio: String,
}

fn user() -> User {
    User {
        id: 4_294_967_297,
        name: "Ada Lovelace".into(),
        email: None,
        scores: vec![1.5, -2.25, 1e300],
        bio: "The Analytical Engine weaves algebraical patterns. ".repeat(30),
    }
}

/// The bytes of a golden file; where it is missing, writes it if asked to, and fails otherwise.
fn golden(name: &str, now: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if !path.exists() && env::var_os("LARDER_GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&path, now()).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; see the head of this test's file", path.display()))
}

fn store<B: CacheBackend>(backend: &B, key: &str, bytes: Vec<u8>) {
    block_on(backend.set(key, bytes.into(), SetOptions::new(Expiry::Never))).unwrap();
}

fn decodes_for_ever<S: Serializer + Copy, C: Compressor + Copy>(name: &str, serializer: S, compressor: C) {
    let world = memory();
    let cache = || {
        let builder = world.builder().prefix("golden").schema_version(SCHEMA);
        builder.serializer(serializer).compressor(compressor).build().unwrap()
    };
    let written = |value: &dyn Fn(&Cache<_, S, C>)| {
        value(&cache());
        block_on(world.backend.get("golden:user:1"))
            .unwrap()
            .unwrap()
            .bytes()
            .to_vec()
    };

    let file = golden(&format!("v1-{name}-value.bin"), || {
        written(&|cache| block_on(cache.set(KEY, &user(), 60)).unwrap())
    });
    store(&world.backend, "golden:user:1", file);
    assert_eq!(block_on(cache().get::<User>(KEY)).unwrap(), Some(user()), "{name}");

    let file = golden(&format!("v1-{name}-some-none.bin"), || {
        written(&|cache| block_on(cache.set(KEY, &Some(None::<User>), 60)).unwrap())
    });
    store(&world.backend, "golden:user:1", file);
    let read = block_on(cache().lookup::<Option<Option<User>>>(KEY)).unwrap();
    assert_eq!(read, Lookup::Hit(Some(None)), "{name}");
    assert_eq!(block_on(cache().lookup::<User>(KEY)).unwrap(), Lookup::Absent, "{name}");
}

#[test]
fn golden_entries_of_every_codec_decode() {
    decodes_for_ever("postcard-plain", Postcard, NoCompression);
    decodes_for_ever("postcard-snappy", Postcard, Snappy);
    decodes_for_ever("postcard-lz4", Postcard, Lz4);
    decodes_for_ever("postcard-zstd", Postcard, Zstd::default());
    decodes_for_ever("json-plain", Json, NoCompression);
    decodes_for_ever("json-snappy", Json, Snappy);
    decodes_for_ever("json-lz4", Json, Lz4);
    decodes_for_ever("json-zstd", Json, Zstd::default());
    decodes_for_ever("messagepack-plain", MessagePack, NoCompression);
    decodes_for_ever("messagepack-snappy", MessagePack, Snappy);
    decodes_for_ever("messagepack-lz4", MessagePack, Lz4);
    decodes_for_ever("messagepack-zstd", MessagePack, Zstd::default());
}

/// An entry built from `docs/format.md` alone, with none of the library's code.
fn by_hand(key: &str, lease: Option<(u64, u64, u32)>, times: Option<(u64, u64, u32)>, payload: &[u8]) -> Vec<u8> {
    let mut fixed = vec![0xF5, 0x4C, 1, b'V'];
    fixed.extend(0x1122_3344_5566_7788_u64.to_le_bytes());
    fixed.push(u8::from(lease.is_some()) << 1 | u8::from(times.is_some()) << 2);
    let block = |(first, second, third): (u64, u64, u32)| {
        [
            first.to_le_bytes().as_slice(),
            &second.to_le_bytes(),
            &third.to_le_bytes(),
        ]
        .concat()
    };
    let mut rest = vec![1, 0];
    rest.extend(0_u32.to_le_bytes());
    rest.extend(times.map(block).unwrap_or_default());

    let mut hash = XxHash3_64::oneshot(key.as_bytes());
    for part in [fixed.as_slice(), &rest, payload] {
        hash = XxHash3_64::oneshot_with_seed(hash, part);
    }
    [
        fixed,
        lease.map(block).unwrap_or_default(),
        rest,
        hash.to_le_bytes().to_vec(),
        payload.to_vec(),
    ]
    .concat()
}

fn holds_five(world: &World<larder_memory::MemoryBackend>, entry: Vec<u8>) {
    store(&world.backend, KEY, entry);
    let cache = world.builder().build().unwrap();
    assert_eq!(block_on(cache.get::<u8>(KEY)).unwrap(), Some(5));
    assert!(block_on(cache.exists(KEY)).unwrap());
}

const CREATED: u64 = 1_704_067_200_000;

#[test]
fn golden_entries_with_every_block_are_what_the_format_page_says() {
    let world = memory();
    let lease = Some((99, CREATED + 5_000, 5_000));
    let times = Some((CREATED, CREATED + 60_000, 12));
    for (name, lease, times) in [
        ("bare", None, None),
        ("lease", lease, None),
        ("times", None, times),
        ("lease-times", lease, times),
    ] {
        let now = by_hand(KEY, lease, times, &[5]);
        let file = golden(&format!("v1-by-hand-{name}.bin"), || now.clone());
        assert_eq!(file, now, "{name}: the page and the file disagree");
        holds_five(&world, file);
    }
}

#[test]
fn a_rewritten_lease_block_leaves_the_value_readable() {
    let world = memory();
    let mut entry = by_hand(KEY, Some((1, CREATED, 1)), None, &[5]);
    entry[13..33].fill(0xAA);
    holds_five(&world, entry);
}

#[test]
fn an_entry_past_its_logical_life_is_a_miss_and_not_undecodable() {
    let world = memory();
    store(
        &world.backend,
        KEY,
        by_hand(KEY, None, Some((CREATED, CREATED + 60_000, 0)), &[5]),
    );
    let cache = world.builder().build().unwrap();
    let expires = |seconds| KeyTtl::Expires(Duration::from_secs(seconds));
    assert_eq!(block_on(cache.ttl(KEY)).unwrap(), expires(60));

    world.pass(Duration::from_secs(59));
    assert_eq!(block_on(cache.get::<u8>(KEY)).unwrap(), Some(5));
    assert_eq!(block_on(cache.ttl(KEY)).unwrap(), expires(1));

    world.pass(Duration::from_secs(1));
    assert_eq!(block_on(cache.get::<u8>(KEY)).unwrap(), None);
    assert_eq!(block_on(cache.ttl(KEY)).unwrap(), KeyTtl::Missing);
    assert!(!block_on(cache.exists(KEY)).unwrap());
    assert_eq!(cache.stats().undecodable, 0);
}

#[test]
fn what_the_library_writes_is_what_the_format_page_says() {
    let world = memory();
    let cache = world.builder().build().unwrap();
    block_on(cache.set(KEY, &5_u8, 60)).unwrap();
    let written = block_on(world.backend.get(KEY)).unwrap().unwrap().bytes().to_vec();
    assert_eq!(written.len(), 28);
    let fence = 4..12;
    let mut expected = by_hand(KEY, None, None, &[5]);
    expected[fence.clone()].copy_from_slice(&written[fence]);
    let parts = [&expected[..13], &expected[13..19], &[5]];
    let hash = parts.iter().fold(XxHash3_64::oneshot(KEY.as_bytes()), |seed, part| {
        XxHash3_64::oneshot_with_seed(seed, part)
    });
    expected[19..27].copy_from_slice(&hash.to_le_bytes());
    assert_eq!(written, expected);
}

#[test]
fn every_golden_file_is_read_by_a_test() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 12 * 2 + 4, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("v1-")), "{names:?}");
}
