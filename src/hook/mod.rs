//! Who is told of what a cache does: its operations from start to end, and the events that no caller sees.

mod ending;
mod event;
mod facts;
mod list;
mod operation;
mod scope;
mod store;
mod watch;

pub use ending::{Counts, Ending, Failure, OperationOutcome};
pub use event::{BackgroundOutcome, Event, LeaseOutcome};
pub use operation::{Operation, OperationKind};
pub use watch::{Hook, HookSpan};

pub(crate) use facts::Note;
pub(crate) use list::Hooks;
pub(crate) use scope::Scope;
pub(crate) use store::Store;
