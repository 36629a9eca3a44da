use std::{
    future::poll_fn,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures::{future::select, task::AtomicWaker};

use super::Inner;
use crate::{
    backend::CacheBackend,
    clock::Clock,
    error::Result,
    runtime::{Runtime, ThreadRuntime},
};

/// How many keys one round trip of a replay deletes at most.
const BATCH: usize = 512;

/// Wakes the background's wait for the primary.
#[derive(Debug, Default)]
pub(super) struct Bell {
    is_rung: AtomicBool,
    /// Somebody waits, or is about to.
    is_watched: AtomicBool,
    waker: AtomicWaker,
}

impl Bell {
    pub(super) fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    async fn heard(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.is_rung.swap(false, Ordering::AcqRel) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

impl<P, S> Inner<P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    pub(super) async fn replay(&self) -> Result<()> {
        self.replay_all().await.map_err(|error| error.with_operation("replay"))
    }

    /// Deletes what it can, and answers the first error. A primary that is away as a whole is not asked again.
    async fn replay_all(&self) -> Result<()> {
        let due = self.journal.due();
        let mut first = Ok(());
        for batch in due.keys.chunks(BATCH) {
            let keys: Vec<&str> = batch.iter().map(|(key, _)| &**key).collect();
            let results = self.flush(&keys).await;
            let is_away = results
                .iter()
                .all(|result| matches!(result, Err(error) if error.is_unavailable()));
            first = first.and(results.into_iter().try_for_each(|result| result.map(drop)));
            if is_away {
                return first;
            }
        }
        for (pattern, number) in due.patterns {
            let result = self.primary.delete_matching(&pattern).await;
            self.heard(&result);
            match result {
                Ok(_) => {
                    self.journal.done_pattern(&pattern, number);
                    self.replayed.tell(1);
                    self.side.update(&self.journal);
                }
                Err(error) => {
                    let is_away = error.is_unavailable();
                    first = first.and(Err(error));
                    if is_away {
                        return first;
                    }
                }
            }
        }
        first
    }
}

/// Replays until the journal is empty or the layer is gone.
async fn watch<P, S>(inner: Weak<Inner<P, S>>, bell: Arc<Bell>, clock: Arc<dyn Clock>, every: Duration)
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    let watched = Watched(Arc::clone(&bell));
    loop {
        let _ = select(Box::pin(bell.heard()), clock.sleep(every)).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        // Whatever is not acknowledged now stays, and is tried again.
        let _ = inner.replay().await;
        if inner.journal.is_empty() {
            drop(watched);
            // An entry made just before found a watcher.
            return inner.watch();
        }
    }
}

/// That the background watches, until it does not: where it can not run the job, it drops it.
struct Watched(Arc<Bell>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.is_watched.store(false, Ordering::Release);
    }
}

impl<P, S> Inner<P, S>
where
    P: CacheBackend + 'static,
    S: CacheBackend + 'static,
{
    /// Notes that the journal has grown, and sees to it that somebody replays it.
    pub(super) fn watch(&self) {
        self.side.update(&self.journal);
        let Some(every) = self.retry_every else {
            return;
        };
        if self.journal.is_empty() || self.bell.is_watched.swap(true, Ordering::AcqRel) {
            return;
        }
        let job = watch(
            self.this.clone(),
            Arc::clone(&self.bell),
            Arc::clone(&self.clock),
            every,
        );
        ThreadRuntime.spawn(Box::pin(job));
    }
}

impl<P, S> Drop for Inner<P, S> {
    fn drop(&mut self) {
        // The watcher then finds nothing to watch.
        self.bell.ring();
    }
}
