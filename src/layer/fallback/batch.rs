use std::collections::{HashMap, HashSet};

use super::{
    Inner,
    journal::Mark,
    one::{Attempt, Effect, Target, of_both, set_on_nothing},
};
use crate::{
    backend::{CacheBackend, Entry, Outcome, SetItem},
    error::{Error, ErrorKind, Result},
};

impl<P, S> Inner<P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    pub(super) async fn read_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        let mut answers: Vec<Option<Result<Option<Entry>>>> = keys.iter().map(|_| None).collect();
        let mut clear = Vec::with_capacity(keys.len());
        let mut marked = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            match self.journal.mark(key) {
                None => clear.push(at),
                Some(Mark { number: None }) => answers[at] = Some(Ok(None)),
                Some(_) => marked.push(at),
            }
        }
        let of = |places: &[usize]| -> Vec<&str> { places.iter().map(|&at| keys[at]).collect() };
        let mut away = Vec::new();
        if !marked.is_empty() {
            for (at, result) in marked.iter().copied().zip(self.flush(&of(&marked)).await) {
                match result {
                    Err(error) if error.is_unavailable() => away.push((at, error)),
                    _ => answers[at] = Some(Ok(None)),
                }
            }
        }
        if !clear.is_empty() {
            for (at, result) in clear.iter().copied().zip(self.primary.get_many(&of(&clear)).await) {
                self.heard(&result);
                match result {
                    Err(error) if error.is_unavailable() => away.push((at, error)),
                    result => answers[at] = Some(result),
                }
            }
        }
        away.retain(|(at, _)| {
            let is_held = self.journal.holds(keys[*at]);
            if !is_held {
                answers[*at] = Some(Ok(None));
            }
            is_held
        });
        if !away.is_empty() {
            let places: Vec<usize> = away.iter().map(|(at, _)| *at).collect();
            let own = self.secondary.get_many(&of(&places)).await;
            for ((at, error), own) in away.into_iter().zip(own) {
                answers[at] = Some(own.map_err(|own| of_both(own, error)));
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(short)).collect()
    }

    pub(super) async fn remove_many(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        let attempt = Attempt::new(self, Some(Target::Keys(keys)));
        let mut results = self.flush(keys).await;
        let away: Vec<usize> = (0..results.len().min(keys.len()))
            .filter(|&at| matches!(&results[at], Err(error) if error.is_unavailable()))
            .collect();
        let writing: Vec<_> = away.iter().map(|&at| self.journal.begin(keys[at])).collect();
        attempt.settle();
        if away.is_empty() {
            return results;
        }
        self.watch();
        let removed: Vec<&str> = away.iter().map(|&at| keys[at]).collect();
        let own = self.secondary.delete_many(&removed).await;
        drop(writing);
        for (at, own) in away.into_iter().zip(own) {
            let primary = std::mem::replace(&mut results[at], Ok(Outcome::Missing));
            results[at] = own.map_err(|own| match primary {
                Err(error) => of_both(own, error),
                Ok(_) => own,
            });
        }
        results
    }

    pub(super) async fn write_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        let invalidated: Vec<&str> = items
            .iter()
            .filter(|item| Effect::of_set(&item.options) == Effect::Replaces)
            .map(|item| &*item.key)
            .collect();
        let attempt = Attempt::new(self, Some(Target::Keys(&invalidated)));
        let mut failed: HashMap<&str, Error> = HashMap::new();
        let marks = self.clear_the_way(&items, &mut failed).await;
        let sent: Vec<usize> = (0..items.len())
            .filter(|&at| !failed.contains_key(&*items[at].key))
            .collect();
        let mut answers: Vec<Option<Result<Outcome>>> = items.iter().map(|_| None).collect();
        if !sent.is_empty() {
            let batch = sent.iter().map(|&at| items[at].clone()).collect();
            let results = self.primary.set_many(batch).await;
            for (at, result) in sent.into_iter().zip(results) {
                self.heard(&result);
                match &result {
                    Err(error) if error.is_unavailable() => {
                        failed.insert(&items[at].key, error.clone());
                    }
                    _ => answers[at] = Some(result),
                }
            }
        }
        // All writes of a key whose last may be missing at the primary, so that their order stays what it was.
        let again: Vec<usize> = (0..items.len())
            .filter(|&at| failed.get(&*items[at].key).is_some_and(Error::is_unavailable))
            .collect();
        let writing: Vec<_> = again.iter().map(|&at| self.journal.begin(&items[at].key)).collect();
        attempt.settle();
        if !again.is_empty() {
            self.watch();
        }
        let refused: HashSet<&str> = (items.iter().zip(&answers))
            .filter(|(_, answer)| !matches!(answer, Some(Ok(_))))
            .map(|(item, _)| &*item.key)
            .collect();
        let released: Vec<(&str, Mark)> = marks.into_iter().filter(|(key, _)| !refused.contains(key)).collect();
        self.release(&released).await;
        if !again.is_empty() {
            self.set_secondary(&items, &again, &writing, &failed, &mut answers)
                .await;
            drop(writing);
        }
        answers
            .into_iter()
            .zip(&items)
            .map(|(answer, item)| match (answer, failed.get(&*item.key)) {
                (Some(answer), _) => answer,
                (None, Some(error)) => Err(error.clone()),
                (None, None) => short(),
            })
            .collect()
    }

    /// Deletes the marked keys whose first write depends on what stands, and answers the marks of those whose first
    /// write replaces it.
    async fn clear_the_way<'i>(
        &self,
        items: &'i [SetItem],
        failed: &mut HashMap<&'i str, Error>,
    ) -> Vec<(&'i str, Mark)> {
        if self.journal.is_empty() {
            return Vec::new();
        }
        let mut seen = HashSet::new();
        let mut flushed = Vec::new();
        let mut marks = Vec::new();
        for item in items {
            if !seen.insert(&*item.key) {
                continue;
            }
            if let Some(mark) = self.journal.mark(&item.key) {
                match Effect::of_set(&item.options) {
                    Effect::Replaces => marks.push((&*item.key, mark)),
                    _ => flushed.push(&*item.key),
                }
            }
        }
        if !flushed.is_empty() {
            for (key, result) in flushed.iter().copied().zip(self.flush(&flushed).await) {
                if let Err(error) = result {
                    failed.insert(key, error);
                }
            }
        }
        marks
    }

    async fn set_secondary(
        &self,
        items: &[SetItem],
        again: &[usize],
        writing: &[Option<super::journal::Writing<'_>>],
        failed: &HashMap<&str, Error>,
        answers: &mut [Option<Result<Outcome>>],
    ) {
        let mut places = Vec::with_capacity(again.len());
        let mut batch = Vec::with_capacity(again.len());
        for (&at, writing) in again.iter().zip(writing) {
            let item = &items[at];
            let on_nothing = set_on_nothing(&item.options);
            if writing.is_some() && on_nothing.is_ok() {
                places.push(at);
                let options = self.shortened(item.options.clone());
                batch.push(SetItem::new(item.key.clone(), item.value.clone(), options));
            } else {
                answers[at] = Some(on_nothing);
            }
        }
        for (at, own) in places.into_iter().zip(self.secondary.set_many(batch).await) {
            answers[at] = Some(own.map_err(|own| match failed.get(&*items[at].key) {
                Some(error) => of_both(own, error.clone()),
                None => own,
            }));
        }
    }
}

/// A backend that breaks the contract must not shift one key's answer to another.
#[cold]
fn short<T>() -> Result<T> {
    Err(Error::new(
        ErrorKind::Server,
        "the backend answered fewer keys than it was asked for",
    ))
}
