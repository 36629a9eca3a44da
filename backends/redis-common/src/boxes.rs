//! Boxes for futures, used again.

use std::{
    any::Any,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

/// How many boxes are kept: as many commands as are under way at the same time where batches are not yet worth it, and
/// more.
const KEPT: usize = 128;

/// Boxes for the futures of a client, which take kilobytes.
///
/// A caller often ends a call on another thread than it began it on. Memory of that size goes back to where it is from,
/// and locks out what that thread asks for in the meantime: at 16 tasks, glibc's allocator so put threads to sleep as often
/// as the calls did by themselves.
#[derive(Debug, Default)]
pub struct Boxes {
    /// Written at every call: what is only read must not lie in one cache line with it.
    free: CachePadded<Mutex<Vec<Box<dyn Any + Send>>>>,
}

/// A future in a box that may be used again.
#[derive(Debug)]
pub(crate) struct Boxed<F> {
    /// The outer box is there to be kept among those of other futures.
    slot: Box<Slot<F>>,
}

type Slot<F> = Pin<Box<Option<F>>>;

impl Boxes {
    /// Makes a future in a box.
    pub(crate) fn fill<F: Send + 'static>(&self, make: impl FnOnce() -> F) -> Boxed<F> {
        let slot = match self.find() {
            Some(mut slot) => {
                slot.set(Some(make()));
                slot
            }
            None => Box::new(Box::pin(Some(make()))),
        };
        Boxed { slot }
    }

    fn find<F: Send + 'static>(&self) -> Option<Box<Slot<F>>> {
        let mut free = self.free.lock();
        // The last one is of that type, where a client does not do two things in turn.
        let place = free.iter().rposition(|slot| slot.is::<Slot<F>>())?;
        let slot = free.swap_remove(place);
        drop(free);
        slot.downcast().ok()
    }

    /// Drops a future, and keeps its box.
    pub(crate) fn take_back<F: Send + 'static>(&self, boxed: Boxed<F>) {
        let mut slot = boxed.slot;
        slot.set(None);
        let mut free = self.free.lock();
        if free.len() < KEPT {
            free.push(slot);
        }
    }
}

impl<F: Future> Future for Boxed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match (*self.slot).as_mut().as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, sync::Arc};

    use futures::FutureExt;

    use super::*;

    fn address<F>(boxed: &Boxed<F>) -> *const Option<F> {
        &raw const **boxed.slot
    }

    #[test]
    fn a_box_is_used_again_for_a_future_of_the_same_type() {
        let boxes = Boxes::default();
        let (number, word) = (boxes.fill(|| ready(1)), boxes.fill(|| ready("one")));
        let (of_number, of_word) = (address(&number), address(&word));
        boxes.take_back(word);
        boxes.take_back(number);
        let word = boxes.fill(|| ready("two"));
        let number = boxes.fill(|| ready(2));
        assert_eq!((address(&number), address(&word)), (of_number, of_word));
        assert_eq!((number.now_or_never(), word.now_or_never()), (Some(2), Some("two")));
    }

    #[test]
    fn a_kept_box_keeps_nothing_of_its_future() {
        let boxes = Boxes::default();
        let held = Arc::new(());
        let boxed = boxes.fill({
            let held = Arc::clone(&held);
            || async move { drop(held) }
        });
        assert_eq!(Arc::strong_count(&held), 2);
        boxes.take_back(boxed);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn no_more_are_kept_than_said() {
        let boxes = Boxes::default();
        let many: Vec<_> = (0..2 * KEPT).map(|number| boxes.fill(|| ready(number))).collect();
        for boxed in many {
            boxes.take_back(boxed);
        }
        assert_eq!(boxes.free.lock().len(), KEPT);
    }
}
