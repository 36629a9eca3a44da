//! The bytes around every stored value. `docs/format.md` is the reference for what is laid out here.

mod header;
mod open;
mod seal;
mod terms;
mod undecodable;

pub(crate) use header::{
    HEAD_LEN, HELD_LEN, Header, KIND_MARKER, KIND_VALUE, LONG_LEN, Lease, Parsed, Plain, SHORT_LEN, Times, is_none,
    lease_of, marker, parse, with_lease, with_life,
};
pub(crate) use open::{Expected, Opened, open};
pub(crate) use seal::{Sealing, seal};
pub(crate) use terms::Terms;
pub(crate) use undecodable::Undecodable;
