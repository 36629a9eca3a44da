//! `get` and `set`: one key a call.

use std::{hint::black_box, marker::PhantomData, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};

use super::keys;
use crate::{
    contender::{Answer, Remote},
    measure::{Calls, Figure, hammer},
    payload::Payload,
    race::{Connected, Lane},
};

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single {
    Get,
    Set,
}

struct Gets<R, P> {
    remote: Arc<R>,
    keys: Vec<String>,
    payload: PhantomData<fn() -> P>,
}

impl<P: Payload, R: Remote<P>> Calls for Gets<R, P> {
    async fn call(&self, n: usize) {
        let found = self.remote.get(&self.keys[n % self.keys.len()]).await;
        assert!(black_box(found).is_some(), "every get is a hit");
    }
}

struct Sets<R, P> {
    remote: Arc<R>,
    keys: Vec<String>,
    values: Vec<P>,
}

impl<P: Payload, R: Remote<P>> Calls for Sets<R, P> {
    async fn call(&self, n: usize) {
        let n = n % self.keys.len();
        self.remote.set(&self.keys[n], &self.values[n]).await;
    }
}

/// A turn of a contender whose keys are filled and checked.
pub async fn turn<P: Payload, R: Remote<P>>(
    contender: String,
    remote: Arc<R>,
    which: Single,
    tasks: usize,
) -> impl Fn(Duration) -> BoxFuture<'static, Vec<Figure>> + Send + Sync + 'static {
    let keys = keys(&contender);
    let values: Vec<P> = (0..keys.len()).map(P::numbered).collect();
    for (key, value) in keys.iter().zip(&values) {
        remote.set(key, value).await;
    }
    let found = remote.get(&keys[7]).await;
    assert!(
        found.is_some_and(|found| found.is(&values[7])),
        "{contender} answers something else than what it stored"
    );
    let payload = PhantomData;
    let gets = Arc::new(Gets::<R, P> {
        remote: Arc::clone(&remote),
        keys: keys.clone(),
        payload,
    });
    let sets = Arc::new(Sets { remote, keys, values });
    move |time| match which {
        Single::Get => hammer(Arc::clone(&gets), tasks, time).boxed(),
        Single::Set => hammer(Arc::clone(&sets), tasks, time).boxed(),
    }
}

/// [`turn`] as a lane.
pub fn lane<P: Payload, R: Remote<P>>(contender: &str, remote: &Connected<R>, which: Single, tasks: usize) -> Lane {
    Lane::on(contender, remote, async move |contender, remote| {
        turn::<P, R>(contender, remote, which, tasks).await
    })
}
