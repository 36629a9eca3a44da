//! What a batch answers as a whole, out of what each of its keys does.

use std::collections::HashMap;

use super::Lookup;
use crate::error::{Error, ErrorKind, Result};

/// What the keys that answered have, with room for so many.
pub(super) fn found_of<T>(
    results: impl Iterator<Item = (String, Result<Lookup<T>>)>,
    room: usize,
) -> Result<HashMap<String, T>> {
    let mut found = HashMap::with_capacity(room);
    let (mut has_answer, mut first, mut refusal) = (false, None, None);
    for (key, result) in results {
        match result {
            Ok(answer) => {
                has_answer = true;
                if let Lookup::Hit(value) = answer {
                    found.insert(key, value);
                }
            }
            Err(error) if is_partial(&error) => {
                first.get_or_insert(error);
            }
            Err(error) => {
                refusal.get_or_insert(error);
            }
        }
    }
    match (first, refusal) {
        (_, Some(refusal)) => Err(refusal),
        (Some(first), None) if !has_answer => Err(first),
        _ => Ok(found),
    }
}

/// Errors that a batch may leave to `get_many_results`: the backend's, and not the caller's own.
fn is_partial(error: &Error) -> bool {
    error.kind() != ErrorKind::InvalidInput
}

/// All the answers, or one error that says how many failed and carries the first.
pub(super) fn all_or_first<T>(results: impl Iterator<Item = Result<T>>, operation: &'static str) -> Result<Vec<T>> {
    let mut answers = Vec::new();
    let mut first = None;
    let mut failed = 0_usize;
    for result in results {
        match result {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                failed += 1;
                first.get_or_insert(error);
            }
        }
    }
    let Some(first) = first else {
        return Ok(answers);
    };
    let total = failed + answers.len();
    Err(Error::new(
        first.kind(),
        format!(
            "{failed} of {total} keys failed, the first because: {}",
            first.message()
        ),
    )
    .with_operation(operation)
    .with_source(first))
}

/// A backend that breaks the contract must not shift one key's answer to another.
#[cold]
pub(super) fn short_answer(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Server,
        "the backend answered fewer keys than it was asked for",
    )
    .with_operation(operation)
}
