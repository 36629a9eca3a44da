//! Whatever stands under a key, a read is right or a miss that is counted.

use larder::{
    Cache, CacheBackend, CacheBuilder, Compressor, ErrorKind, Expiry, Json, Lz4, MessagePack, NoCompression,
    OnUndecodable, Postcard, Serializer, SetOptions, Snappy, Zstd,
};
use larder_memory::MemoryBackend;
use proptest::prelude::*;

use crate::backends::block_on;

const VALUE: &str = "a value of a few words, a few words, a few words, a few words, a few words";

fn builder(backend: &MemoryBackend) -> CacheBuilder<MemoryBackend> {
    Cache::builder(backend.clone()).compress_from(0)
}

fn raw(backend: &MemoryBackend, key: &str) -> Vec<u8> {
    block_on(backend.get(key)).unwrap().unwrap().bytes().to_vec()
}

fn put(backend: &MemoryBackend, key: &str, bytes: Vec<u8>) {
    block_on(backend.set(key, bytes.into(), SetOptions::new(Expiry::Never))).unwrap();
}

/// Reads `key` in every way there is and asserts that each is a miss, and that each was counted.
fn is_a_counted_miss<S: Serializer, C: Compressor>(cache: &Cache<MemoryBackend, S, C>, key: &str) {
    let before = cache.stats().undecodable;
    assert_eq!(block_on(cache.get::<String>(key)).unwrap(), None);
    assert!(!block_on(cache.lookup::<Option<String>>(key)).unwrap().is_cached());
    assert!(block_on(cache.get_many::<String>([key])).unwrap().is_empty());
    assert_eq!(block_on(cache.pull::<String>(key)).unwrap(), None);
    assert_eq!(cache.stats().undecodable, before + 4);
}

fn every_flip_and_every_cut<S: Serializer, C: Compressor>(
    build: impl Fn(CacheBuilder<MemoryBackend>) -> CacheBuilder<MemoryBackend, S, C>,
) {
    let backend = MemoryBackend::new();
    let cache = build(builder(&backend)).build().unwrap();
    for none in [false, true] {
        if none {
            block_on(cache.set("key", &None::<String>, 60)).unwrap();
        } else {
            block_on(cache.set("key", VALUE, 60)).unwrap();
        }
        let entry = raw(&backend, "key");
        for len in 0..entry.len() {
            put(&backend, "key", entry[..len].to_vec());
            is_a_counted_miss(&cache, "key");
        }
        for bit in 0..entry.len() * 8 {
            let mut flipped = entry.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            put(&backend, "key", flipped);
            is_a_counted_miss(&cache, "key");
        }
        let mut longer = entry.clone();
        longer.push(0);
        put(&backend, "key", longer);
        is_a_counted_miss(&cache, "key");

        put(&backend, "other", entry);
        is_a_counted_miss(&cache, "other");
    }
}

#[test]
fn every_bit_flip_and_truncation_of_a_postcard_entry_is_a_counted_miss() {
    every_flip_and_every_cut(|builder| builder.compressor(NoCompression));
    every_flip_and_every_cut(|builder| builder.compressor(Snappy));
}

#[test]
fn every_bit_flip_and_truncation_of_a_json_entry_is_a_counted_miss() {
    every_flip_and_every_cut(|builder| builder.serializer(Json).compressor(Lz4));
}

#[test]
fn every_bit_flip_and_truncation_of_a_messagepack_entry_is_a_counted_miss() {
    every_flip_and_every_cut(|builder| builder.serializer(MessagePack).compressor(Zstd::default()));
}

#[test]
fn an_entry_of_another_serializer_compressor_or_schema_version_is_a_counted_miss_and_stays() {
    let backend = MemoryBackend::new();
    let writer = builder(&backend).schema_version(3).build().unwrap();
    block_on(writer.set("key", VALUE, 60)).unwrap();
    let entry = raw(&backend, "key");

    is_a_counted_miss(
        &builder(&backend).schema_version(3).serializer(Json).build().unwrap(),
        "key",
    );
    is_a_counted_miss(
        &builder(&backend).schema_version(3).compressor(Lz4).build().unwrap(),
        "key",
    );
    is_a_counted_miss(
        &builder(&backend)
            .schema_version(3)
            .compressor(NoCompression)
            .build()
            .unwrap(),
        "key",
    );
    is_a_counted_miss(&builder(&backend).schema_version(4).build().unwrap(), "key");
    is_a_counted_miss(&builder(&backend).build().unwrap(), "key");

    assert_eq!(raw(&backend, "key"), entry);
    assert_eq!(block_on(writer.get::<String>("key")).unwrap().as_deref(), Some(VALUE));
}

#[test]
fn a_renamed_entry_is_a_counted_miss_under_another_prefix_too() {
    let backend = MemoryBackend::new();
    let one = builder(&backend).prefix("one").build().unwrap();
    let two = builder(&backend).prefix("two").build().unwrap();
    block_on(one.set("key", VALUE, 60)).unwrap();
    put(&backend, "two:key", raw(&backend, "one:key"));
    is_a_counted_miss(&two, "key");
}

#[test]
fn an_intact_entry_of_another_type_is_a_counted_miss() {
    let backend = MemoryBackend::new();
    let cache = builder(&backend).serializer(Json).build().unwrap();
    block_on(cache.set("key", &vec![1, 2, 3], 60)).unwrap();
    assert_eq!(block_on(cache.get::<String>("key")).unwrap(), None);
    assert_eq!(cache.stats().undecodable, 1);
}

#[test]
fn raise_answers_with_one_line_that_says_what_is_wrong() {
    let backend = MemoryBackend::new();
    let writer = builder(&backend).build().unwrap();
    block_on(writer.set("key", VALUE, 60)).unwrap();
    let message = |bytes: Vec<u8>| {
        put(&backend, "key", bytes);
        let cache = builder(&backend).on_undecodable(OnUndecodable::Raise).build().unwrap();
        let error = block_on(cache.get::<String>("key")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(cache.stats().undecodable, 1);
        error.to_string()
    };
    let entry = raw(&backend, "key");
    let with = |at: usize, byte: u8| {
        let mut entry = entry.clone();
        entry[at] = byte;
        message(entry)
    };
    assert_eq!(
        message(b"plain text".to_vec()),
        "get: the bytes under the key were not written by larder"
    );
    assert_eq!(
        with(2, 9),
        "get: the entry has format version 9, and this cache reads version 1"
    );
    assert_eq!(with(12, 0x80), "get: the entry is cut off or its header makes no sense");
    assert_eq!(
        with(13, 2),
        "get: the entry was written by serializer 2, and this cache has serializer 1"
    );
    assert_eq!(
        with(14, 200),
        "get: the entry was written by compressor 200, and this cache has compressor 1"
    );
    assert_eq!(with(15, 7), "get: the entry has schema version 7, and this cache has 0");
    assert_eq!(
        with(entry.len() - 1, !entry[entry.len() - 1]),
        "get: the checksum does not match: the entry is damaged or was copied from another key"
    );
    let numbers = builder(&backend).build().unwrap();
    block_on(numbers.set("key", &u64::MAX, 60)).unwrap();
    assert_eq!(
        message(raw(&backend, "key")),
        "get: the entry is intact, and its bytes are not a value of the type that was asked for"
    );
}

#[test]
fn a_value_that_decompresses_beyond_the_cap_is_a_miss() {
    fn bomb<C: Compressor + Copy>(compressor: C) {
        let backend = MemoryBackend::new();
        let cache = |cap| {
            builder(&backend)
                .compressor(compressor)
                .max_value_bytes(cap)
                .build()
                .unwrap()
        };
        let value = "x".repeat(10_000);
        block_on(cache(1 << 20).set("key", &value, 60)).unwrap();
        assert!(raw(&backend, "key").len() < 1000);
        assert_eq!(block_on(cache(9_999).get::<String>("key")).unwrap(), None);
        assert_eq!(block_on(cache(10_002).get::<String>("key")).unwrap(), Some(value));
    }
    bomb(Snappy);
    bomb(Lz4);
    bomb(Zstd::default());
}

#[test]
fn a_length_that_no_memory_has_room_for_is_an_error() {
    // A frame of zstd that states 2^62 bytes, and the same claims in the other formats.
    let zstd = [
        &[0x28, 0xB5, 0x2F, 0xFD, 0xE0][..],
        &(1_u64 << 62).to_le_bytes(),
        &[1, 0, 0],
    ]
    .concat();
    let mut out = Vec::new();
    assert!(Zstd::default().decompress(&zstd, usize::MAX, &mut out).is_err());
    assert!(Lz4.decompress(&[0xFF, 0xFF, 0xFF, 0x7F, 0], 1 << 20, &mut out).is_err());
    assert!(
        Snappy
            .decompress(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], 1 << 20, &mut out)
            .is_err()
    );
    assert!(out.capacity() < 1 << 20);
}

proptest! {
    #[test]
    fn any_bytes_at_all_are_a_counted_miss(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let backend = MemoryBackend::new();
        let cache = builder(&backend).build().unwrap();
        put(&backend, "key", bytes.clone());
        is_a_counted_miss(&cache, "key");
        // Behind a good beginning they get further into the reader.
        put(&backend, "key", [b"\xF5L\x01V".as_slice(), &bytes].concat());
        is_a_counted_miss(&cache, "key");
    }

    #[test]
    fn any_bytes_as_a_payload_are_decoded_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        type Nested = Vec<(String, Option<Vec<u64>>)>;
        fn decode<S: Serializer>(serializer: &S, bytes: &[u8]) {
            let seed = std::marker::PhantomData::<Nested>;
            let _ = serializer.decode_seed(bytes, seed);
        }
        decode(&Postcard, &bytes);
        decode(&Json, &bytes);
        decode(&MessagePack, &bytes);
        for limit in [0, 100, 1 << 20] {
            let mut out = Vec::new();
            let _ = Snappy.decompress(&bytes, limit, &mut out);
            let _ = Lz4.decompress(&bytes, limit, &mut out);
            let _ = Zstd::default().decompress(&bytes, limit, &mut out);
            prop_assert!(out.len() <= 3 * limit);
        }
    }
}
