#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod builder;
mod commands;
mod key;
mod map;
mod slot;
mod time;

pub use backend::LocalBackend;
pub use builder::LocalBuilder;
