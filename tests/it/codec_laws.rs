//! The written laws of serializers and compressors, on all that are shipped.

use larder::{Json, Lz4, MessagePack, NoCompression, Postcard, Snappy, Zstd, conformance};

#[test]
fn conformance_of_every_serializer() {
    conformance::serializer(&Postcard);
    conformance::serializer(&Json);
    conformance::serializer(&MessagePack);
}

#[test]
fn conformance_of_every_compressor() {
    conformance::compressor(&NoCompression);
    conformance::compressor(&Snappy);
    conformance::compressor(&Lz4);
    for level in [-7, 1, 3, 19, 22] {
        conformance::compressor(&Zstd::with_level(level).unwrap());
    }
}
