use std::cell::Cell;

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{Compressor, Snappy, make_room, over_limit};
use crate::error::{Error, Result};

thread_local! {
    /// The tables of the last compression: up to 32 KiB that are not allocated for the next one.
    static ENCODER: Cell<Option<Encoder>> = const { Cell::new(None) };
}

impl Compressor for Snappy {
    const ID: u8 = 1;

    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let refuse =
            |error: snap::Error| Error::codec(format!("snappy can not compress the value: {error}")).with_source(error);
        let start = make_room(out, max_compress_len(input.len()))?;
        // A thread that is ending has no locals any more.
        let mut encoder = ENCODER.try_with(Cell::take).ok().flatten().unwrap_or_else(Encoder::new);
        let written = encoder.compress(input, &mut out[start..]);
        let _ = ENCODER.try_with(|kept| kept.set(Some(encoder)));
        let written = written.map_err(refuse)?;
        out.truncate(start + written);
        Ok(())
    }

    fn decompress(&self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let refuse = |error: snap::Error| {
            Error::codec(format!("snappy can not decompress the value: {error}")).with_source(error)
        };
        let claimed = decompress_len(input).map_err(refuse)?;
        if claimed > limit {
            return Err(over_limit("snappy", claimed as u64, limit));
        }
        let start = make_room(out, claimed)?;
        let written = Decoder::new().decompress(input, &mut out[start..]).map_err(refuse)?;
        out.truncate(start + written);
        Ok(())
    }
}
