#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod calls;
mod commands;
mod faults;
mod gate;
mod operation;
mod store;

pub use backend::MemoryBackend;
pub use calls::Calls;
pub use faults::Faults;
pub use gate::Gate;
pub use operation::Operation;
