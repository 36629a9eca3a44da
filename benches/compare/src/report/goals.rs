//! What larder is held to, as ratios of one run.

use std::fmt::Write as _;

use crate::{measure::Row, plan::counted};

enum Bound {
    /// Times as fast, at least.
    Faster(f64),
    /// Times the time, at most.
    Slower(f64),
}

struct Goal {
    workload: &'static str,
    tasks: usize,
    ours: &'static str,
    theirs: &'static str,
    bound: Bound,
}

/// On the runtime of the callers, where the bare client is too.
const SHARED: &str = "larder, shared runtime";
/// At its defaults: the client on a thread of its own.
const OWN: &str = "larder";

const fn goal(ours: &'static str, workload: &'static str, tasks: usize, theirs: &'static str, bound: Bound) -> Goal {
    Goal {
        workload,
        tasks,
        ours,
        theirs,
        bound,
    }
}

const GOALS: [Goal; 19] = [
    goal(SHARED, "get/100B", 1, "fred, bytes", Bound::Faster(1.0)),
    goal(SHARED, "get/100B", 16, "fred, bytes", Bound::Faster(1.0)),
    goal(SHARED, "get/100B", 128, "fred, bytes", Bound::Faster(1.8)),
    goal(SHARED, "get/100B", 1_024, "fred, bytes", Bound::Faster(2.3)),
    goal(SHARED, "get/100B p50", 1, "fred, bytes", Bound::Slower(1.05)),
    goal(SHARED, "get_many/100", 1, "fred + postcard", Bound::Slower(1.15)),
    goal(SHARED, "set_many/100", 1, "fred + postcard", Bound::Faster(1.0)),
    goal(SHARED, "set_many/100", 1, "redis-rs + postcard", Bound::Faster(1.0)),
    goal(OWN, "get/100B", 1, "fred, bytes", Bound::Faster(1.0)),
    goal(OWN, "get/100B", 16, "fred, bytes", Bound::Faster(1.0)),
    goal(OWN, "get/100B", 128, "fred, bytes", Bound::Faster(1.8)),
    goal(OWN, "get/100B", 1_024, "fred, bytes", Bound::Faster(2.3)),
    goal(OWN, "get/100B p50", 1, "fred, bytes", Bound::Slower(1.05)),
    goal(OWN, "get_many/100", 1, "fred + postcard", Bound::Slower(1.15)),
    goal(OWN, "set_many/100", 1, "fred + postcard", Bound::Faster(1.0)),
    goal(OWN, "set_many/100", 1, "redis-rs + postcard", Bound::Faster(1.0)),
    goal(OWN, "local/hit", 1, "quick_cache + postcard", Bound::Slower(1.5)),
    goal(OWN, "local/hit", 1, "moka + postcard", Bound::Faster(2.0)),
    goal("larder, get_shared", "local/hit", 1, "quick_cache, Arc", Bound::Slower(2.0)),
];

/// A goal beside what was measured.
struct Verdict {
    what: String,
    bound: String,
    measured: String,
    met: bool,
}

/// One line for each goal whose rows were measured.
pub(crate) fn lines(rows: &[Row]) -> Vec<String> {
    let verdicts = GOALS.iter().filter_map(|goal| verdict(goal, rows));
    let line = |verdict: Verdict| {
        let met = if verdict.met { "met" } else { "MISSED" };
        let Verdict {
            what, bound, measured, ..
        } = verdict;
        format!("{met:>6}  {what}: {measured} (goal: {bound})")
    };
    verdicts.map(line).collect()
}

/// The goals as rows of a table, those among them that were not measured.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = String::from("| what | goal | measured | |\n|---|---|---|---|\n");
    for goal in &GOALS {
        let line = match verdict(goal, rows) {
            Some(verdict) => {
                let met = if verdict.met { "met" } else { "**not met**" };
                format!("{} | {} | {} | {met}", verdict.what, verdict.bound, verdict.measured)
            }
            None => format!("{} | {} | not measured |", what(goal), bound(goal)),
        };
        let _ = writeln!(table, "| {line} |");
    }
    table
}

fn verdict(goal: &Goal, rows: &[Row]) -> Option<Verdict> {
    let row = |contender: &str| {
        let mut rows = rows.iter();
        rows.find(|row| row.workload == goal.workload && row.tasks == goal.tasks && row.contender == contender)
    };
    let speed = row(goal.ours)?.speed_over(row(goal.theirs)?);
    let (measured, met) = match goal.bound {
        Bound::Faster(least) => (format!("{speed:.2} times as fast"), speed >= least),
        Bound::Slower(most) => (format!("{:.2} times the time", 1.0 / speed), 1.0 / speed <= most),
    };
    Some(Verdict {
        what: what(goal),
        bound: bound(goal),
        measured,
        met,
    })
}

fn what(goal: &Goal) -> String {
    let at = counted(goal.workload, goal.tasks);
    format!("{}, {at}: {} over {}", goal.workload, goal.ours, goal.theirs)
}

fn bound(goal: &Goal) -> String {
    match goal.bound {
        Bound::Faster(least) => format!("at least {least} times as fast"),
        Bound::Slower(most) => format!("at most {most} times the time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_missed_by_the_medians_of_one_run() {
        let row = |contender, rate| Row::of("get/100B", 128, contender, "calls/s", vec![rate]);
        let said = lines(&[row("larder", 2_000.0), row("fred, bytes", 1_000.0)]);
        assert_eq!(
            said,
            [
                "   met  get/100B, 128 tasks: larder over fred, bytes: 2.00 times as fast (goal: at least 1.8 times as fast)"
            ]
        );
        let said = lines(&[row("larder", 1_500.0), row("fred, bytes", 1_000.0)]);
        assert!(said[0].starts_with("MISSED"));
    }

    #[test]
    fn a_time_is_held_to_its_bound_the_other_way_round() {
        let row = |contender, ns| Row::of("local/hit", 1, contender, "ns", vec![ns]);
        let said = lines(&[row("larder", 150.0), row("quick_cache + postcard", 104.0)]);
        assert!(
            said[0].contains("1.44 times the time (goal: at most 1.5 times"),
            "{said:?}"
        );
    }

    #[test]
    fn the_table_says_of_every_goal_whether_it_is_met_and_of_some_that_nobody_knows() {
        let row = |contender, rate| Row::of("get/100B", 128, contender, "calls/s", vec![rate]);
        let table = table(&[row("larder", 1_500.0), row("fred, bytes", 1_000.0)]);
        assert!(
            table.contains("| at least 1.8 times as fast | 1.50 times as fast | **not met** |"),
            "{table}"
        );
        assert_eq!(table.matches("| not measured | |").count(), GOALS.len() - 1, "{table}");
    }
}
