use super::{Compressor, NoCompression};
use crate::error::{Error, Result};

impl Compressor for NoCompression {
    const ID: u8 = 0;

    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(input);
        Ok(())
    }

    fn decompress(&self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        if input.len() > limit {
            return Err(Error::codec(format!(
                "the value has {} bytes, the limit is {limit}",
                input.len()
            )));
        }
        out.extend_from_slice(input);
        Ok(())
    }
}
