use std::time::Duration;

use super::Header;

/// What a reader of a value that is decoded already goes by: as little of its header as there is to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    serializer: u8,
    compressor: u8,
    schema: u32,
    /// The end of the logical life, by its writer's clock since the Unix epoch.
    expires: Option<Duration>,
}

impl Terms {
    pub(crate) fn of(header: &Header) -> Self {
        // What is fresh for so long from the beginning of time ends then.
        Self {
            serializer: header.serializer,
            compressor: header.compressor,
            schema: header.schema,
            expires: header.fresh_for(Duration::ZERO),
        }
    }

    /// Tells whether [`Header::check`] passes.
    #[inline]
    pub(crate) fn are_of(&self, serializer: u8, compressor: u8, schema: u32) -> bool {
        self.serializer == serializer
            && (self.compressor == 0 || self.compressor == compressor)
            && self.schema == schema
    }

    /// The end of the logical life. Most values have none.
    #[inline]
    pub(crate) fn expires(&self) -> Option<Duration> {
        self.expires
    }
}
