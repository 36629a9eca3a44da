//! Rounds in which every contender has its turn. One that fails is told of, and the others go on.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, LocalBoxFuture},
};
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::measure::{Figure, Row};

/// Of the order in which contenders have their turns, the same in every run.
const SEED: u64 = 8;

/// How long and how often is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds that count; one more before them warms up.
    pub rounds: usize,
    /// The length of each contender's turn.
    pub turn: Duration,
    /// In how many pieces the turns of a round are taken, each contender's in its turn.
    pub pieces: usize,
}

impl Effort {
    /// In pieces of so long. What a call takes is decided by where the system has put the threads too, three times as long
    /// for one call after the other on two processors as on one, and by what else the machine does: that changes within a
    /// round, and has to meet all alike.
    #[must_use]
    pub fn in_pieces(self, piece: Duration) -> Self {
        let pieces = self.turn.as_nanos() / piece.as_nanos();
        Self {
            pieces: usize::try_from(pieces).unwrap_or(1).max(1),
            ..self
        }
    }

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
    is_whole: bool,
}

impl Lane {
    /// What `prepare` does is done before the first round.
    pub fn new(contender: &str, prepare: impl Future<Output = Result<Turn, String>> + 'static) -> Self {
        Self {
            contender: contender.into(),
            prepare: prepare.boxed_local(),
            is_whole: false,
        }
    }

    /// Takes its turns in one piece: to begin one costs it more than a piece is worth.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.is_whole = true;
        self
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
    is_whole: bool,
    turn: Result<Turn, String>,
    /// The figures of the pieces of this round.
    pieces: Vec<Vec<Figure>>,
    turns: Vec<Vec<Figure>>,
}

impl Runner {
    /// Has a turn, or a piece of it.
    async fn run(&mut self, piece: usize, effort: Effort) {
        let Ok(turn) = &self.turn else { return };
        let time = match (self.is_whole, piece) {
            (true, 0) => effort.turn,
            (true, _) => return,
            (false, _) => effort.turn / u32::try_from(effort.pieces).unwrap_or(u32::MAX),
        };
        match guarded(effort.patience(), async { turn(time).await }).await {
            Ok(figures) => self.pieces.push(figures),
            Err(failed) => self.turn = Err(failed),
        }
    }

    /// Ends a round.
    fn end_turn(&mut self, counts: bool) {
        let pieces = std::mem::take(&mut self.pieces);
        if counts && self.turn.is_ok() {
            self.turns.push(together(pieces));
        }
    }
}

/// Lets every lane have its turn in every round, and answers the medians.
pub async fn race(workload: &str, tasks: usize, lanes: Vec<Lane>, effort: Effort) -> Results {
    let patience = effort.patience();
    let mut runners = Vec::new();
    for lane in lanes {
        runners.push(Runner {
            turn: guarded(patience, lane.prepare).await.flatten(),
            contender: lane.contender,
            is_whole: lane.is_whole,
            pieces: Vec::new(),
            turns: Vec::new(),
        });
    }
    let mut order: Vec<usize> = (0..runners.len()).collect();
    let mut random = SmallRng::seed_from_u64(SEED);
    for round in 0..=effort.rounds {
        // The first round warms up.
        let warms_up = round == 0;
        let effort = if warms_up {
            Effort {
                turn: effort.turn / 3,
                ..effort
            }
        } else {
            effort
        };
        for piece in 0..effort.pieces {
            if effort.pieces > 1 {
                // Whoever comes before leaves the threads where they are: always the same one would be a handicap.
                order.shuffle(&mut random);
            } else {
                // Of a few whole turns each begins with another.
                order.rotate_left(1);
            }
            for &which in &order {
                runners[which].run(piece, effort).await;
            }
        }
        for runner in &mut runners {
            runner.end_turn(!warms_up);
        }
    }
    let mut results = Results::default();
    for Runner {
        contender, turn, turns, ..
    } in runners
    {
        let rows = turn.map(|_| rows(workload, tasks, &contender, &turns));
        results.take(workload, tasks, &contender, rows);
    }
    results
}

/// The figures of a turn out of those of its pieces: their means, by weight.
fn together(mut pieces: Vec<Vec<Figure>>) -> Vec<Figure> {
    let Some(mut figures) = pieces.pop() else {
        return Vec::new();
    };
    for (which, figure) in figures.iter_mut().enumerate() {
        let mut sum = figure.value * figure.weight;
        for piece in &pieces {
            sum += piece[which].value * piece[which].weight;
            figure.weight += piece[which].weight;
        }
        figure.value = sum / figure.weight;
    }
    figures
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
        pieces: 1,
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
    async fn pieces_of_a_turn_are_taken_in_turn_and_make_one_figure() {
        let said = Arc::new(std::sync::Mutex::new(Vec::new()));
        let of = |contender: &'static str, unit: &'static str| {
            let said = Arc::clone(&said);
            let turn: Turn = Box::new(move |time: Duration| {
                let mut said = said.lock().unwrap();
                said.push((contender, time));
                let value = 3.0 * said.len() as f64;
                async move { vec![Figure::new(value, unit).over(time)] }.boxed()
            });
            Lane::new(contender, async { Ok(turn) })
        };
        let lanes = vec![of("rate", "calls/s"), of("time", "us"), of("whole", "us").whole()];
        let effort = Effort {
            rounds: 1,
            turn: Duration::from_millis(15),
            pieces: 1,
        };
        let results = race("get", 1, lanes, effort.in_pieces(Duration::from_millis(5))).await;
        let said = said.lock().unwrap();
        let piece = Duration::from_millis(5);
        // The first round warms up, in three pieces of a third of that.
        let counted: Vec<_> = said.iter().enumerate().skip(7).collect();
        for three in [&counted[..3], &counted[3..5], &counted[5..]] {
            let of = |contender| three.iter().filter(|(_, turn)| turn.0 == contender).count();
            assert_eq!((of("rate"), of("time")), (1, 1), "{three:?}");
        }
        assert!(counted[..3].iter().any(|(_, turn)| **turn == ("whole", 3 * piece)));
        let values = |contender| -> Vec<f64> {
            let of = counted.iter().filter(|(_, turn)| turn.0 == contender);
            of.map(|(place, _)| 3.0 * (place + 1) as f64).collect()
        };
        let expected = [
            values("rate").iter().sum::<f64>() / 3.0,
            values("time")[1],
            values("whole")[0],
        ];
        let medians: Vec<f64> = results.rows.iter().map(|row| row.median.round()).collect();
        assert_eq!(medians, expected);
    }

    #[test]
    fn a_piece_weighs_what_it_took() {
        let piece =
            |calls: f64, seconds| vec![Figure::new(calls / seconds, "calls/s").over(Duration::from_secs_f64(seconds))];
        let turn = together(vec![piece(100.0, 1.0), piece(0.0, 3.0)]);
        assert_eq!((turn[0].value, turn[0].weight), (25.0, 4.0));
        let piece = |nanos: f64, calls| vec![Figure::new(nanos, "ns").of(calls)];
        let turn = together(vec![piece(100.0, 30), piece(500.0, 10)]);
        assert_eq!((turn[0].value, turn[0].weight), (200.0, 40.0));
    }

    #[tokio::test]
    async fn what_is_never_done_is_not_waited_for() {
        let refused = guarded(Duration::from_millis(1), futures::future::pending::<()>()).await;
        assert_eq!(refused.unwrap_err(), "it was not done after 1ms");
    }
}
