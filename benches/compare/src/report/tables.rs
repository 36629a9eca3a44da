//! A table of figures for each workload, and the list of those in which somebody else is better.

use std::fmt::Write as _;

use super::{notes, spread};
use crate::{
    measure::Row,
    plan::counted,
    race::{Failure, Results},
};

/// The names of all that was measured or failed, in its order.
pub(crate) fn workloads(results: &Results) -> Vec<&str> {
    let measured = results.rows.iter().map(|row| &row.workload);
    let failed = results.failures.iter().map(|failure| &failure.workload);
    let mut names: Vec<&str> = Vec::new();
    for name in measured.chain(failed) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// Every case where somebody is better than larder, by how much, and why; a row for each workload and contender.
pub(crate) fn lost(rows: &[Row]) -> String {
    let notes = notes::all();
    let mut cases: Vec<(&str, &str, Vec<String>)> = Vec::new();
    // The middle time of a call says again what the rate of one task says.
    let told = rows.iter().filter(|row| !row.workload.ends_with(" p50"));
    for row in told.filter(|row| !row.is_ours()) {
        let Some(case) = case(rows, row) else { continue };
        match cases
            .iter_mut()
            .find(|(workload, contender, _)| *workload == row.workload && *contender == row.contender)
        {
            Some((_, _, at)) => at.push(case),
            None => cases.push((&row.workload, &row.contender, vec![case])),
        }
    }
    if cases.is_empty() {
        return "Nowhere in this run.\n".into();
    }
    let mut table = String::from("| workload | who | how much better | why |\n|---|---|---|---|\n");
    for (workload, contender, at) in cases {
        let why = notes::why(&notes, workload, contender).unwrap_or("Not explained yet.");
        let _ = writeln!(table, "| {workload} | {contender} | {} | {why} |", at.join("; "));
    }
    table
}

/// By how much `row` is better than larder itself, and who else of ours is better than `row`.
fn case(rows: &[Row], row: &Row) -> Option<String> {
    let same = |other: &&Row| other.workload == row.workload && other.tasks == row.tasks;
    let larder = rows.iter().filter(same).find(|other| other.contender == "larder")?;
    let times = row.speed_over(larder);
    // Nothing beside nothing is no number.
    if times.is_nan() || times <= 1.0 {
        return None;
    }
    let mut case = format!("{times:.2} x at {}", counted(&row.workload, row.tasks));
    if overlap(row, larder) {
        case.push_str(" (the rounds of both overlap)");
    }
    let ours = rows
        .iter()
        .filter(same)
        .filter(|other| other.contender.starts_with("larder"));
    if let Some(best) = ours.reduce(|best, other| if other.speed_over(best) > 1.0 { other } else { best })
        && row.speed_over(best) < 1.0
    {
        let _ = write!(case, ", though not better than {}", best.contender);
    }
    Some(case)
}

/// Tells whether a round of one was as good as a round of the other, so that the medians may be luck.
fn overlap(a: &Row, b: &Row) -> bool {
    let up_to = |row: &Row| row.high.unwrap_or(f64::INFINITY);
    a.rounds > 1 && b.rounds > 1 && a.low <= up_to(b) && b.low <= up_to(a)
}

/// The figures of one workload; the best of a column is bold, and who failed says why.
pub(crate) fn table(workload: &str, results: &Results) -> String {
    let rows: Vec<&Row> = results.rows.iter().filter(|row| row.workload == workload).collect();
    let failures: Vec<&Failure> = results.failures.iter().filter(|f| f.workload == workload).collect();
    let measured = rows.iter().map(|row| (row.tasks, row.contender.as_str()));
    let failed = failures.iter().map(|f| (f.tasks, f.contender.as_str()));
    let (mut columns, mut contenders) = (Vec::new(), Vec::new());
    for (tasks, contender) in measured.chain(failed) {
        columns.push(tasks);
        if !contenders.contains(&contender) {
            contenders.push(contender);
        }
    }
    columns.sort_unstable();
    columns.dedup();
    let heads: Vec<String> = columns.iter().map(|tasks| counted(workload, *tasks)).collect();
    let unit = rows.first().map_or(String::new(), |row| format!(", {}", row.unit));
    let mut table = format!(
        "\n### {workload}{unit}\n\n| | {} |\n|---|{}\n",
        heads.join(" | "),
        "---|".repeat(heads.len())
    );
    for contender in contenders {
        let _ = write!(table, "| {contender} |");
        for tasks in &columns {
            let column: Vec<&Row> = rows.iter().filter(|row| row.tasks == *tasks).copied().collect();
            let failure = failures.iter().find(|f| f.tasks == *tasks && f.contender == contender);
            let cell = match column.iter().find(|row| row.contender == contender) {
                Some(row) if is_best(row, &column) => format!("**{}**", spread(row)),
                Some(row) => spread(row),
                None => failure.map_or(String::new(), |failure| why(&failure.failed)),
            };
            let _ = write!(table, " {cell} |");
        }
        table.push('\n');
    }
    table
}

fn is_best(row: &Row, column: &[&Row]) -> bool {
    let is_limit = |row: &Row| row.contender == "redis-benchmark";
    let others = || {
        column
            .iter()
            .filter(|other| other.contender != row.contender && !is_limit(other))
    };
    !is_limit(row)
        && row.high.is_some()
        && others().next().is_some()
        && others().all(|other| row.speed_over(other) >= 1.0)
}

/// A cell of a table is one line, has no bars, and is not as long as a page.
fn why(failed: &str) -> String {
    const LONGEST: usize = 120;
    let mut text: String = failed.chars().take(LONGEST).collect();
    if text.len() < failed.len() {
        text.push_str("..");
    }
    format!("failed: {}", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(contender: &str, rate: f64) -> Row {
        Row::of(
            "get/10KiB",
            16,
            contender,
            "calls/s",
            vec![rate * 0.9, rate, rate * 1.1],
        )
    }

    #[test]
    fn every_case_where_a_rival_is_faster_is_told_with_its_reason() {
        let rows = [
            row("larder", 100.0),
            row("fred, bytes", 150.0),
            row("slow", 50.0),
            row("redis-benchmark", 900.0),
        ];
        let lost = lost(&rows);
        assert_eq!(lost.lines().count(), 3, "{lost}");
        assert!(
            lost.contains("\n| get/10KiB | fred, bytes | 1.50 x at 16 tasks | larder checks"),
            "{lost}"
        );
    }

    #[test]
    fn a_lost_case_says_what_may_be_luck_and_what_another_client_would_have_won() {
        let rows = [
            row("larder", 100.0),
            row("larder-redis-rs", 120.0),
            row("fred, bytes", 105.0),
        ];
        let case = case(&rows, &rows[2]).unwrap();
        assert_eq!(
            case,
            "1.05 x at 16 tasks (the rounds of both overlap), though not better than larder-redis-rs"
        );
    }

    #[test]
    fn a_table_has_a_row_for_each_contender_and_marks_the_best_and_the_failed() {
        let mut results = Results {
            rows: vec![row("larder", 100.0), row("slow", 50.0)],
            ..Results::default()
        };
        results.take("get/10KiB", 16, "broken", Err("a | b".into()));
        let table = table("get/10KiB", &results);
        assert!(table.contains("### get/10KiB, calls/s"), "{table}");
        assert!(table.contains("| larder | **100 (90.0 to 110)** |"), "{table}");
        assert!(table.contains("| slow | 50.0 (45.0 to 55.0) |"), "{table}");
        assert!(table.contains("| broken | failed: a \\| b |"), "{table}");
    }
}
