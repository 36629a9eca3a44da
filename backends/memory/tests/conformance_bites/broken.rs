use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    pin::pin,
    sync::{Condvar, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use larder::{
    AtOnce, CacheBackend, Capabilities, Condition, Entry, Expiry, Head, Kept, Outcome, Result, SetItem, SetOptions,
    SweepListener, SweepProgress, get_by_joining,
};
use larder_memory::MemoryBackend;

/// The one way in which a backend breaks the contract.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Flaw {
    KeepStoresWhereNothingStands,
    EmptyPrefixMeansAnything,
    IfAbsentLooksFirstAndWritesLater,
    PrefixLooksFirstAndWritesLater,
    DeleteLooksFirstAndRemovesLater,
    LivesAreRoundedUpToSeconds,
    LivesBelowASecondAreForEver,
    ScanNeverEnds,
    ScanAnswersInOnePage,
    ScanIgnoresThePattern,
    ScanLeavesOutTheSecondPage,
    DeleteManyAnswersBackwards,
    GetManyLeavesOutDuplicates,
    GetJoinedLeavesOutThePrefix,
    AtOnceEveryKeyIsMissing,
    AtOnceTheDeadAreServed,
    SetManyFailsAsAWhole,
    EmptyValuesAreMissing,
    HeadCutsTheLengthToo,
    IfAbsentReplacesOtherTypes,
    DeleteMatchingTakesThePatternForAKey,
    DeleteMatchingIgnoresThePattern,
    DeleteMatchingEndsAfterAPage,
    DeleteMatchingCountsKeysThatWereGone,
    ProgressCountsEachBatchAlone,
    ProgressLeavesOutTheEnd,
    ProgressTellsOfKeysThatDoNotMatch,
}

/// A sound store behind a wrapper with one flaw.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) sound: MemoryBackend,
    pub(crate) flaw: Flaw,
    pub(crate) looks: Looks,
    /// What was last written under each key and not deleted since.
    pub(crate) written: Mutex<BTreeMap<String, Kept>>,
}

/// How many calls have looked at each key before they changed it.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<BTreeMap<String, usize>>, Condvar);

impl Looks {
    /// Counts a look; the first one at a key stays until a second one has come, so that a race is lost however the
    /// threads are scheduled, or for a moment where no other call is under way.
    fn meet(&self, key: &str) {
        let mut looks = self.0.lock().unwrap();
        *looks.entry(key.to_owned()).or_default() += 1;
        self.1.notify_all();
        drop(
            self.1
                .wait_timeout_while(looks, Duration::from_millis(20), |looks| looks[key] < 2),
        );
    }
}

impl Broken {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn life(&self, span: Duration) -> Expiry {
        match self.flaw {
            Flaw::LivesAreRoundedUpToSeconds if !span.is_zero() && span < Duration::from_hours(2_400) => {
                Expiry::After(Duration::from_secs(span.as_secs() + u64::from(span.subsec_nanos() > 0)))
            }
            Flaw::LivesBelowASecondAreForEver if !span.is_zero() && span.as_secs() == 0 => Expiry::Never,
            _ => Expiry::After(span),
        }
    }

    fn condition(&self, condition: Condition) -> Condition {
        match condition {
            Condition::IfStartsWith(prefix) if prefix.is_empty() && self.has(Flaw::EmptyPrefixMeansAnything) => {
                Condition::IfPresent
            }
            condition => condition,
        }
    }

    /// Does what a condition asks for in two steps, with time for others in between.
    ///
    /// Who is refused is told so at once: a racer that started late catches up with the one that is ahead.
    async fn look_first(&self, key: &str, condition: &Condition) -> Option<Result<Outcome>> {
        let standing = self.sound.get(key).await.ok()?.map(Entry::into_bytes);
        match (standing, condition) {
            (Some(_), Condition::IfAbsent) => return Some(Ok(Outcome::Mismatch)),
            (None, Condition::IfStartsWith(_)) => return Some(Ok(Outcome::Missing)),
            (Some(value), Condition::IfStartsWith(prefix)) if !value.starts_with(prefix) => {
                return Some(Ok(Outcome::Mismatch));
            }
            _ => {}
        }
        self.looks.meet(key);
        None
    }
}

impl CacheBackend for Broken {
    fn capabilities(&self) -> Capabilities {
        self.sound.capabilities()
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let entry = self.sound.get(key).await?;
        Ok(entry.filter(|entry| !self.has(Flaw::EmptyValuesAreMissing) || !entry.bytes().is_empty()))
    }

    async fn get_joined(&self, prefix: &str, key: &str) -> Result<Option<Entry>> {
        let prefix = if self.has(Flaw::GetJoinedLeavesOutThePrefix) {
            ""
        } else {
            prefix
        };
        get_by_joining(self, prefix, key).await
    }

    fn get_at_once(&self, prefix: &str, key: &str) -> AtOnce {
        match self.flaw {
            Flaw::AtOnceEveryKeyIsMissing => AtOnce::Missing,
            Flaw::AtOnceTheDeadAreServed => {
                let written = self.written.lock().unwrap();
                (written.get(&[prefix, key].concat()).cloned()).map_or(AtOnce::Missing, AtOnce::Found)
            }
            _ => AtOnce::Unknown,
        }
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
        let mut keys = keys.to_vec();
        if self.has(Flaw::GetManyLeavesOutDuplicates) {
            let mut seen = BTreeSet::new();
            keys.retain(|key| seen.insert(*key));
        }
        self.sound.get_many(&keys).await
    }

    async fn head(&self, key: &str, n: usize) -> Result<Option<Head>> {
        let head = self.sound.head(key, n).await?;
        if !self.has(Flaw::HeadCutsTheLengthToo) {
            return Ok(head);
        }
        Ok(head.map(|head| Head::new(head.bytes().clone(), head.bytes().len() as u64, head.ttl())))
    }

    async fn set(&self, key: &str, value: Bytes, mut options: SetOptions) -> Result<Outcome> {
        options.condition = self.condition(options.condition);
        if let Expiry::After(span) = options.expiry {
            options.expiry = self.life(span);
        }
        let looks_first = match options.condition {
            Condition::IfAbsent => self.has(Flaw::IfAbsentLooksFirstAndWritesLater),
            Condition::IfStartsWith(_) => self.has(Flaw::PrefixLooksFirstAndWritesLater),
            _ => false,
        };
        if looks_first && options.check().is_ok() && !self.sound.holds_other_type(key) {
            if let Some(refused) = self.look_first(key, &options.condition).await {
                return refused;
            }
            options.condition = Condition::Always;
        }
        if self.has(Flaw::IfAbsentReplacesOtherTypes)
            && options.condition == Condition::IfAbsent
            && self.sound.holds_other_type(key)
        {
            options.condition = Condition::Always;
        }
        let is_kept = options.expiry == Expiry::Keep && options.condition == Condition::Always;
        if is_kept
            && self.has(Flaw::KeepStoresWhereNothingStands)
            && self.sound.raw(key).is_none()
            && !self.sound.holds_other_type(key)
        {
            options.expiry = Expiry::Never;
        }
        let kept = Kept::new(value.clone());
        self.written.lock().unwrap().insert(key.to_owned(), kept);
        self.sound.set(key, value, options).await
    }

    async fn set_many(&self, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
        let bad = items.iter().find_map(|item| item.options.check().err());
        if let Some(error) = bad.filter(|_| self.has(Flaw::SetManyFailsAsAWhole)) {
            return items.iter().map(|_| Err(error.clone())).collect();
        }
        let mut outcomes = Vec::new();
        for item in items {
            outcomes.push(self.set(&item.key, item.value, item.options).await);
        }
        outcomes
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<Outcome> {
        if self.has(Flaw::DeleteLooksFirstAndRemovesLater) && condition == Condition::Always {
            let stands = self.sound.raw(key).is_some() || self.sound.holds_other_type(key);
            self.looks.meet(key);
            self.sound.delete(key, condition).await?;
            return Ok(if stands { Outcome::Done } else { Outcome::Missing });
        }
        self.written.lock().unwrap().remove(key);
        self.sound.delete(key, self.condition(condition)).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Vec<Result<Outcome>> {
        let mut outcomes = self.sound.delete_many(keys).await;
        if self.has(Flaw::DeleteManyAnswersBackwards) {
            outcomes.reverse();
        }
        outcomes
    }

    async fn expire(&self, key: &str, after: Duration, condition: Condition) -> Result<Outcome> {
        match self.life(after) {
            Expiry::After(after) => self.sound.expire(key, after, self.condition(condition)).await,
            _ => self.sound.persist(key, self.condition(condition)).await,
        }
    }

    async fn persist(&self, key: &str, condition: Condition) -> Result<Outcome> {
        self.sound.persist(key, self.condition(condition)).await
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a> {
        let pattern = if self.has(Flaw::ScanIgnoresThePattern) {
            "*"
        } else {
            pattern
        };
        let pages = self.sound.scan(pattern);
        match self.flaw {
            Flaw::ScanNeverEnds => pages.chain(stream::repeat_with(|| Ok(Vec::new()))).boxed(),
            Flaw::ScanLeavesOutTheSecondPage => {
                let kept = pages.enumerate().filter(|(n, _)| std::future::ready(*n != 1));
                kept.map(|(_, page)| page).boxed()
            }
            Flaw::ScanAnswersInOnePage => {
                let all = async move { Ok(pages.filter_map(async |page| page.ok()).concat().await) };
                stream::once(all).boxed()
            }
            _ => pages.boxed(),
        }
    }

    async fn delete_matching(&self, pattern: &str) -> Result<u64> {
        let sweep = async |pattern: &str| self.sound.delete_matching(pattern).await;
        match self.flaw {
            Flaw::DeleteMatchingTakesThePatternForAKey => {
                let removed = self.sound.delete(pattern, Condition::Always).await?;
                Ok(u64::from(removed.is_done()))
            }
            Flaw::DeleteMatchingIgnoresThePattern => sweep("*").await,
            Flaw::DeleteMatchingEndsAfterAPage => {
                let page = pin!(self.sound.scan(pattern)).next().await;
                let keys = page.transpose()?.unwrap_or_default();
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let removed = self.sound.delete_many(&keys).await;
                Ok(removed.iter().flatten().filter(|outcome| outcome.is_done()).count() as u64)
            }
            Flaw::DeleteMatchingCountsKeysThatWereGone => Ok(sweep(pattern).await?.max(1)),
            _ => sweep(pattern).await,
        }
    }

    async fn delete_matching_with(&self, pattern: &str, progress: &SweepListener<'_>) -> Result<u64> {
        let last = Mutex::new(SweepProgress::default());
        let told = |told| {
            let before = mem::replace(&mut *last.lock().unwrap(), told);
            progress(match self.flaw {
                Flaw::ProgressCountsEachBatchAlone => {
                    SweepProgress::new(told.seen - before.seen, told.removed - before.removed)
                }
                Flaw::ProgressLeavesOutTheEnd => before,
                _ => told,
            });
        };
        if self.has(Flaw::ProgressTellsOfKeysThatDoNotMatch) {
            progress(SweepProgress::new(1, 0));
        }
        self.sound.delete_matching_with(pattern, &told).await
    }
}
