use std::{any::Any, fmt, panic::AssertUnwindSafe};

use futures::{FutureExt, future::BoxFuture};

use super::{
    batches, changes, conditions, expiry, keep, keys, other_types, race_conditions, races, reads, refusals,
    scan_patterns, scans, stage::Stage, subject::Subject, sweeps, writes,
};

/// One sentence of the contract and the code that holds a backend to it.
pub(super) struct Case<S: Subject> {
    pub(super) name: &'static str,
    pub(super) run: for<'a> fn(&'a Stage<'a, S>) -> BoxFuture<'a, ()>,
}

/// Lists a module's cases. The name of a case's function, read with spaces, is its sentence.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),*];

        pub(super) fn cases<S: Subject>() -> Vec<crate::conformance::run::Case<S>> {
            vec![$(crate::conformance::run::Case {
                name: stringify!($name),
                run: |stage| Box::pin($name(stage)),
            }),*]
        }
    };
}
pub(super) use cases;

macro_rules! modules {
    ($($module:ident),* $(,)?) => {
        fn all_names() -> Vec<&'static str> {
            [$($module::NAMES),*].concat()
        }

        fn all_cases<S: Subject>() -> Vec<Case<S>> {
            [$($module::cases()),*].into_iter().flatten().collect()
        }
    };
}

modules![
    reads,
    writes,
    refusals,
    conditions,
    changes,
    keep,
    expiry,
    keys,
    batches,
    scans,
    scan_patterns,
    sweeps,
    other_types,
    races,
    race_conditions,
];

/// A sentence of the contract that does not hold for a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The sentence, one of [`sentences`].
    pub sentence: String,
    /// What was seen instead.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sentence, self.reason)
    }
}

/// The sentences of the contract that the suite holds a backend to, in the order it runs them.
#[must_use]
pub fn sentences() -> Vec<String> {
    all_names().into_iter().map(sentence).collect()
}

/// Holds the subject's backend to the whole contract of [`CacheBackend`](crate::CacheBackend).
///
/// Runs every case, one after the other, however many fail.
///
/// # Panics
///
/// When a sentence does not hold; the message lists every one that does not, with what was seen instead.
///
/// # Cancel safety
///
/// A run that is dropped leaves the keys of the case it was in.
pub async fn backend<S: Subject>(subject: &S) {
    let failures = failures(subject).await;
    let list: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert!(
        failures.is_empty(),
        "{} of {} sentences of the backend contract do not hold:\n- {}",
        failures.len(),
        all_names().len(),
        list.join("\n- "),
    );
}

/// Runs the same cases as [`backend`] and answers with what failed instead of panicking.
///
/// The panic hook still hears of every assertion that fails.
///
/// # Cancel safety
///
/// As [`backend`].
pub async fn failures<S: Subject>(subject: &S) -> Vec<Failure> {
    let mut failures = Vec::new();
    for case in all_cases::<S>() {
        let stage = Stage::new(subject, case.name);
        // A backend that panicked half way is only ever asked to go on as its other callers would.
        if let Err(panic) = AssertUnwindSafe((case.run)(&stage)).catch_unwind().await {
            failures.push(Failure {
                sentence: sentence(case.name),
                reason: message(panic.as_ref()),
            });
        }
        // The store may be broken in the very way that keeps it from being tidied.
        let _ = AssertUnwindSafe(stage.tidy()).catch_unwind().await;
    }
    failures
}

fn sentence(name: &str) -> String {
    name.replace('_', " ")
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "it panicked".to_owned())
}
