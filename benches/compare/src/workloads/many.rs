//! `get_many` and `set_many`: a hundred keys a call.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};

use super::keys;
use crate::{
    contender::Many,
    measure::{Calls, Figure, hammer},
    payload::Payload,
    race::{Connected, Lane},
};

/// How many keys one call has.
pub const BATCH: usize = 100;

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    Get,
    Set,
}

struct Gets<R, P> {
    remote: Arc<R>,
    batches: Vec<Vec<String>>,
    payload: PhantomData<fn() -> P>,
}

impl<P: Payload, R: Many<P>> Calls for Gets<R, P> {
    async fn call(&self, n: usize) {
        let batch = &self.batches[n % self.batches.len()];
        assert_eq!(self.remote.get_many(batch).await, batch.len(), "every get is a hit");
    }
}

struct Sets<R, P> {
    remote: Arc<R>,
    batches: Vec<Vec<(String, P)>>,
}

impl<P: Payload, R: Many<P>> Calls for Sets<R, P> {
    async fn call(&self, n: usize) {
        self.remote.set_many(&self.batches[n % self.batches.len()]).await;
    }
}

/// A turn of a contender whose keys are filled.
pub async fn turn<P: Payload, R: Many<P>>(
    contender: String,
    remote: Arc<R>,
    which: Batch,
    tasks: usize,
) -> impl Fn(Duration) -> BoxFuture<'static, Vec<Figure>> + Send + Sync + 'static {
    let keys = keys(&contender);
    let items: Vec<(String, P)> = keys
        .iter()
        .cloned()
        .enumerate()
        .map(|(n, key)| (key, P::numbered(n)))
        .collect();
    let sets: Vec<Vec<_>> = items.chunks(BATCH).map(<[_]>::to_vec).collect();
    for batch in &sets {
        remote.set_many(batch).await;
    }
    let gets = Arc::new(Gets::<R, P> {
        remote: Arc::clone(&remote),
        batches: keys.chunks(BATCH).map(<[_]>::to_vec).collect(),
        payload: PhantomData,
    });
    let sets = Arc::new(Sets { remote, batches: sets });
    move |time| match which {
        Batch::Get => hammer(Arc::clone(&gets), tasks, time).boxed(),
        Batch::Set => hammer(Arc::clone(&sets), tasks, time).boxed(),
    }
}

/// [`turn`] as a lane.
pub fn lane<P: Payload, R: Many<P>>(contender: &str, remote: &Connected<R>, which: Batch, tasks: usize) -> Lane {
    Lane::on(contender, remote, async move |contender, remote| {
        turn::<P, R>(contender, remote, which, tasks).await
    })
}
