use std::{
    any::Any,
    borrow::Cow,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    Ending, Failure, HookSpan, Hooks, Operation, OperationKind, OperationOutcome,
    facts::{Facts, Note},
    list::{List, guarded},
};
use crate::error::{Error, Result};

/// One operation, from its start to its end: what its hooks have of it. Dropped before its end, it was cancelled, or has
/// panicked.
#[must_use]
pub(crate) struct Scope<'a> {
    kind: OperationKind,
    /// `None` where nobody listens. Boxed, so that calls nobody listens to are no larger for it.
    active: Option<Box<Active<'a>>>,
}

struct Active<'a> {
    list: Arc<List>,
    /// What the hooks keep, with the place of the hook in the list.
    spans: Vec<(usize, Box<dyn HookSpan>)>,
    parent: Option<OperationKind>,
    key: Option<Cow<'a, str>>,
    batch_size: Option<usize>,
    attempt: AtomicU32,
    system: &'static str,
    began: Duration,
    facts: Mutex<Facts>,
    /// Those of the call, for a part of it that can outlive it.
    shared: Option<Arc<Mutex<Facts>>>,
}

impl Hooks {
    /// Begins a call of a cache.
    #[inline]
    pub(crate) fn begin<'a>(
        &self,
        kind: OperationKind,
        key: Option<&'a str>,
        batch_size: Option<usize>,
        system: impl FnOnce() -> &'static str,
    ) -> Scope<'a> {
        let active = (self.watching()).map(|list| Active::begin(list, kind, key, batch_size, system()));
        Scope { kind, active }
    }
}

impl Scope<'_> {
    /// An operation that nobody is told of.
    pub(crate) const fn unwatched(kind: OperationKind) -> Self {
        Self { kind, active: None }
    }

    /// The name of the operation, as errors have it.
    #[inline]
    pub(crate) const fn name(&self) -> &'static str {
        self.kind.as_str()
    }

    pub(crate) const fn kind(&self) -> OperationKind {
        self.kind
    }

    #[inline]
    pub(crate) const fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// This operation with a key of its own, for one that outlives the call's arguments.
    pub(crate) fn into_owned(mut self) -> Scope<'static> {
        let active = self.active.take();
        Scope {
            kind: self.kind,
            active: active.map(|active| {
                Box::new(Active {
                    key: active.key.map(|key| Cow::Owned(key.into_owned())),
                    ..*active
                })
            }),
        }
    }

    /// Begins a part of this operation.
    pub(crate) fn child<'c>(&self, kind: OperationKind, key: Option<&'c str>, batch_size: Option<usize>) -> Scope<'c> {
        let active = self.active.as_ref().filter(|active| active.list.wants(kind));
        Scope {
            kind,
            active: active.map(|active| active.child(self.kind, kind, key.map(Cow::Borrowed), batch_size, None)),
        }
    }

    /// Begins a part of this operation that may outlive it.
    pub(crate) fn detached(&self, kind: OperationKind, key: &str) -> Scope<'static> {
        Scope {
            kind,
            // Whatever is wanted of it: its own parts hang on it.
            active: self.active.as_ref().map(|active| {
                let shared = Arc::<Mutex<Facts>>::default();
                active.facts.lock().detached = Some(Arc::clone(&shared));
                active.child(self.kind, kind, Some(Cow::Owned(key.to_owned())), None, Some(shared))
            }),
        }
    }

    /// Notes that the operation looks at the key again, for the how-many-th time.
    pub(crate) fn attempt(&self, attempt: usize) {
        if let Some(active) = &self.active {
            let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
            active.attempt.store(attempt, Ordering::Relaxed);
        }
    }

    pub(crate) fn note(&self, note: Note) {
        self.learn(|facts| facts.note(note));
    }

    /// Notes the size of a value, where it is known, and of its entry.
    #[inline]
    pub(crate) fn note_bytes(&self, serialized: Option<usize>, stored: usize) {
        if self.is_active() {
            self.learn_bytes(serialized, stored);
        }
    }

    #[cold]
    fn learn_bytes(&self, serialized: Option<usize>, stored: usize) {
        self.learn(|facts| {
            if let Some(serialized) = serialized {
                *facts.serialized.get_or_insert(0) += serialized as u64;
            }
            *facts.stored.get_or_insert(0) += stored as u64;
        });
    }

    fn learn(&self, learn: impl Fn(&mut Facts)) {
        if let Some(active) = &self.active {
            learn(&mut active.facts.lock());
            if let Some(shared) = &active.shared {
                learn(&mut shared.lock());
            }
        }
    }

    /// Counts the answer for one key.
    pub(crate) fn count<T>(&self, answer: &Result<T>, outcome: impl FnOnce(&T) -> OperationOutcome) {
        if let Some(active) = &self.active {
            let mut facts = active.facts.lock();
            match answer {
                Ok(answer) => facts.count(outcome(answer), 1),
                Err(error) => {
                    facts.count(OperationOutcome::Failed, 1);
                    facts.error.get_or_insert_with(|| error.clone());
                }
            }
        }
    }

    /// Counts `keys` answers that are all alike.
    pub(crate) fn count_many(&self, outcome: OperationOutcome, keys: u64) {
        if let Some(active) = &self.active {
            active.facts.lock().count(outcome, keys);
        }
    }

    /// Ends the operation of one key.
    #[inline]
    pub(crate) fn end<T>(self, answer: &Result<T>, outcome: impl FnOnce(&T) -> OperationOutcome) {
        if self.is_active() {
            self.count(answer, outcome);
            self.finish(answer.as_ref().err().map(Failure::Cache));
        }
    }

    /// Ends what has found or removed so many keys.
    pub(crate) fn end_number(self, keys: &Result<usize, &Error>) {
        match keys {
            Ok(0) => self.count_many(OperationOutcome::Unchanged, 1),
            Ok(keys) => self.count_many(OperationOutcome::Done, *keys as u64),
            Err(error) => return self.finish(Some(Failure::Cache(error))),
        }
        self.finish(None);
    }

    /// Ends the operation, as its keys have ended or with this failure.
    pub(crate) fn finish(mut self, failure: Option<Failure<'_>>) {
        if let Some(active) = self.active.take() {
            active.finish(self.kind, failure, None);
        }
    }

    /// Ends a batch as its keys have ended, with why the first of those that failed did.
    pub(crate) fn finish_counted(mut self, failure: Option<Failure<'_>>) {
        if let Some(active) = self.active.take() {
            let outcome = active.facts.lock().outcome(None);
            active.finish(self.kind, failure, Some(outcome));
        }
    }

    /// Runs a loader as this operation: what its hooks keep per thread is there whenever it is polled.
    pub(crate) async fn within<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _entered = self.active.as_ref().map(|active| active.enter());
            future.as_mut().poll(cx)
        })
        .await
    }
}

impl<'a> Active<'a> {
    fn begin(
        list: &Arc<List>,
        kind: OperationKind,
        key: Option<&'a str>,
        batch_size: Option<usize>,
        system: &'static str,
    ) -> Box<Self> {
        let mut active = Box::new(Active {
            list: Arc::clone(list),
            spans: Vec::new(),
            parent: None,
            key: key.map(Cow::Borrowed),
            batch_size,
            attempt: AtomicU32::new(1),
            system,
            began: list.clock.monotonic(),
            facts: Mutex::default(),
            shared: None,
        });
        for (at, watcher) in list.watchers.iter().enumerate() {
            if watcher.wants(kind)
                && let Some(span) = watcher.call(|hook| hook.start(&active.operation(kind))).flatten()
            {
                active.spans.push((at, span));
            }
        }
        active
    }
}

impl Active<'_> {
    fn operation(&self, kind: OperationKind) -> Operation<'_> {
        Operation {
            cache: &self.list.name,
            kind,
            parent: self.parent,
            key: self.key.as_deref(),
            batch_size: self.batch_size,
            attempt: self.attempt.load(Ordering::Relaxed),
            system: self.system,
        }
    }

    fn child<'c>(
        &self,
        parent: OperationKind,
        kind: OperationKind,
        key: Option<Cow<'c, str>>,
        batch_size: Option<usize>,
        shared: Option<Arc<Mutex<Facts>>>,
    ) -> Box<Active<'c>> {
        let mut child = Box::new(Active {
            list: Arc::clone(&self.list),
            spans: Vec::new(),
            parent: Some(parent),
            key,
            batch_size,
            attempt: AtomicU32::new(self.attempt.load(Ordering::Relaxed)),
            system: self.system,
            began: self.list.clock.monotonic(),
            facts: Mutex::default(),
            shared,
        });
        for (at, span) in &self.spans {
            let watcher = &self.list.watchers[*at];
            if watcher.wants(kind) {
                match guarded(|| span.child(&child.operation(kind))) {
                    Some(Some(span)) => child.spans.push((*at, span)),
                    Some(None) => {}
                    None => watcher.panicked(),
                }
            }
        }
        child
    }

    fn enter(&self) -> Entered {
        let entered = self.spans.iter().filter_map(|(at, span)| {
            let entered = guarded(|| span.enter());
            if entered.is_none() {
                self.list.watchers[*at].panicked();
            }
            entered.flatten()
        });
        Entered(entered.collect())
    }

    /// Ends an operation that was dropped before its end.
    #[cold]
    fn abandon(self, kind: OperationKind) {
        // What unwinds has not been dropped by its caller: a serializer or a backend has panicked.
        let (failure, outcome) = if std::thread::panicking() {
            (Some(Failure::Panicked), OperationOutcome::Failed)
        } else {
            (None, OperationOutcome::Cancelled)
        };
        self.finish(kind, failure, Some(outcome));
    }

    fn finish(mut self, kind: OperationKind, failure: Option<Failure<'_>>, outcome: Option<OperationOutcome>) {
        let elapsed = self.list.clock.monotonic().saturating_sub(self.began);
        let facts = std::mem::take(&mut *self.facts.lock());
        let ending = Ending {
            outcome: outcome.unwrap_or_else(|| facts.outcome(failure.as_ref())),
            failure: failure.or(facts.error.as_ref().map(Failure::Cache)),
            elapsed,
            counts: facts.counts,
            undecodable: facts.undecodable,
            serialized_bytes: facts.serialized,
            stored_bytes: facts.stored,
        };
        let mut spans = std::mem::take(&mut self.spans).into_iter().peekable();
        let operation = self.operation(kind);
        for (at, watcher) in self.list.watchers.iter().enumerate() {
            if let Some((_, span)) = spans.next_if(|(of, _)| *of == at)
                && guarded(|| span.finish(&ending)).is_none()
            {
                watcher.panicked();
            }
            if watcher.wants(kind) {
                watcher.call(|hook| hook.finish(&operation, &ending));
            }
        }
    }
}

/// What hooks keep on this thread while a loader is polled, the last of them first to go.
struct Entered(Vec<Box<dyn Any>>);

impl Drop for Entered {
    fn drop(&mut self) {
        while let Some(entered) = self.0.pop() {
            let _ = guarded(|| drop(entered));
        }
    }
}

impl Drop for Scope<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(active) = self.active.take() {
            active.abandon(self.kind);
        }
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
