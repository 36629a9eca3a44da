//! What hooks are told, and what the ready-made ones make of it.

mod docs;
mod events;
mod failures;
mod hostile;
mod metrics;
mod operations;
mod otel;
mod outcomes;
mod record;
mod table;
