//! What a backend answers.

pub(crate) mod batch;
pub(crate) mod bounds;
pub(crate) mod cache;
pub(crate) mod conditions;
pub(crate) mod conformance;
pub(crate) mod oracle;
pub(crate) mod quotes;
pub(crate) mod replies;
pub(crate) mod scan;
pub(crate) mod sets;
pub(crate) mod sweep;
