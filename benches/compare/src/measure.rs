//! Calls that are made again and again, and the medians of what they cost.

use std::{
    future::Future,
    hint::black_box,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

/// One figure of one turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured, where that is not the workload itself: `p50`, `loads`.
    pub part: Option<String>,
    pub value: f64,
    pub unit: String,
    /// What it weighs beside other pieces of the same turn: the seconds of a rate, the calls of what one of them takes.
    pub weight: f64,
}

impl Figure {
    pub fn new(value: f64, unit: &str) -> Self {
        Self {
            part: None,
            value,
            unit: unit.into(),
            weight: 1.0,
        }
    }

    #[must_use]
    pub fn over(mut self, time: Duration) -> Self {
        self.weight = time.as_secs_f64();
        self
    }

    #[must_use]
    pub fn of(mut self, calls: usize) -> Self {
        self.weight = calls as f64;
        self
    }

    #[must_use]
    pub fn part(mut self, part: &str) -> Self {
        self.part = Some(part.into());
        self
    }
}

/// The median of the rounds of one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub workload: String,
    /// Tasks or threads that call at the same time; keys, where a workload grows with them.
    pub tasks: usize,
    pub contender: String,
    pub median: f64,
    pub low: f64,
    /// None where a call was not waited for to its end, so that `median` is a lower bound.
    pub high: Option<f64>,
    pub unit: String,
    pub rounds: usize,
}

impl Row {
    /// The row of `values`, one for each round.
    pub fn of(workload: &str, tasks: usize, contender: &str, unit: &str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            workload: workload.into(),
            tasks,
            contender: contender.into(),
            median: values[values.len() / 2],
            low: values[0],
            high: values.last().copied().filter(|high| high.is_finite()),
            unit: unit.into(),
            rounds: values.len(),
        }
    }

    /// No rival: larder, the limit, or the yardstick of a plot.
    pub fn is_ours(&self) -> bool {
        self.contender.starts_with("larder") || ["redis-benchmark", "tasks alone"].contains(&self.contender.as_str())
    }

    /// Rates and ratios of hits are the better the higher; everything else is a cost.
    pub fn higher_is_better(&self) -> bool {
        self.unit.ends_with("/s") || self.unit == "%"
    }

    /// How many times as good this is as `other`.
    pub fn speed_over(&self, other: &Self) -> f64 {
        if self.higher_is_better() {
            self.median / other.median
        } else {
            other.median / self.median
        }
    }
}

/// Calls that can be made again and again.
pub trait Calls: Send + Sync + 'static {
    /// Makes the `n`th call of a task and waits for its answer.
    fn call(&self, n: usize) -> impl Future<Output = ()> + Send;
}

/// Makes calls from `tasks` tasks for the length of a turn; the rate, and the median time of a call where one task
/// makes them.
pub async fn hammer(calls: Arc<impl Calls>, tasks: usize, turn: Duration) -> Vec<Figure> {
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let (calls, stop) = (Arc::clone(&calls), Arc::clone(&stop));
            // Tasks start at other keys, so that they do not all ask for the same one.
            tokio::spawn(async move { task_loop(&*calls, task * 37, &stop, tasks == 1).await })
        })
        .collect();
    tokio::time::sleep(turn).await;
    stop.store(true, Ordering::Relaxed);
    let mut made = 0;
    let mut times = Vec::new();
    for task in running {
        let (calls, took) = joined(task).await;
        made += calls;
        times.extend(took);
    }
    let took = began.elapsed();
    let rate = made as f64 / took.as_secs_f64();
    let mut figures = vec![Figure::new(rate, "calls/s").over(took)];
    if !times.is_empty() {
        times.sort();
        let p50 = times[times.len() / 2].as_secs_f64() * 1e6;
        figures.push(Figure::new(p50, "us").part("p50").over(took));
    }
    figures
}

/// What a task of the harness comes to; its panic is the caller's.
pub async fn joined<T>(task: JoinHandle<T>) -> T {
    task.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

async fn task_loop(calls: &impl Calls, first: usize, stop: &AtomicBool, timed: bool) -> (usize, Vec<Duration>) {
    let mut made = 0;
    let mut times = Vec::new();
    // One at the least: a machine that was away for all of a short piece would have it without a figure.
    loop {
        let began = timed.then(Instant::now);
        black_box(calls.call(first + made)).await;
        times.extend(began.map(|began| began.elapsed()));
        made += 1;
        if stop.load(Ordering::Relaxed) {
            return (made, times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_the_median_and_the_spread() {
        let row = Row::of("get", 1, "larder", "calls/s", vec![3.0, 1.0, 9.0, 2.0, 4.0]);
        assert_eq!((row.low, row.median, row.high, row.rounds), (1.0, 3.0, Some(9.0), 5));
    }

    #[test]
    fn a_call_that_was_not_waited_for_has_no_upper_bound() {
        let row = Row::of("outage", 1, "larder", "ms", vec![20.0, f64::INFINITY]);
        assert_eq!(row.high, None);
    }

    #[test]
    fn twice_the_rate_and_half_the_time_are_both_twice_as_good() {
        let row = |unit, median| Row::of("w", 1, "c", unit, vec![median]);
        let close = |ratio: f64| (ratio - 2.0).abs() < 1e-9;
        assert!(close(row("calls/s", 8.0).speed_over(&row("calls/s", 4.0))));
        assert!(close(row("us", 4.0).speed_over(&row("us", 8.0))));
    }
}
