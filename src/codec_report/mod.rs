//! Which serializer and which compressor suit your own values: feature `codec-report`.

mod matrix;
mod measure;
mod plot;
mod table;

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::error::Error;

/// Measures every shipped [`Serializer`](crate::Serializer) with every shipped [`Compressor`](crate::Compressor) on
/// values of yours.
///
/// # Behavior
///
/// - Each row holds means over `samples`; of times, the median of several rounds in which all pairs have their turn.
/// - Every value is compressed here, whatever its size, and without the entry's header. A cache compresses from
///   [`compress_from`](crate::CacheBuilder::compress_from) on, and keeps the result only where it is smaller.
/// - A serializer that can not write or read back one of the samples has one row that says so: [`Postcard`](crate::Postcard)
///   does not read a `serde_json::Value`.
/// - It runs in the calling thread for about half a second, longer where one pass over the samples takes longer than
///   some milliseconds. Only the ratios within one report say anything on another machine, and only in a release build.
/// - Without samples there are no rows.
///
/// # Examples
///
/// ```
/// use larder::codec_report;
///
/// let samples: Vec<String> = (0..20).map(|n| format!("line {n} ").repeat(40)).collect();
/// let report = codec_report(&samples);
///
/// assert_eq!(report.rows().len(), 3 * 4);
/// let cost = |compressor: &str| {
///     let mut rows = report.rows().iter();
///     rows.find(|row| (row.serializer, row.compressor) == ("postcard", compressor)).unwrap().cost.as_ref().unwrap()
/// };
/// assert!(cost("snappy").bytes < cost("none").bytes / 4.0);
///
/// println!("{report}");
/// assert!(report.to_svg().starts_with("<svg"));
/// ```
#[must_use]
pub fn codec_report<T: Serialize + DeserializeOwned>(samples: &[T]) -> CodecReport {
    CodecReport {
        samples: samples.len(),
        rows: measure::rows(samples),
    }
}

/// What [`codec_report`] found; `Display` is a table.
#[derive(Debug, Clone)]
pub struct CodecReport {
    samples: usize,
    rows: Vec<CodecRow>,
}

impl CodecReport {
    /// A row for each pair, by serializer and then by compressor; at the end, one for each serializer that refused the
    /// samples.
    #[must_use]
    pub fn rows(&self) -> &[CodecRow] {
        &self.rows
    }

    /// A scatter plot as an SVG document: stored size against the time of one encoding and one decoding, both on
    /// logarithmic axes. A line joins the pairs that no other beats in both.
    ///
    /// The text is set in the viewer's own sans-serif font.
    #[must_use]
    pub fn to_svg(&self) -> String {
        plot::svg(self)
    }
}

/// One serializer with one compressor.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CodecRow {
    /// `postcard`, `json` or `messagepack`.
    pub serializer: &'static str,
    /// `none`, `snappy`, `lz4` or `zstd`; `any` where the serializer refused the samples.
    pub compressor: &'static str,
    /// What the pair costs, or why it can not be used.
    pub cost: Result<CodecCost, Error>,
}

/// What one value costs, as a mean over the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CodecCost {
    /// Bytes serialized and compressed.
    pub bytes: f64,
    /// The time to serialize and compress.
    pub encode: Duration,
    /// The time to decompress and deserialize.
    pub decode: Duration,
}
