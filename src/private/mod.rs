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
    AnyKind, ClonedErrors, ConvertedErrors, ConvertedOthers, Holding, Kind, NoneOfOption, NoneOfOthers, Other, Pick,
    ResultKind, Returned, Rules, Shared, ThreadSafe, UnsharedErrors, UnsharedOthers, ValueOf, holding,
};
pub use source::{CacheSource, hold};
pub use ttl::{Fixed, OfValue, TtlRule, fixed, of_value, seconds, span};

// What stands beside a function is no part of an `impl` block, and the compiler names this macro when it says so.
#[doc(hidden)]
#[macro_export]
macro_rules! in_an_impl_block_cached_needs_the_word_associated {
    (
        { $($of_type:tt)* } $vis:vis $name:ident
        { $($of_calls:tt)* } { $($calls:tt)* }
        { $($of_body:tt)* } { $($body:tt)* }
    ) => {
        $($of_type)*
        #[derive(Debug)]
        $vis enum $name {}
        $($of_calls)*
        impl $name { $($calls)* }
        $($of_body)*
        impl $name { $($body)* }
    };
}
pub use in_an_impl_block_cached_needs_the_word_associated;
