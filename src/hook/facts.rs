use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{Counts, Failure, OperationOutcome};
use crate::error::Error;

/// What is learned of an operation while it runs.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) counts: Counts,
    pub(super) age: Duration,
    pub(super) error: Option<Error>,
    pub(super) undecodable: u64,
    pub(super) serialized: Option<u64>,
    pub(super) stored: Option<u64>,
    /// What happened on the way to answers that are not counted yet.
    pub(super) fallbacks: u64,
    pub(super) unreadable: u64,
    pub(super) voided: u64,
    pub(super) bypassed: u64,
    /// What a part that can outlive this has learned.
    pub(super) detached: Option<Arc<Mutex<Self>>>,
}

/// What changes the outcome of the key whose answer is counted next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    Undecodable,
    Fallback,
    FillVoided,
    Bypassed,
}

impl Facts {
    pub(super) fn note(&mut self, note: Note) {
        match note {
            Note::Undecodable => {
                self.undecodable += 1;
                self.unreadable += 1;
            }
            Note::Fallback => self.fallbacks += 1,
            Note::FillVoided => self.voided += 1,
            Note::Bypassed => self.bypassed += 1,
        }
    }

    pub(super) fn count(&mut self, outcome: OperationOutcome, keys: u64) {
        if let Some(detached) = self.detached.take() {
            let mut detached = detached.lock();
            self.voided += std::mem::take(&mut detached.voided);
            self.bypassed += std::mem::take(&mut detached.bypassed);
            self.undecodable += std::mem::take(&mut detached.undecodable);
            for (own, theirs) in [
                (&mut self.serialized, detached.serialized.take()),
                (&mut self.stored, detached.stored.take()),
            ] {
                if let Some(theirs) = theirs {
                    *own.get_or_insert(0) += theirs;
                }
            }
        }
        let unreadable = std::mem::take(&mut self.unreadable);
        let changed = match outcome {
            OperationOutcome::Failed => None,
            _ if self.fallbacks > 0 => Some((&mut self.fallbacks, OperationOutcome::Fallback)),
            OperationOutcome::Miss if unreadable > 0 => {
                self.counts.add(OperationOutcome::Undecodable, keys);
                return;
            }
            OperationOutcome::Loaded if self.voided > 0 => Some((&mut self.voided, OperationOutcome::FillVoided)),
            OperationOutcome::Loaded if self.bypassed > 0 => Some((&mut self.bypassed, OperationOutcome::Bypassed)),
            _ => None,
        };
        if let OperationOutcome::Stale { age } = outcome {
            self.age = self.age.max(age);
        }
        match changed {
            Some((noted, changed)) => {
                *noted -= 1;
                self.counts.add(changed, keys);
            }
            None => self.counts.add(outcome, keys),
        }
    }

    pub(super) fn outcome(&self, failure: Option<&Failure<'_>>) -> OperationOutcome {
        match self.counts.uniform() {
            _ if failure.is_some() => OperationOutcome::Failed,
            Some(index) => OperationOutcome::with_index(index, self.age),
            None if self.counts.total() == 0 => OperationOutcome::Done,
            None => OperationOutcome::Mixed,
        }
    }
}
