//! Any value comes back from every serializer with every compressor.

use larder::{Cache, Compressor, Json, Lz4, MessagePack, NoCompression, Postcard, Serializer, Snappy, Zstd};
use larder_memory::MemoryBackend;
use proptest::prelude::*;

use crate::{
    backends::block_on,
    sample::{Sample, sample},
};

fn comes_back<S: Serializer + Copy, C: Compressor + Copy>(serializer: S, compressor: C, value: &Sample) {
    // Compressed from the first byte, from the default on, and never: all three read each other.
    let backend = MemoryBackend::new();
    let build = |compress_from| {
        Cache::builder(backend.clone())
            .serializer(serializer)
            .compressor(compressor)
            .compress_from(compress_from)
            .build()
            .unwrap()
    };
    let caches = [build(0), build(1024), build(usize::MAX)];
    for writer in &caches {
        block_on(writer.set("key", value, 60)).unwrap();
        for reader in &caches {
            let read: Option<Sample> = block_on(reader.get("key")).unwrap();
            assert_eq!(read.as_ref(), Some(value));
            assert_eq!(reader.stats().undecodable, 0);
        }
    }
}

macro_rules! every_codec {
    ($($name:ident: $serializer:expr, $compressor:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                fn $name(value in sample()) {
                    comes_back($serializer, $compressor, &value);
                }
            )*
        }
    };
}

every_codec! {
    postcard_plain: Postcard, NoCompression;
    postcard_snappy: Postcard, Snappy;
    postcard_lz4: Postcard, Lz4;
    postcard_zstd: Postcard, Zstd::default();
    json_plain: Json, NoCompression;
    json_snappy: Json, Snappy;
    json_lz4: Json, Lz4;
    json_zstd: Json, Zstd::default();
    messagepack_plain: MessagePack, NoCompression;
    messagepack_snappy: MessagePack, Snappy;
    messagepack_lz4: MessagePack, Lz4;
    messagepack_zstd: MessagePack, Zstd::default();
}

#[test]
fn text_is_stored_smaller_than_it_is_and_noise_no_larger_than_its_header() {
    fn stored<C: Compressor>(compressor: C, value: &[u8]) -> usize {
        use larder::CacheBackend;
        let backend = MemoryBackend::new();
        let cache = Cache::builder(backend.clone()).compressor(compressor).build().unwrap();
        block_on(cache.set("key", value, 60)).unwrap();
        block_on(backend.get("key")).unwrap().unwrap().bytes().len()
    }
    let text = "the same words again ".repeat(500).into_bytes();
    let noise: Vec<u8> = (0..5000).map(|_| rand::random::<u8>() | 0x80).collect();
    let plain_noise = stored(NoCompression, &noise);
    for (name, text, noise) in [
        ("snappy", stored(Snappy, &text), stored(Snappy, &noise)),
        ("lz4", stored(Lz4, &text), stored(Lz4, &noise)),
        ("zstd", stored(Zstd::default(), &text), stored(Zstd::default(), &noise)),
    ] {
        assert!(text < 10_500 / 5, "{name}: {text}");
        assert!(noise <= plain_noise, "{name}: {noise} against {plain_noise}");
    }
}

#[test]
fn a_value_below_the_threshold_is_stored_as_it_is() {
    use larder::CacheBackend;
    let backend = MemoryBackend::new();
    let cache = Cache::builder(backend.clone()).compress_from(1000).build().unwrap();
    for (len, compressed) in [(997, false), (998, true)] {
        block_on(cache.set("key", &"a".repeat(len), 60)).unwrap();
        let entry = block_on(backend.get("key")).unwrap().unwrap();
        // Two bytes of length stand before the text in postcard, and the compressor's id at 14.
        assert_eq!(entry.bytes()[14] != 0, compressed, "{len}");
    }
}
