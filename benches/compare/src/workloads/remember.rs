//! `remember` on keys that have a value, and the stampede on one that has none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::timeout;

use super::keys;
use crate::{
    contender::{Load, Remember},
    measure::{Calls, Figure, hammer, joined},
    payload::Payload,
    race::{Connected, Lane},
};

/// How long the load of a stampede takes.
pub const LOAD: Duration = Duration::from_millis(50);
/// A caller of a stampede that has no answer by then never gets one.
const PATIENCE: Duration = Duration::from_secs(5);

struct Remembers<R, P> {
    remote: Arc<R>,
    keys: Vec<String>,
    loads: Vec<Load<P>>,
}

impl<P: Payload, R: Remember<P>> Calls for Remembers<R, P> {
    async fn call(&self, n: usize) {
        let n = n % self.keys.len();
        let load = self.loads[n].clone();
        let value = self.remote.remember(&self.keys[n], load).await;
        assert!(value.is_ok(), "the server answers");
    }
}

/// A turn of a contender whose keys are filled.
pub async fn hits<P: Payload, R: Remember<P>>(
    contender: String,
    remote: Arc<R>,
    tasks: usize,
) -> impl Fn(Duration) -> BoxFuture<'static, Vec<Figure>> + Send + Sync + 'static {
    let keys: Vec<String> = keys(&contender)
        .into_iter()
        .map(|key| format!("{key}:remembered"))
        .collect();
    let loads: Vec<_> = (0..keys.len())
        .map(|n| Load::new(P::numbered(n), Duration::ZERO))
        .collect();
    let calls = Arc::new(Remembers { remote, keys, loads });
    for n in 0..calls.keys.len() {
        calls.call(n).await;
    }
    let again = calls.remote.remember(&calls.keys[7], calls.loads[7].clone()).await;
    assert!(
        again.as_ref() == Ok(&P::numbered(7)),
        "{contender} answers something else"
    );
    let loaded: usize = calls.loads.iter().map(Load::loads).sum();
    assert!(loaded <= calls.keys.len(), "{contender} loads what it has");
    move |time| hammer(Arc::clone(&calls), tasks, time).boxed()
}

/// [`hits`] as a lane.
pub fn lane<P: Payload, R: Remember<P>>(contender: &str, remote: &Connected<R>, tasks: usize) -> Lane {
    Lane::on(contender, remote, async move |contender, remote| {
        hits::<P, R>(contender, remote, tasks).await
    })
}

/// Turns of `callers` tasks that ask for one key that nobody has, another one each turn: how long until the last is
/// answered beyond the load itself, how many loads ran, and how many callers had no value: an error, or nothing in five
/// seconds.
pub fn stampede<P: Payload, R: Remember<P>>(
    contender: &str,
    remote: Arc<R>,
    callers: usize,
) -> impl Fn(Duration) -> BoxFuture<'static, Vec<Figure>> + Send + Sync + use<R, P> {
    let contender = contender.replace(' ', "-");
    let turns = AtomicUsize::new(0);
    move |_| {
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        let (key, remote) = (
            Arc::<str>::from(format!("{contender}:cold:{turn}")),
            Arc::clone(&remote),
        );
        async move {
            let load = Load::new(P::numbered(turn), LOAD);
            let began = Instant::now();
            let asking: Vec<_> = (0..callers)
                .map(|_| {
                    let (key, remote, load) = (Arc::clone(&key), Arc::clone(&remote), load.clone());
                    tokio::spawn(async move {
                        let answer = timeout(PATIENCE, remote.remember(&key, load)).await;
                        !matches!(answer, Ok(Ok(_)))
                    })
                })
                .collect();
            let mut failed = 0;
            for task in asking {
                failed += usize::from(joined(task).await);
            }
            let behind = began.elapsed().saturating_sub(LOAD).as_secs_f64() * 1e3;
            vec![
                Figure::new(behind, "ms"),
                Figure::new(load.loads() as f64, "loads").part("loads"),
                Figure::new(failed as f64, "errors").part("errors"),
            ]
        }
        .boxed()
    }
}

/// [`stampede`] as a lane.
pub fn cold<P: Payload, R: Remember<P>>(contender: &str, remote: &Connected<R>, callers: usize) -> Lane {
    Lane::on(contender, remote, async move |contender, remote| {
        stampede::<P, R>(&contender, remote, callers)
    })
}
