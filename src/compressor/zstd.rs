use std::cell::Cell;

use ::zstd::{
    bulk::{Compressor as BulkCompressor, Decompressor},
    zstd_safe::{compress_bound, get_frame_content_size},
};

use super::{Compressor, Zstd, make_room, over_limit};
use crate::error::{Error, Result};

thread_local! {
    /// The state of the last compression, with its level; making one costs more than compressing a small value.
    static COMPRESSOR: Cell<Option<(i32, BulkCompressor<'static>)>> = const { Cell::new(None) };
    static DECOMPRESSOR: Cell<Option<Decompressor<'static>>> = const { Cell::new(None) };
}

impl Compressor for Zstd {
    const ID: u8 = 3;

    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let refuse = |error: std::io::Error| {
            Error::codec(format!("zstd can not compress the value: {error}")).with_source(error)
        };
        let start = make_room(out, compress_bound(input.len()))?;
        // A thread that is ending has no locals any more.
        let kept = COMPRESSOR.try_with(Cell::take).ok().flatten();
        let mut compressor = match kept {
            Some((level, compressor)) if level == self.level => compressor,
            _ => BulkCompressor::new(self.level).map_err(refuse)?,
        };
        let written = compressor.compress_to_buffer(input, &mut out[start..]);
        let _ = COMPRESSOR.try_with(|kept| kept.set(Some((self.level, compressor))));
        let written = written.map_err(refuse)?;
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
        let refuse = |error: std::io::Error| {
            Error::codec(format!("zstd can not decompress the value: {error}")).with_source(error)
        };
        let mut decompressor = match DECOMPRESSOR.try_with(Cell::take).ok().flatten() {
            Some(decompressor) => decompressor,
            None => Decompressor::new().map_err(refuse)?,
        };
        let written = decompressor.decompress_to_buffer(input, &mut out[start..]);
        let _ = DECOMPRESSOR.try_with(|kept| kept.set(Some(decompressor)));
        let written = written.map_err(refuse)?;
        out.truncate(start + written);
        Ok(())
    }
}
