//! What is made of the rows.

mod goals;
pub(crate) mod json;
mod machine;
mod markdown;
mod notes;
mod plot;
mod ratios;
mod tables;

use crate::{arguments::Arguments, measure::Row, race::Results};

/// Prints the ratios, and how they stand to the goals, and writes the files that were asked for.
pub(crate) fn all(arguments: &Arguments, results: &Results) -> Result<(), String> {
    for line in ratios::lines(&results.rows)
        .into_iter()
        .chain(goals::lines(&results.rows))
    {
        println!("{line}");
    }
    if let Some(path) = &arguments.json {
        json::write(path, results)?;
    }
    if arguments.write {
        // Rows of a file were measured when it was written.
        let day = match &arguments.from {
            Some(path) => machine::day_of(path),
            None => machine::today(),
        };
        markdown::write(results, &day)?;
    }
    Ok(())
}

/// Prints what came of a workload, since a run takes minutes.
pub(crate) fn say(results: &Results) {
    for row in &results.rows {
        println!("{}", line(row));
    }
    for failure in &results.failures {
        let (workload, tasks, contender) = (&failure.workload, failure.tasks, &failure.contender);
        println!("{workload:<28} {tasks:>7}  {contender:<22} failed: {}", failure.failed);
    }
}

/// One row in one line.
fn line(row: &Row) -> String {
    let (workload, tasks, contender) = (&row.workload, row.tasks, &row.contender);
    format!(
        "{workload:<28} {tasks:>7}  {contender:<22} {} {}",
        spread(row),
        row.unit
    )
}

/// The median and, in parentheses, the lowest and the highest round.
pub(crate) fn spread(row: &Row) -> String {
    let [median, low] = [row.median, row.low].map(short);
    match row.high {
        Some(_) if row.rounds == 1 => median,
        Some(high) => format!("{median} ({low} to {})", short(high)),
        None => format!("more than {median}"),
    }
}

/// Three digits that count, two of a small fraction, with a letter for the thousands.
pub(crate) fn short(value: f64) -> String {
    let (scaled, letter) = match value.abs() {
        large if large >= 999_500.0 => (value / 1e6, " M"),
        large if large >= 9_995.0 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let decimals = match scaled.abs() {
        1e-9..0.000_995 => 5,
        1e-9..0.00995 => 4,
        large if large >= 99.5 => 0,
        middle if middle >= 9.95 => 1,
        _ if scaled.fract() == 0.0 && letter.is_empty() => 0,
        _ => 2,
    };
    format!("{scaled:.decimals$}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_that_count() {
        let shown = [
            0.000_312,
            0.0312,
            1.0,
            9.876,
            42.42,
            123.4,
            1_234.0,
            15_700.0,
            1_953_000.0,
        ]
        .map(short);
        assert_eq!(
            shown,
            [
                "0.00031", "0.03", "1", "9.88", "42.4", "123", "1234", "15.7 k", "1.95 M"
            ]
        );
    }
}
