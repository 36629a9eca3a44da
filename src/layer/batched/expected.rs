use super::errand::Errand;
use crate::{
    error::{ErrorKind, Result},
    sync::{AtomicUsize, Ordering},
};

/// A batch holds so many calls, however large their answers are: one value that is larger than all others must not leave
/// those who wait to go one by one.
const LEAST: usize = 16;

/// How large an answer is, as far as those before it tell.
///
/// Nobody knows how large values are before they are read. One MGET for hundreds of large ones keeps everybody else on the
/// connection waiting, and client and server hold all of its answer at once.
#[derive(Default)]
pub(super) struct Expected(AtomicUsize);

impl Expected {
    /// How many calls with such answers come to `bytes`: not less than a few, and `most` at the most.
    pub(super) fn room(&self, bytes: usize, most: usize) -> usize {
        let expected = self.0.load(Ordering::Relaxed).max(1);
        (bytes / expected).max(LEAST).min(most)
    }

    /// Learns from the answers of a batch, which may hold `bytes`.
    pub(super) fn learn<E: Errand>(&self, answers: &[Result<E::Answer>], bytes: usize) {
        let (mut found, mut sum) = (0, 0_usize);
        for answer in answers.iter().flatten() {
            found += 1;
            sum = sum.saturating_add(E::size(answer));
        }
        if let Some(mean) = sum.checked_div(found) {
            self.learn_size(mean);
        } else if answers
            .iter()
            .any(|answer| matches!(answer, Err(error) if error.kind() == ErrorKind::Timeout))
        {
            self.learn_late(answers.len(), bytes);
        }
    }

    fn learn_size(&self, found: usize) {
        let former = self.0.load(Ordering::Relaxed);
        // Of what is new a quarter, rounded so that it gets there.
        let step = found.abs_diff(former).div_ceil(4);
        let next = if found >= former { former + step } else { former - step };
        if next != former {
            self.0.store(next, Ordering::Relaxed);
        }
    }

    /// Learns that so many answers did not come in time: the next batch holds half as many, if `bytes` is what it may hold.
    pub(super) fn learn_late(&self, answers: usize, bytes: usize) {
        if answers > LEAST {
            self.0.fetch_max(bytes / (answers / 2).max(LEAST), Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{backend::Entry, error::Error, layer::batched::errand::Gets};

    fn entries(size: usize) -> Vec<Result<Option<Entry>>> {
        let entry = Entry::new(Bytes::from(vec![0; 2 * size]));
        vec![Ok(Some(entry)), Ok(None), Err(Error::new(ErrorKind::Server, "no"))]
    }

    fn late(answers: usize) -> Vec<Result<Option<Entry>>> {
        let error = || Err(Error::new(ErrorKind::Timeout, "late"));
        (0..answers).map(|_| error()).collect()
    }

    #[test]
    fn batches_hold_what_the_answers_before_let_expect() {
        let expected = Expected::default();
        assert_eq!(expected.room(100_000, 512), 512);
        expected.learn::<Gets>(&entries(400), 10_000);
        assert_eq!(expected.room(10_000, 512), 10_000 / 100);
        for _ in 0..30 {
            expected.learn::<Gets>(&entries(400), 10_000);
        }
        assert_eq!(expected.room(10_000, 512), 10_000 / 400);
        // Neither tells how large a value is.
        expected.learn::<Gets>(&[], 10_000);
        expected.learn::<Gets>(&entries(0)[2..], 10_000);
        assert_eq!(expected.room(10_000, 512), 10_000 / 400);
        for _ in 0..30 {
            expected.learn::<Gets>(&entries(0), 10_000);
        }
        assert_eq!(expected.room(10_000, 512), 512);
    }

    #[test]
    fn however_large_answers_are_a_few_go_together() {
        let expected = Expected::default();
        expected.learn_size(usize::MAX);
        expected.learn_size(usize::MAX);
        assert_eq!((expected.room(1_000, 512), expected.room(1_000, 3)), (LEAST, 3));
    }

    #[test]
    fn answers_that_are_late_halve_the_next_batch() {
        let expected = Expected::default();
        let mut room = 512;
        for next in [256, 128, 64, 32, LEAST, LEAST] {
            expected.learn::<Gets>(&late(room), 1 << 18);
            room = expected.room(1 << 18, 512);
            assert_eq!(room, next);
        }
    }

    #[test]
    fn a_few_that_are_late_tell_nothing_of_many() {
        let expected = Expected::default();
        expected.learn::<Gets>(&late(LEAST), 1 << 18);
        assert_eq!(expected.room(1 << 18, 512), 512);
    }
}
