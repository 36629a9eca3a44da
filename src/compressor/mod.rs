//! Smaller bytes and back.

#[cfg(feature = "lz4")]
mod lz4;
mod none;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

use crate::error::Result;

/// Makes bytes smaller and restores them.
///
/// Shipped: [`Snappy`] (the default), [`Lz4`], [`Zstd`] and [`NoCompression`]; the feature of the same name adds the
/// implementation. The cache decides when to compress: from the builder's `compress_from` on, and only where the
/// result is smaller.
///
/// # Laws
///
/// 1. **Round trip.** `decompress(compress(x), limit)` gives `x` back for every `x` of at most `limit` bytes.
/// 2. **Append.** Both append to `out` and leave what was there alone. After an error `out` may end in a part.
/// 3. **Limit first.** `decompress` never appends more than `limit` bytes, and refuses an input that claims more
///    before it allocates room for it.
/// 4. **Any input.** `decompress` answers any bytes with an output or an error: no panic, no unbounded allocation.
/// 5. **Identity.** `ID` names the byte format for ever. 0 is "not compressed", 1 to 127 are larder's own, 128 to 255
///    are yours. Two settings of one algorithm that read each other's output share an id.
pub trait Compressor: Send + Sync {
    /// The byte that names this format in every stored entry; 0 means that nothing is ever compressed.
    const ID: u8;

    /// Appends the compressed form of `input` to `out`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) where the input can not be compressed; the cache then stores it
    /// as it is.
    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()>;

    /// Appends the original of `input`, at most `limit` bytes, to `out`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) for bytes that `compress` did not make and for an original above
    /// `limit`.
    fn decompress(&self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()>;
}

/// [Snappy](https://github.com/google/snappy/blob/main/format_description.txt) by `snap`: quick both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snappy;

/// [LZ4 blocks](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md) by `lz4_flex`, behind their length as
/// four little-endian bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lz4;

/// [Zstandard](https://www.rfc-editor.org/rfc/rfc8878) at a level: the smallest of the three, at more time.
///
/// Any level reads what any other wrote.
///
/// # Examples
///
/// ```
/// use larder::Zstd;
///
/// assert_eq!(Zstd::default().level(), 3);
/// assert_eq!(Zstd::with_level(19)?.level(), 19);
/// assert_eq!(Zstd::with_level(99).unwrap_err().to_string(), "zstd level 99: not in -7..=22");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zstd {
    level: i32,
}

impl Zstd {
    /// Compresses at `level`: -7 (quickest) to 22 (smallest).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a level out of that range.
    pub fn with_level(level: i32) -> Result<Self> {
        if (-7..=22).contains(&level) {
            return Ok(Self { level });
        }
        Err(crate::error::Error::invalid(format!(
            "zstd level {level}: not in -7..=22"
        )))
    }

    /// The level.
    #[must_use]
    pub const fn level(&self) -> i32 {
        self.level
    }
}

impl Default for Zstd {
    fn default() -> Self {
        Self { level: 3 }
    }
}

/// No compression at any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoCompression;

/// The refusal of an original above the limit, in one wording for all.
#[cfg(any(feature = "snappy", feature = "lz4", feature = "zstd"))]
#[cold]
fn over_limit(name: &str, claimed: u64, limit: usize) -> crate::error::Error {
    crate::error::Error::codec(format!(
        "{name} can not decompress the value: it claims {claimed} bytes, the limit is {limit}"
    ))
}

/// Makes room for `more` bytes at the end of `out` and answers where they begin; an error where memory has no room.
#[cfg(any(feature = "snappy", feature = "lz4", feature = "zstd"))]
fn make_room(out: &mut Vec<u8>, more: usize) -> Result<usize> {
    let start = out.len();
    out.try_reserve_exact(more).map_err(|error| {
        crate::error::Error::codec(format!("there is no memory for the {more} bytes of the value")).with_source(error)
    })?;
    out.resize(start + more, 0);
    Ok(start)
}
