//! Cache-aside: read, and on a miss load once and fill.

mod batch;
mod detached;
mod error;
mod fence;
mod lead;
mod lease;
mod loaded;
mod look;
mod many;
mod one;
mod options;
mod outcome;
mod plan;
mod refresh;
mod timeout;

pub use error::LoadError;
pub use loaded::{Loaded, Remembered, Source, StaleReason};
pub use many::RememberedMany;
pub use options::{LoadOptions, OnError};

pub(crate) use plan::Plan;
