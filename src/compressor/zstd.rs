use ::zstd::{
    bulk::{Compressor as BulkCompressor, Decompressor},
    zstd_safe::{compress_bound, get_frame_content_size},
};

use super::{Compressor, Zstd, make_room, over_limit};
use crate::error::{Error, Result};

impl Compressor for Zstd {
    const ID: u8 = 3;

    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let refuse = |error: std::io::Error| {
            Error::codec(format!("zstd can not compress the value: {error}")).with_source(error)
        };
        let start = make_room(out, compress_bound(input.len()))?;
        let written = BulkCompressor::new(self.level)
            .and_then(|mut compressor| compressor.compress_to_buffer(input, &mut out[start..]))
            .map_err(refuse)?;
        out.truncate(start + written);
        Ok(())
    }

    fn decompress(&self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let Ok(Some(claimed)) = get_frame_content_size(input) else {
            return Err(Error::codec(
                "zstd can not decompress the value: not a frame that states its length",
            ));
        };
        let room = usize::try_from(claimed).unwrap_or(usize::MAX);
        if room > limit {
            return Err(over_limit("zstd", claimed, limit));
        }
        let start = make_room(out, room)?;
        let written = Decompressor::new()
            .and_then(|mut decompressor| decompressor.decompress_to_buffer(input, &mut out[start..]))
            .map_err(|error| Error::codec(format!("zstd can not decompress the value: {error}")).with_source(error))?;
        out.truncate(start + written);
        Ok(())
    }
}
