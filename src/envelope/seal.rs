use std::{cell::Cell, thread::LocalKey};

use bytes::Bytes;
use serde::Serialize;
use twox_hash::XxHash3_64;

use super::header::{Times, Written};
use crate::{
    compressor::Compressor,
    error::{Error, Result},
    serializer::{self, Serializer},
};

/// What a cache writes its entries with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealing {
    /// Payloads of fewer bytes are stored as they are.
    pub(crate) compress_from: usize,
    /// The most bytes a serialized value may have.
    pub(crate) max_value_bytes: usize,
    pub(crate) schema: u32,
}

/// Encodes `value` and puts the envelope around it: one allocation of the exact size.
///
/// `times` is asked for the logical life of the value once it is known whether that is a `None`; `on_size` hears how
/// many bytes the value has, serialized.
pub(crate) fn seal<S, C, T>(
    serializer: &S,
    compressor: &C,
    with: Sealing,
    key: &str,
    value: &T,
    times: impl FnOnce(bool) -> Option<Times>,
    on_size: impl FnOnce(usize),
) -> Result<Bytes>
where
    S: Serializer,
    C: Compressor,
    T: Serialize + ?Sized,
{
    let mut encoded = kept(&SCRATCH);
    let mut compressed = kept(&PACKED);
    encoded.clear();
    let sealed = serializer::encode(serializer, value, &mut encoded).and_then(|none| {
        if encoded.len() > with.max_value_bytes {
            return Err(Error::invalid(format!(
                "the value has {} bytes serialized; the cache's max_value_bytes is {}",
                encoded.len(),
                with.max_value_bytes
            )));
        }
        on_size(if none.is_some() { 1 } else { encoded.len() });
        let mut compressor_id = 0;
        let mut payload = encoded.as_slice();
        let depth;
        if let Some(layers) = none {
            depth = [layers];
            payload = &depth;
        } else if C::ID != 0 && payload.len() >= with.compress_from {
            compressed.clear();
            // Bytes that can not be compressed are stored as they are: a cache that stores is what the caller wants.
            if compressor.compress(payload, &mut compressed).is_ok() && compressed.len() < payload.len() {
                compressor_id = C::ID;
                payload = &compressed;
            }
        }
        let header = Written {
            none: none.is_some(),
            serializer: S::ID,
            compressor: compressor_id,
            schema: with.schema,
            times: times(none.is_some()),
        };
        let mut entry = Vec::with_capacity(header.len() + payload.len());
        let [fixed, rest] = header.append(&mut entry);
        let checksum = checksum(key, [&entry[fixed], &entry[rest]], payload);
        entry.extend_from_slice(&checksum.to_le_bytes());
        entry.extend_from_slice(payload);
        Ok(Bytes::from(entry))
    });
    keep(&SCRATCH, encoded);
    keep(&PACKED, compressed);
    sealed
}

/// The hash of everything that must not change under a reader: the key, the header without what a lease rewrites,
/// and the payload, each seeding the next.
pub(super) fn checksum(key: &str, header: [&[u8]; 2], payload: &[u8]) -> u64 {
    let mut hash = XxHash3_64::oneshot(key.as_bytes());
    for part in [header[0], header[1], payload] {
        hash = XxHash3_64::oneshot_with_seed(hash, part);
    }
    hash
}

// Buffers that outlive a call, so that a write allocates only what it stores. They are taken out while in use: a
// `Serialize` that itself writes to a cache finds an empty one and not a borrowed one.
thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static PACKED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A thread keeps no more than this from one write to the next, however large a value was.
const KEPT: usize = 256 * 1024;

type Slot = &'static LocalKey<Cell<Vec<u8>>>;

/// What the last write has left; nothing on a thread that is ending, which has no locals any more.
fn kept(slot: Slot) -> Vec<u8> {
    slot.try_with(Cell::take).unwrap_or_default()
}

fn keep(slot: Slot, buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        let _ = slot.try_with(|kept| kept.set(buffer));
    }
}
