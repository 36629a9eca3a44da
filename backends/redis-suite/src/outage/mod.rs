//! One server, and everything that can happen to it or to the way there.

pub(crate) mod answers;
mod calls;
pub(crate) mod faults;
pub(crate) mod frozen;
pub(crate) mod leftovers;
pub(crate) mod load;
pub(crate) mod restarts;
pub(crate) mod silence;
pub(crate) mod stalls;
pub(crate) mod words;
