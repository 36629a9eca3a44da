//! A hook that writes down what it is told.

use std::sync::Arc;

use larder::{Ending, Event, Failure, Hook, HookSpan, Operation, OperationKind, OperationOutcome};
use parking_lot::Mutex;

/// What was told, in order: `get[backend_get:hit]:hit`.
#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    text: String,
    started: usize,
    finished: Vec<(OperationKind, Option<OperationKind>, OperationOutcome)>,
    failures: Vec<&'static str>,
    operations: Vec<Told>,
    endings: Vec<Kept>,
    events: Vec<String>,
}

/// What an operation said when it began: kind, cache, key, size of the batch, attempt.
type Told = (OperationKind, String, Option<String>, Option<usize>, u32);

/// What is kept of the ending of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) outcome: OperationOutcome,
    pub(crate) counts: Vec<(&'static str, u64)>,
    pub(crate) elapsed: std::time::Duration,
    pub(crate) bytes: (Option<u64>, Option<u64>),
    pub(crate) undecodable: u64,
    pub(crate) failure: Option<&'static str>,
}

struct Span(Record, OperationKind);

impl Record {
    /// Everything so far as one line; forgets it.
    pub(crate) fn take(&self) -> String {
        let mut inside = self.0.lock();
        inside.started = 0;
        inside.finished.clear();
        std::mem::take(&mut inside.text).replace("[]", "").trim().to_owned()
    }

    /// How many calls have started and how many have ended, by their spans and by [`Hook::finish`].
    pub(crate) fn ends(&self) -> (usize, usize) {
        let inside = self.0.lock();
        let ended = inside.finished.iter().filter(|(_, parent, _)| parent.is_none());
        (inside.started, ended.count())
    }

    pub(crate) fn failures(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().failures)
    }

    pub(crate) fn operations(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().operations)
    }

    /// The endings of calls.
    pub(crate) fn endings(&self) -> Vec<Kept> {
        std::mem::take(&mut self.0.lock().endings)
    }

    pub(crate) fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().events)
    }

    fn open(&self, operation: &Operation<'_>) -> Box<dyn HookSpan> {
        let mut inside = self.0.lock();
        if inside.text.ends_with(|last: char| last.is_alphabetic()) {
            inside.text.push(' ');
        }
        inside.text.push_str(operation.kind.as_str());
        inside.text.push('[');
        inside.operations.push((
            operation.kind,
            operation.cache.to_owned(),
            operation.key.map(str::to_owned),
            operation.batch_size,
            operation.attempt,
        ));
        Box::new(Span(self.clone(), operation.kind))
    }
}

impl Hook for Record {
    fn start(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        assert_eq!(operation.parent, None);
        self.0.lock().started += 1;
        Some(self.open(operation))
    }

    fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
        let mut inside = self.0.lock();
        (inside.finished).push((operation.kind, operation.parent, ending.outcome));
        if operation.parent.is_none() {
            inside.endings.push(Kept {
                outcome: ending.outcome,
                counts: ending.counts.iter().collect(),
                elapsed: ending.elapsed,
                bytes: (ending.serialized_bytes, ending.stored_bytes),
                undecodable: ending.undecodable,
                failure: ending.failure.as_ref().map(Failure::as_str),
            });
        }
    }

    fn event(&self, event: &Event<'_>) {
        self.0.lock().events.push(format!("{event:?}"));
    }
}

impl HookSpan for Span {
    fn child(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        assert!(operation.parent.is_some());
        Some(self.0.open(operation))
    }

    fn finish(self: Box<Self>, ending: &Ending<'_>) {
        let mut inside = self.0.0.lock();
        let failed = ending.outcome == OperationOutcome::Failed;
        assert!(
            !failed || ending.failure.is_some(),
            "{:?} failed without a reason",
            self.1
        );
        if let (true, Some(failure)) = (failed, &ending.failure) {
            inside.failures.push(failure.as_str());
        }
        inside.text.push_str("]:");
        inside.text.push_str(ending.outcome.as_str());
    }
}
