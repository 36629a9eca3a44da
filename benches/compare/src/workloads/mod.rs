//! What is measured.

pub mod many;
pub mod remember;
pub mod single;

#[cfg(feature = "contenders")]
pub(crate) mod flights;
#[cfg(feature = "contenders")]
pub(crate) mod growth;
#[cfg(feature = "contenders")]
pub(crate) mod limit;
#[cfg(feature = "contenders")]
pub(crate) mod local;
#[cfg(feature = "contenders")]
pub(crate) mod outage;
#[cfg(feature = "contenders")]
pub(crate) mod zipf;

/// How many keys of each contender there are on the server.
pub const KEYS: usize = 1_000;

/// The keys of one contender, which share the database with everybody's.
pub fn keys(contender: &str) -> Vec<String> {
    let contender = contender.replace(' ', "-");
    (0..KEYS).map(|n| format!("{contender}:{n}")).collect()
}
