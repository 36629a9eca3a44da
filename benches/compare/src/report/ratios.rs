//! How many times as good as everybody else.

use std::fmt::Write as _;

use super::short;
use crate::{
    measure::Row,
    plan::{WORKLOADS, counted},
};

/// A cache of ours, what it is called above its table, and the workloads it is compared in.
const OURS: [(&str, &str, &str); 6] = [
    ("larder", "larder, on fred", ""),
    (
        "larder, shared runtime",
        "larder, on fred and the runtime of its callers",
        "",
    ),
    ("larder-redis-rs", "larder, on redis-rs", ""),
    ("larder with Breaker", "larder, on fred behind a `Breaker`", ""),
    ("larder", "larder, in the process, `get`", "local/"),
    ("larder, get_shared", "larder, in the process, `get_shared`", "local/"),
];

/// One line for each cache of ours in each workload.
pub(crate) fn lines(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for (ours, _, part) in OURS {
        for own in compared(rows, ours, part) {
            let ratios: Vec<String> = against(rows, own)
                .map(|(rival, ratio)| format!("{ratio} {rival}"))
                .collect();
            let (workload, at) = (&own.workload, counted(&own.workload, own.tasks));
            lines.push(format!("{workload}, {at}: {ours} is {}", ratios.join(" | ")));
        }
    }
    lines
}

/// A table for each cache of ours, with a row for each workload and a column for each rival.
pub(crate) fn tables(rows: &[Row]) -> String {
    let mut tables = String::new();
    for (ours, title, part) in OURS {
        let compared: Vec<&Row> = compared(rows, ours, part).collect();
        let mut rivals: Vec<&str> = Vec::new();
        for own in &compared {
            for (rival, _) in against(rows, own) {
                if !rivals.contains(&family(rival)) {
                    rivals.push(family(rival));
                }
            }
        }
        if rivals.is_empty() {
            continue;
        }
        let _ = write!(
            tables,
            "\n### {title}\n\n| | {} |\n|---|{}\n",
            rivals.join(" | "),
            "---:|".repeat(rivals.len())
        );
        for own in compared {
            let _ = write!(tables, "| {}, {} |", own.workload, counted(&own.workload, own.tasks));
            for rival in &rivals {
                let mut against = against(rows, own);
                let ratio = against.find(|(name, _)| family(name) == *rival);
                let _ = match ratio {
                    // Where larder is the worse of the two.
                    Some((_, ratio)) if ratio.starts_with("0.") => write!(tables, " *{ratio}* |"),
                    Some((_, ratio)) => write!(tables, " {ratio} |"),
                    None => write!(tables, " |"),
                };
            }
            tables.push('\n');
        }
    }
    tables
}

/// The rows of a cache of ours that somebody else has too.
fn compared<'a>(rows: &'a [Row], ours: &'a str, part: &'a str) -> impl Iterator<Item = &'a Row> {
    let own = rows.iter().filter(move |row| row.contender == ours);
    let own = own.filter(move |row| row.workload.starts_with("local/") != part.is_empty());
    own.filter(|row| is_whole(row) && against(rows, row).next().is_some())
}

/// Tells a workload from a part of its figures. Of an outage both waits are told.
fn is_whole(row: &Row) -> bool {
    WORKLOADS.iter().any(|(workload, _)| *workload == row.workload)
        || (row.workload.starts_with("outage/") && row.unit == "ms")
}

/// Everybody else in the row's workload, and how many times as good as they it is.
fn against<'a>(rows: &'a [Row], own: &'a Row) -> impl Iterator<Item = (&'a str, String)> {
    let others = rows.iter().filter(|row| !row.is_ours());
    let others = others.filter(|row| row.workload == own.workload && row.tasks == own.tasks);
    others.map(|row| {
        let ratio = short(own.speed_over(row));
        // Who is not waited for to the end is slower than that.
        let at_least = if row.high.is_none() { "> " } else { "" };
        (row.contender.as_str(), format!("{at_least}{ratio} x"))
    })
}

/// The two ways of a raw client are one column: its reads are bytes, its writes are encoded.
fn family(contender: &str) -> &str {
    match contender {
        "fred, bytes" | "fred + postcard" => "fred",
        "fred, Nagle, bytes" | "fred, Nagle + postcard" => "fred, Nagle",
        "redis-rs, bytes" | "redis-rs + postcard" => "redis-rs",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> [Row; 5] {
        let row = |workload, contender, rate| Row::of(workload, 16, contender, "calls/s", vec![rate]);
        [
            row("get/100B", "larder", 150.0),
            row("get/100B", "fred, bytes", 100.0),
            row("get/100B", "redis-benchmark", 900.0),
            row("set/100B", "larder", 200.0),
            row("set/100B", "fred + postcard", 100.0),
        ]
    }

    #[test]
    fn a_line_compares_with_every_rival_and_not_with_the_limit() {
        assert_eq!(
            lines(&rows()),
            [
                "get/100B, 16 tasks: larder is 1.50 x fred, bytes",
                "set/100B, 16 tasks: larder is 2 x fred + postcard"
            ]
        );
    }

    #[test]
    fn a_raw_client_has_one_column() {
        let tables = tables(&rows());
        let expected = "| | fred |\n|---|---:|\n| get/100B, 16 tasks | 1.50 x |\n| set/100B, 16 tasks | 2 x |\n";
        assert!(tables.ends_with(expected), "{tables}");
    }

    #[test]
    fn a_rival_that_was_not_waited_for_is_slower_than_the_ratio() {
        let outage = |contender, ms| Row::of("outage/first call", 1, contender, "ms", vec![ms]);
        let slow = Row {
            median: 2_000.0,
            ..outage("slow", f64::INFINITY)
        };
        let lines = lines(&[outage("larder", 20.0), slow]);
        assert_eq!(lines, ["outage/first call, 1 task: larder is > 100 x slow"]);
    }
}
