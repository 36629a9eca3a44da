use std::{sync::Arc, time::Duration};

use larder::{Clock, SystemClock};

/// The clock of a map. That of the system is asked directly: a hit feels a call through a table.
#[derive(Debug, Clone)]
pub(crate) enum Time {
    System(SystemClock),
    Given(Arc<dyn Clock>),
}

impl Time {
    #[inline]
    pub(crate) fn monotonic(&self) -> Duration {
        match self {
            Self::System(clock) => clock.monotonic(),
            Self::Given(clock) => clock.monotonic(),
        }
    }
}
