use std::time::Duration;

use bytes::Bytes;

use super::{Undecodable, seal::checksum};
use crate::random;

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
/// Kind and fence, flags and holder: an entry that is held by one load, however often that has renewed its lease.
pub(crate) const HELD_LEN: usize = SHORT_LEN + 1 + 8;
/// What [`HELD_LEN`] covers, and until: a marker or a leased value as its holder last wrote it.
pub(crate) const LONG_LEN: usize = HELD_LEN + 8;
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
    Marker(Lease),
    Value(Header),
}

/// The header of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(super) none: bool,
    pub(super) serializer: u8,
    pub(super) compressor: u8,
    pub(super) schema: u32,
    pub(super) checksum: u64,
    times: Option<Times>,
    lease: Option<Lease>,
    /// The bytes before and behind the part that may be rewritten in place; the checksum covers both.
    covered: (usize, std::ops::Range<usize>),
    /// Where the payload begins.
    pub(super) len: usize,
}

/// The logical life of a value, by its writer's clock since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) created: Duration,
    /// When the value is no longer fresh.
    pub(crate) expires: Duration,
    /// How long its load took.
    pub(crate) load: Duration,
}

/// Who may refresh a value, and until when nobody else should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) holder: u64,
    pub(crate) until: Duration,
    pub(crate) length: Duration,
}

/// The holder of a pause after a failed load: nobody loads, and nobody is to be waited for.
const NOBODY: u64 = 0;

impl Lease {
    /// A pause of `length` from `now`, after a load that has failed.
    pub(crate) fn pause(now: Duration, length: Duration) -> Self {
        Self {
            holder: NOBODY,
            until: now + length,
            length,
        }
    }

    /// Tells whether it is held by a load, and not by a pause.
    pub(crate) fn is_loading(&self, now: Duration) -> bool {
        self.holder != NOBODY && self.is_held(now)
    }

    /// One of `length` from `now`, for whoever first writes it.
    pub(crate) fn new(now: Duration, length: Duration) -> Self {
        Self {
            holder: random::range(1..=u64::MAX),
            until: now + length,
            length,
        }
    }

    fn to_bytes(self) -> [u8; LEASE] {
        let mut block = [0; LEASE];
        block[..8].copy_from_slice(&self.holder.to_le_bytes());
        block[8..16].copy_from_slice(&millis(self.until).to_le_bytes());
        block[16..].copy_from_slice(&short_millis(self.length).to_le_bytes());
        block
    }

    /// Tells whether somebody else's refresh, or a pause after one that failed, is to be waited for at `now`.
    ///
    /// A lease that ends implausibly late was written by a clock that is ahead, and does not count.
    pub(crate) fn is_held(&self, now: Duration) -> bool {
        let left = self.until.saturating_sub(now);
        !left.is_zero() && left <= self.length * 2
    }
}

impl Times {
    /// The end of a logical life that has none.
    pub(crate) const NEVER: Duration = Duration::from_millis(u64::MAX);
}

impl Header {
    /// What is left of the value's logical life at `now`; `None` where only the backend's own expiry counts.
    #[inline]
    pub(crate) fn fresh_for(&self, now: Duration) -> Option<Duration> {
        self.times
            .filter(|times| times.expires != Times::NEVER)
            .map(|times| times.expires.saturating_sub(now))
    }

    #[inline]
    pub(crate) fn times(&self) -> Option<Times> {
        self.times
    }

    pub(crate) fn lease(&self) -> Option<Lease> {
        self.lease
    }

    /// Checks that this cache's codec wrote the entry, for values of this schema.
    #[inline]
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

/// A value that is nothing but its payload, as most are: no `None`, not compressed, without a lease or a logical life. To
/// find that it is one takes a fraction of a parse of its header.
pub(crate) struct Plain<'e> {
    head: &'e [u8; FIXED + IDS + CHECKSUM],
    pub(crate) payload: &'e [u8],
}

impl<'e> Plain<'e> {
    /// The value in `entry`, if it is such a one and this cache's codec wrote it for this schema.
    #[inline]
    pub(crate) fn of(entry: &'e [u8], serializer: u8, schema: u32) -> Option<Self> {
        let (head, payload) = entry.split_first_chunk()?;
        let schema = schema.to_le_bytes();
        let ids = [0, serializer, 0, schema[0], schema[1], schema[2], schema[3]];
        let is_plain = head[..KIND_VALUE.len()] == KIND_VALUE && head[SHORT_LEN..FIXED + IDS] == ids;
        is_plain.then_some(Self { head, payload })
    }

    /// Tells whether the entry is as it was written under `key`.
    // Not in place: a hit that was checked before goes past it, and would feel what it takes to.
    #[inline(never)]
    pub(crate) fn is_intact(&self, key: &str) -> bool {
        let (covered, written) = self.head.split_at(FIXED + IDS);
        let (fixed, ids) = covered.split_at(FIXED);
        checksum(key, [fixed, ids], self.payload).to_le_bytes() == written
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
    let mut lease = None;
    if flags & FLAG_LEASE != 0 {
        lease = Some(Lease {
            holder: u64::from_le_bytes(rest.take()?),
            until: Duration::from_millis(u64::from_le_bytes(rest.take()?)),
            length: Duration::from_millis(u32::from_le_bytes(rest.take()?).into()),
        });
    }
    if kind == MARKER {
        return match lease {
            Some(lease) if flags == FLAG_LEASE && rest.0.is_empty() => Ok(Parsed::Marker(lease)),
            _ => Err(Undecodable::Malformed),
        };
    }
    if kind != VALUE {
        return Err(Undecodable::Malformed);
    }
    let ids_at = bytes.len() - rest.0.len();
    let [serializer, compressor] = rest.take()?;
    let schema = u32::from_le_bytes(rest.take()?);
    let mut times = None;
    if flags & FLAG_TIMES != 0 {
        times = Some(Times {
            created: Duration::from_millis(u64::from_le_bytes(rest.take()?)),
            expires: Duration::from_millis(u64::from_le_bytes(rest.take()?)),
            load: Duration::from_millis(u32::from_le_bytes(rest.take()?).into()),
        });
    }
    let checksum_at = bytes.len() - rest.0.len();
    let checksum = u64::from_le_bytes(rest.take()?);
    Ok(Parsed::Value(Header {
        none: flags & FLAG_NONE != 0,
        serializer,
        compressor,
        schema,
        checksum,
        times,
        lease,
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

/// What the header of a new value says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) none: bool,
    pub(super) serializer: u8,
    pub(super) compressor: u8,
    pub(super) schema: u32,
    /// A value with a logical life has room for a lease as well, so that its refresh can be fenced and paused.
    pub(super) times: Option<Times>,
}

impl Written {
    /// The length of the header with its checksum.
    pub(super) const fn len(self) -> usize {
        let blocks = if self.times.is_some() { LEASE + TIMES } else { 0 };
        FIXED + blocks + IDS + CHECKSUM
    }

    /// Appends the header without its checksum, and answers the two parts that the checksum covers.
    pub(super) fn append(self, out: &mut Vec<u8>) -> [std::ops::Range<usize>; 2] {
        let start = out.len();
        let mut flags = if self.none { FLAG_NONE } else { 0 };
        if self.times.is_some() {
            flags |= FLAG_LEASE | FLAG_TIMES;
        }
        out.extend_from_slice(&KIND_VALUE);
        out.extend_from_slice(&random::random::<[u8; FENCE]>());
        out.push(flags);
        let fixed = start..out.len();
        if self.times.is_some() {
            out.extend_from_slice(&[0; LEASE]);
        }
        let ids = out.len();
        out.push(self.serializer);
        out.push(self.compressor);
        out.extend_from_slice(&self.schema.to_le_bytes());
        if let Some(times) = self.times {
            out.extend_from_slice(&millis(times.created).to_le_bytes());
            out.extend_from_slice(&millis(times.expires).to_le_bytes());
            out.extend_from_slice(&short_millis(times.load).to_le_bytes());
        }
        [fixed, ids..out.len()]
    }
}

/// Tells whether a sealed entry holds a `None`.
pub(crate) fn is_none(entry: &[u8]) -> bool {
    entry.get(SHORT_LEN).is_some_and(|flags| flags & FLAG_NONE != 0)
}

/// The marker of a new load: a fresh fence, and `lease`, whose length is zero where nobody has to wait for the load.
pub(crate) fn marker(lease: Lease) -> Bytes {
    let mut bytes = Vec::with_capacity(FIXED + LEASE);
    bytes.extend_from_slice(&KIND_MARKER);
    bytes.extend_from_slice(&random::random::<[u8; FENCE]>());
    bytes.push(FLAG_LEASE);
    bytes.extend_from_slice(&lease.to_bytes());
    Bytes::from(bytes)
}

/// The lease in a marker or a value; `None` where there is no room for one.
pub(crate) fn lease_of(entry: &[u8]) -> Option<Lease> {
    match parse(entry).ok()? {
        Parsed::Marker(lease) => Some(lease),
        Parsed::Value(header) => header.lease,
    }
}

/// The same entry with another lease in its lease block; `None` where it has none.
pub(crate) fn with_lease(entry: &[u8], lease: Lease) -> Option<Bytes> {
    if entry.get(SHORT_LEN)? & FLAG_LEASE == 0 {
        return None;
    }
    let mut bytes = entry.to_vec();
    bytes.get_mut(FIXED..FIXED + LEASE)?.copy_from_slice(&lease.to_bytes());
    Some(Bytes::from(bytes))
}

/// The same entry with another logical life, checked before and after; `None` where it has no such life.
///
/// Its `until` is another too, so that whoever means to rewrite the entry as it was finds that it is not; who holds it
/// stays the same.
pub(crate) fn with_life(
    key: &str,
    entry: &[u8],
    created: Duration,
    expires: Duration,
) -> Result<Option<Bytes>, Undecodable> {
    let Parsed::Value(header) = parse(entry)? else {
        return Ok(None);
    };
    if checksum(key, header.covered(entry), &entry[header.len..]) != header.checksum {
        return Err(Undecodable::Checksum);
    }
    if header.times.is_none() {
        return Ok(None);
    }
    let checksum_at = header.len - CHECKSUM;
    let times_at = checksum_at - TIMES;
    let mut bytes = entry.to_vec();
    bytes[times_at..times_at + 8].copy_from_slice(&millis(created).to_le_bytes());
    bytes[times_at + 8..times_at + 16].copy_from_slice(&millis(expires).to_le_bytes());
    if let Some(lease) = header.lease {
        let until = lease.until + Duration::from_millis(1);
        bytes[FIXED..FIXED + LEASE].copy_from_slice(&Lease { until, ..lease }.to_bytes());
    }
    let checksum = checksum(key, header.covered(&bytes), &bytes[header.len..]);
    bytes[checksum_at..header.len].copy_from_slice(&checksum.to_le_bytes());
    Ok(Some(Bytes::from(bytes)))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn short_millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}
