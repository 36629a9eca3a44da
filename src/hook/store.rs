use std::time::Duration;

use bytes::Bytes;

use super::{OperationKind, OperationOutcome, Scope};
use crate::{
    backend::{CacheBackend, Condition, Entry, Head, Outcome, PhysicalKey, SetItem, SetOptions, SweepListener},
    error::Result,
};

/// A backend as one operation asks it: each of its calls is a part of the operation.
#[derive(Debug)]
pub(crate) struct Store<'a, B> {
    backend: &'a B,
    scope: &'a Scope<'a>,
}

impl<'a, B: CacheBackend> Store<'a, B> {
    pub(crate) const fn new(backend: &'a B, scope: &'a Scope<'a>) -> Self {
        Self { backend, scope }
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Entry>> {
        // Apart from the rest, so that a hit nobody listens to carries nothing of it.
        if !self.scope.is_active() {
            return self.backend.get(key).await;
        }
        let part = self.scope.child(OperationKind::BackendGet, Some(key), None);
        let entry = self.backend.get(key).await;
        if part.is_active() {
            note_entry(&part, &entry);
            part.end(&entry, found);
        }
        entry
    }

    /// [`get`](Self::get) of a key in two parts. Hooks are told of keys that are whole.
    pub(crate) async fn get_joined(&self, prefix: &str, key: &str) -> Result<Option<Entry>> {
        if !self.scope.is_active() {
            return self.backend.get_joined(prefix, key).await;
        }
        self.get(&PhysicalKey::join(prefix, key)).await
    }

    pub(crate) async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        let part = (self.scope).child(OperationKind::BackendGetMany, None, Some(keys.len()));
        let entries = self.backend.get_many(keys).await;
        if part.is_active() {
            for entry in &entries {
                note_entry(&part, entry);
                part.count(entry, found);
            }
            part.finish(None);
        }
        entries
    }

    pub(crate) async fn head(&self, key: &str, n: usize) -> Result<Option<Head>> {
        let part = self.scope.child(OperationKind::BackendHead, Some(key), None);
        let head = self.backend.head(key, n).await;
        part.end(&head, found);
        head
    }

    pub(crate) async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome> {
        let part = self.scope.child(OperationKind::BackendSet, Some(key), None);
        part.note_bytes(None, value.len());
        let outcome = self.backend.set(key, value, options).await;
        part.end(&outcome, done);
        outcome
    }

    pub(crate) async fn set_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        let part = (self.scope).child(OperationKind::BackendSetMany, None, Some(items.len()));
        if part.is_active() {
            for item in &items {
                part.note_bytes(None, item.value.len());
            }
        }
        let outcomes = self.backend.set_many(items).await;
        end_many(part, &outcomes);
        outcomes
    }

    pub(crate) async fn delete(&self, key: &str, condition: Condition) -> Result<Outcome> {
        let part = self.scope.child(OperationKind::BackendDelete, Some(key), None);
        let outcome = self.backend.delete(key, condition).await;
        part.end(&outcome, done);
        outcome
    }

    pub(crate) async fn delete_many(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        let part = (self.scope).child(OperationKind::BackendDeleteMany, None, Some(keys.len()));
        let outcomes = self.backend.delete_many(keys).await;
        end_many(part, &outcomes);
        outcomes
    }

    pub(crate) async fn expire(&self, key: &str, after: Duration, condition: Condition) -> Result<Outcome> {
        let part = self.scope.child(OperationKind::BackendExpire, Some(key), None);
        let outcome = self.backend.expire(key, after, condition).await;
        part.end(&outcome, done);
        outcome
    }

    pub(crate) async fn persist(&self, key: &str, condition: Condition) -> Result<Outcome> {
        let part = self.scope.child(OperationKind::BackendPersist, Some(key), None);
        let outcome = self.backend.persist(key, condition).await;
        part.end(&outcome, done);
        outcome
    }

    pub(crate) async fn delete_matching(&self, pattern: &str, progress: Option<&SweepListener<'_>>) -> Result<u64> {
        let part = (self.scope).child(OperationKind::BackendDeleteMatching, Some(pattern), None);
        let removed = match progress {
            Some(progress) => self.backend.delete_matching_with(pattern, progress).await,
            None => self.backend.delete_matching(pattern).await,
        };
        part.end_number(
            &removed
                .as_ref()
                .map(|&keys| usize::try_from(keys).unwrap_or(usize::MAX)),
        );
        removed
    }
}

fn end_many(part: Scope<'_>, outcomes: &[Result<Outcome>]) {
    if part.is_active() {
        for outcome in outcomes {
            part.count(outcome, done);
        }
        part.finish(None);
    }
}

fn note_entry(part: &Scope<'_>, entry: &Result<Option<Entry>>) {
    if let Ok(Some(entry)) = entry {
        part.note_bytes(None, entry.bytes().len());
    }
}

#[expect(clippy::ref_option, reason = "what the backend's answers are read by")]
fn found<T>(found: &Option<T>) -> OperationOutcome {
    match found {
        Some(_) => OperationOutcome::Hit,
        None => OperationOutcome::Miss,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what answers are read by")]
fn done(outcome: &Outcome) -> OperationOutcome {
    if outcome.is_done() {
        OperationOutcome::Done
    } else {
        OperationOutcome::Unchanged
    }
}
