//! Calls sent together, on a store whose answers a test holds back.

mod answers;
mod deadlines;
mod equal;
mod polling;
mod runtimes;
mod support;
