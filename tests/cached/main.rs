//! `#[cached]` from outside, on the in-process backends.

mod basics;
