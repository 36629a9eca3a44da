//! A serializer and a compressor that larder does not ship, tested by the same suite as its own.
//!
//! `cargo run --example own_codec --all-features`

use larder::{Cache, Compressor, Error, ErrorKind, Result, Serializer, conformance};
use larder_memory::MemoryBackend;
use serde::{Serialize, de::DeserializeSeed};

/// JSON with line breaks, for people who read their cache in a terminal.
#[derive(Debug, Clone, Copy)]
struct PrettyJson;

impl Serializer for PrettyJson {
    const ID: u8 = 128;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer_pretty(out, value).map_err(|error| Error::new(ErrorKind::Codec, error.to_string()))
    }

    fn decode_seed<'de, D: DeserializeSeed<'de>>(&self, bytes: &'de [u8], seed: D) -> Result<D::Value> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        seed.deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|_| Error::new(ErrorKind::Codec, "not the JSON of such a value"))
    }
}

/// Runs of one byte as the byte and a count: fine for bitmaps, nothing for text.
#[derive(Debug, Clone, Copy)]
struct RunLength;

impl Compressor for RunLength {
    const ID: u8 = 128;

    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        for run in input.chunk_by(|a, b| a == b) {
            for part in run.chunks(255) {
                out.extend([part[0], u8::try_from(part.len()).expect("chunks of at most 255")]);
            }
        }
        Ok(())
    }

    fn decompress(&self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let refuse = |why: &str| Err(Error::new(ErrorKind::Codec, why));
        let (runs, []) = input.as_chunks::<2>() else {
            return refuse("a run is cut off");
        };
        let total: usize = runs.iter().map(|[_, count]| usize::from(*count)).sum();
        if total > limit {
            return refuse("more bytes than the limit");
        }
        for [byte, count] in runs {
            out.extend(std::iter::repeat_n(*byte, usize::from(*count)));
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    conformance::serializer(&PrettyJson);
    conformance::compressor(&RunLength);

    let cache = Cache::builder(MemoryBackend::new())
        .serializer(PrettyJson)
        .compressor(RunLength)
        .build()?;
    let bitmap = "#".repeat(5_000);
    futures::executor::block_on(async {
        cache.set("bitmap", &bitmap, "1h").await?;
        assert_eq!(cache.get::<String>("bitmap").await?, Some(bitmap));
        Ok::<_, Error>(())
    })?;
    println!("both keep the laws, and a cache uses them");
    Ok(())
}
