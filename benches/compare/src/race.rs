//! Rounds in which every contender has its turn. One that fails is told of, and the others go on.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, LocalBoxFuture},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::measure::{Figure, Row};

/// How long and how often is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds that count; one more before them warms up.
    pub rounds: usize,
    /// The length of each contender's turn.
    pub turn: Duration,
}

impl Effort {
    /// A contender that takes longer for its turn, or to be ready for it, never gets there.
    fn patience(self) -> Duration {
        self.turn * 10 + Duration::from_secs(30)
    }
}

/// Measures for about as long as it is told.
pub type Turn = Box<dyn Fn(Duration) -> BoxFuture<'static, Vec<Figure>> + Send + Sync>;

/// A contender that is connected, or why it is not.
pub type Connected<R> = Result<Arc<R>, String>;

/// A contender in one workload.
pub struct Lane {
    contender: String,
    prepare: LocalBoxFuture<'static, Result<Turn, String>>,
}

impl Lane {
    /// What `prepare` does is done before the first round.
    pub fn new(contender: &str, prepare: impl Future<Output = Result<Turn, String>> + 'static) -> Self {
        Self {
            contender: contender.into(),
            prepare: prepare.boxed_local(),
        }
    }

    /// A lane of a contender that may not be connected.
    pub fn on<R, T>(
        contender: &str,
        remote: &Connected<R>,
        prepare: impl AsyncFnOnce(String, Arc<R>) -> T + 'static,
    ) -> Self
    where
        R: 'static,
        T: Fn(Duration) -> BoxFuture<'static, Vec<Figure>> + Send + Sync + 'static,
    {
        let (name, remote) = (contender.to_owned(), remote.clone());
        Self::new(contender, async move {
            let turn: Turn = Box::new(prepare(name, remote?).await);
            Ok(turn)
        })
    }
}

/// A contender that has no figures, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub workload: String,
    pub tasks: usize,
    pub contender: String,
    pub failed: String,
}

/// What came of a workload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    pub rows: Vec<Row>,
    pub failures: Vec<Failure>,
}

impl Results {
    pub fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
        self.failures.append(&mut other.failures);
    }

    /// Takes the rows of a contender, or why there are none.
    pub fn take(&mut self, workload: &str, tasks: usize, contender: &str, rows: Result<Vec<Row>, String>) {
        match rows {
            Ok(rows) => self.rows.extend(rows),
            Err(failed) => self.failures.push(Failure {
                workload: workload.into(),
                tasks,
                contender: contender.into(),
                failed,
            }),
        }
    }
}

struct Runner {
    contender: String,
    turn: Result<Turn, String>,
    turns: Vec<Vec<Figure>>,
}

/// Lets every lane have its turn in every round, each round beginning with another, and answers the medians.
pub async fn race(workload: &str, tasks: usize, lanes: Vec<Lane>, effort: Effort) -> Results {
    let patience = effort.patience();
    let mut runners = Vec::new();
    for Lane { contender, prepare } in lanes {
        let turn = guarded(patience, prepare).await.flatten();
        let turns = Vec::new();
        runners.push(Runner { contender, turn, turns });
    }
    for round in 0..=effort.rounds {
        for place in 0..runners.len() {
            let which = (place + round) % runners.len();
            let runner = &mut runners[which];
            let Ok(turn) = &runner.turn else { continue };
            // The first round warms up.
            let time = if round == 0 { effort.turn / 3 } else { effort.turn };
            match guarded(patience, async { turn(time).await }).await {
                Ok(figures) if round > 0 => runner.turns.push(figures),
                Ok(_) => {}
                Err(failed) => runner.turn = Err(failed),
            }
        }
    }
    let mut results = Results::default();
    for Runner { contender, turn, turns } in runners {
        let rows = turn.map(|_| rows(workload, tasks, &contender, &turns));
        results.take(workload, tasks, &contender, rows);
    }
    results
}

fn rows(workload: &str, tasks: usize, contender: &str, turns: &[Vec<Figure>]) -> Vec<Row> {
    let parts = turns[0].iter().enumerate().map(|(which, figure)| {
        let name = match &figure.part {
            Some(part) => format!("{workload} {part}"),
            None => workload.to_owned(),
        };
        let values = turns.iter().map(|figures| figures[which].value).collect();
        Row::of(&name, tasks, contender, &figure.unit, values)
    });
    parts.collect()
}

/// What `work` comes to, or what it panicked with, or that it takes longer than `patience`.
pub async fn guarded<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, String> {
    match timeout(patience, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => Err(said(&*panic)),
        Err(_) => Err(format!("it was not done after {patience:?}")),
    }
}

/// The message of a panic, in one line.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let words = text.unwrap_or("it panicked").split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORT: Effort = Effort {
        rounds: 3,
        turn: Duration::from_millis(1),
    };

    fn lane(contender: &str, turn: impl Fn() -> f64 + Send + Sync + 'static) -> Lane {
        let turn: Turn = Box::new(move |_| {
            let value = turn();
            async move { vec![Figure::new(value, "ms")] }.boxed()
        });
        Lane::new(contender, async { Ok(turn) })
    }

    #[tokio::test]
    async fn a_contender_that_fails_is_told_of_and_the_others_go_on() {
        let lanes = vec![
            lane("sound", || 1.0),
            lane("panics", || panic!("the answer\nis wrong")),
            Lane::new("absent", async { Err("it does not build".into()) }),
            Lane::on("lost", &Connected::<()>::Err("no route".into()), async |_, _| {
                |_| unreachable!("nothing is prepared")
            }),
        ];
        let results = race("get", 1, lanes, EFFORT).await;
        assert_eq!(results.rows, [Row::of("get", 1, "sound", "ms", vec![1.0; 3])]);
        let failed: Vec<_> = results.failures.iter().map(|f| (&*f.contender, &*f.failed)).collect();
        assert_eq!(
            failed,
            [
                ("panics", "the answer is wrong"),
                ("absent", "it does not build"),
                ("lost", "no route")
            ]
        );
    }

    #[tokio::test]
    async fn what_is_never_done_is_not_waited_for() {
        let refused = guarded(Duration::from_millis(1), futures::future::pending::<()>()).await;
        assert_eq!(refused.unwrap_err(), "it was not done after 1ms");
    }
}
