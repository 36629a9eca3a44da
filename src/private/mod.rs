//! What the expansion of `#[cached]` calls. Not for anybody else: it changes without notice.
//!
//! The work is done here and not in the expansion, which is compiled once for every function.

mod call;
mod key;
mod outcome;
mod source;
mod ttl;

pub use call::{Plan, block_on, call, call_detached, forced, invalidate, named, now, peek};
pub use key::{Key, Number, number};
pub use outcome::{
    AnyKind, ClonedErrors, ConvertedErrors, ConvertedOthers, Kind, NoneOfOption, NoneOfOthers, Other, Pick, ResultKind,
    Returned, Rules, Shared, ThreadSafe, UnsharedErrors, UnsharedOthers,
};
pub use source::{CacheSource, hold};
pub use ttl::{Fixed, OfValue, TtlRule, fixed, of_value, seconds, span};
