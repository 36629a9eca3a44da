use crate::error::Error;

/// Why stored bytes are not a value to the cache that read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error("the bytes under the key were not written by larder")]
    Foreign,
    #[error("the entry has format version {0}, and this cache reads version {version}", version = super::header::VERSION)]
    Version(u8),
    #[error("the entry is cut off or its header makes no sense")]
    Malformed,
    #[error("the entry was written by serializer {found}, and this cache has serializer {wanted}")]
    Serializer { found: u8, wanted: u8 },
    #[error("the entry was written by compressor {found}, and this cache has compressor {wanted}")]
    Compressor { found: u8, wanted: u8 },
    #[error("the entry has schema version {found}, and this cache has {wanted}")]
    Schema { found: u32, wanted: u32 },
    #[error("the checksum does not match: the entry is damaged or was copied from another key")]
    Checksum,
    #[error("the entry is intact, and its bytes are not a value of the type that was asked for")]
    Payload,
}

impl Undecodable {
    #[cold]
    pub(crate) fn into_error(self) -> Error {
        Error::codec(self.to_string())
    }
}
