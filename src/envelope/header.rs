use std::time::Duration;

use super::Undecodable;

/// 0xF5 begins no UTF-8 text, so no text another program stored can pass for an entry.
const MAGIC: [u8; 2] = [0xF5, b'L'];
pub(super) const VERSION: u8 = 1;
const VALUE: u8 = b'V';
const MARKER: u8 = b'M';

/// What every value of this version begins with, and nothing else does.
pub(crate) const KIND_VALUE: [u8; 4] = [MAGIC[0], MAGIC[1], VERSION, VALUE];
/// What every marker of this version begins with, and nothing else does.
pub(crate) const KIND_MARKER: [u8; 4] = [MAGIC[0], MAGIC[1], VERSION, MARKER];

const FENCE: usize = 8;
/// Kind and fence: what tells one write of an entry from every other.
pub(crate) const SHORT_LEN: usize = KIND_VALUE.len() + FENCE;
/// Kind, fence and flags: the part of the header that every entry has in the same place.
pub(super) const FIXED: usize = SHORT_LEN + 1;
const LEASE: usize = 8 + 8 + 4;
const IDS: usize = 1 + 1 + 4;
const TIMES: usize = 8 + 8 + 4;
pub(super) const CHECKSUM: usize = 8;

/// The longest header, which is how much of an entry tells everything but its value.
pub(crate) const HEAD_LEN: usize = FIXED + LEASE + IDS + TIMES + CHECKSUM;

pub(super) const FLAG_NONE: u8 = 0b001;
const FLAG_LEASE: u8 = 0b010;
const FLAG_TIMES: u8 = 0b100;
const KNOWN_FLAGS: u8 = FLAG_NONE | FLAG_LEASE | FLAG_TIMES;

/// An entry whose header makes sense. Whether it is intact, only its checksum tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Stands in the place of a value that is being loaded.
    Marker,
    Value(Header),
}

/// The header of a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(super) none: bool,
    pub(super) serializer: u8,
    pub(super) compressor: u8,
    pub(super) schema: u32,
    pub(super) checksum: u64,
    /// When the value is no longer fresh, by the writer's clock since the Unix epoch.
    expires: Option<Duration>,
    /// The bytes before and behind the part that may be rewritten in place; the checksum covers both.
    covered: (usize, std::ops::Range<usize>),
    /// Where the payload begins.
    pub(super) len: usize,
}

impl Header {
    /// What is left of the value's logical life at `now`; `None` where only the backend's own expiry counts.
    pub(crate) fn fresh_for(&self, now: Duration) -> Option<Duration> {
        self.expires.map(|expires| expires.saturating_sub(now))
    }

    /// Checks that this cache's codec wrote the entry, for values of this schema.
    pub(crate) fn check(&self, serializer: u8, compressor: u8, schema: u32) -> Result<(), Undecodable> {
        if self.serializer != serializer {
            return Err(Undecodable::Serializer {
                found: self.serializer,
                wanted: serializer,
            });
        }
        if self.compressor != 0 && self.compressor != compressor {
            return Err(Undecodable::Compressor {
                found: self.compressor,
                wanted: compressor,
            });
        }
        if self.schema != schema {
            return Err(Undecodable::Schema {
                found: self.schema,
                wanted: schema,
            });
        }
        Ok(())
    }

    pub(super) fn covered<'a>(&self, entry: &'a [u8]) -> [&'a [u8]; 2] {
        [&entry[..self.covered.0], &entry[self.covered.1.clone()]]
    }
}

/// Reads the header at the beginning of `bytes`, which may be a whole entry or its first [`HEAD_LEN`] bytes.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Undecodable> {
    let mut rest = Reader(bytes);
    let Ok([magic_0, magic_1]) = rest.take() else {
        return Err(Undecodable::Foreign);
    };
    if [magic_0, magic_1] != MAGIC {
        return Err(Undecodable::Foreign);
    }
    let [version] = rest.take()?;
    if version != VERSION {
        return Err(Undecodable::Version(version));
    }
    let [kind] = rest.take()?;
    let _fence: [u8; FENCE] = rest.take()?;
    let [flags] = rest.take()?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(Undecodable::Malformed);
    }
    let lease_at = bytes.len() - rest.0.len();
    if flags & FLAG_LEASE != 0 {
        let _lease: [u8; LEASE] = rest.take()?;
    }
    if kind == MARKER {
        return if flags == FLAG_LEASE && rest.0.is_empty() {
            Ok(Parsed::Marker)
        } else {
            Err(Undecodable::Malformed)
        };
    }
    if kind != VALUE {
        return Err(Undecodable::Malformed);
    }
    let ids_at = bytes.len() - rest.0.len();
    let [serializer, compressor] = rest.take()?;
    let schema = u32::from_le_bytes(rest.take()?);
    let mut expires = None;
    if flags & FLAG_TIMES != 0 {
        let _created: [u8; 8] = rest.take()?;
        expires = Some(Duration::from_millis(u64::from_le_bytes(rest.take()?)));
        let _load: [u8; 4] = rest.take()?;
    }
    let checksum_at = bytes.len() - rest.0.len();
    let checksum = u64::from_le_bytes(rest.take()?);
    Ok(Parsed::Value(Header {
        none: flags & FLAG_NONE != 0,
        serializer,
        compressor,
        schema,
        checksum,
        expires,
        covered: (lease_at, ids_at..checksum_at),
        len: checksum_at + CHECKSUM,
    }))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Undecodable> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Undecodable::Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }
}

/// Appends the header of a value that has neither a lease nor times, all but its checksum.
pub(super) fn write(out: &mut Vec<u8>, fence: u64, flags: u8, serializer: u8, compressor: u8, schema: u32) {
    out.extend_from_slice(&KIND_VALUE);
    out.extend_from_slice(&fence.to_le_bytes());
    out.push(flags);
    out.push(serializer);
    out.push(compressor);
    out.extend_from_slice(&schema.to_le_bytes());
}

/// The length of the header that [`write`] begins, its checksum included.
pub(super) const WRITTEN: usize = FIXED + IDS + CHECKSUM;
