use std::cell::Cell;

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

use super::{Compressor, Lz4, make_room, over_limit};
use crate::error::{Error, Result};

const LENGTH: usize = 4;

thread_local! {
    /// The table of the last compression, of 8 or 16 KiB, which is not allocated for the next one.
    static TABLE: Cell<Option<CompressTable>> = const { Cell::new(None) };
}

impl Compressor for Lz4 {
    const ID: u8 = 2;

    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let length = u32::try_from(input.len())
            .map_err(|_| Error::codec("lz4 can not compress the value: it has 4 GiB or more"))?;
        let start = make_room(out, LENGTH + get_maximum_output_size(input.len()))?;
        out[start..start + LENGTH].copy_from_slice(&length.to_le_bytes());
        // A thread that is ending has no locals any more.
        let mut table = TABLE.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let written = compress_into_with_table(input, &mut out[start + LENGTH..], &mut table);
        let _ = TABLE.try_with(|kept| kept.set(Some(table)));
        let written = written
            .map_err(|error| Error::codec(format!("lz4 can not compress the value: {error}")).with_source(error))?;
        out.truncate(start + LENGTH + written);
        Ok(())
    }

    fn decompress(&self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let Some((length, block)) = input.split_first_chunk::<LENGTH>() else {
            return Err(Error::codec("lz4 can not decompress the value: it is cut off"));
        };
        let claimed = u32::from_le_bytes(*length);
        let room = usize::try_from(claimed).unwrap_or(usize::MAX);
        if room > limit {
            return Err(over_limit("lz4", u64::from(claimed), limit));
        }
        let start = make_room(out, room)?;
        let written = decompress_into(block, &mut out[start..])
            .map_err(|error| Error::codec(format!("lz4 can not decompress the value: {error}")).with_source(error))?;
        if written != room {
            return Err(Error::codec(format!(
                "lz4 can not decompress the value: it claims {claimed} bytes and holds {written}"
            )));
        }
        Ok(())
    }
}
