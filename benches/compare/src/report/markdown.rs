//! BENCHMARKS.md.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::{goals, machine, notes, plot, spread};
use crate::measure::Row;

/// Renews the page and its plots from the rows of one run.
pub(crate) fn write(rows: &[Row]) -> Result<(), String> {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plots = plot::write(&root.join("docs/benchmarks"), rows)?;
    let page = page(rows, &plots);
    fs::write(root.join("BENCHMARKS.md"), page).map_err(|error| format!("BENCHMARKS.md: {error}"))
}

fn page(rows: &[Row], plots: &[plot::Plot]) -> String {
    let mut page = String::from(
        "# Benchmarks\n\nWritten by a run of `benches/compare`; not by hand. Only the ratios within this one run mean \
         anything on another machine.\n\n```sh\ncargo run --release --manifest-path benches/compare/Cargo.toml -- \
         --write\n```\n\n",
    );
    let _ = writeln!(page, "- {}, {}", machine::today(), machine::processor());
    let _ = writeln!(page, "- {}", machine::versions().join(", "));
    page.push_str(METHOD);
    page.push_str("\n## Goals\n\n```text\n");
    for line in goals::lines(rows) {
        let _ = writeln!(page, "{line}");
    }
    page.push_str("```\n\n## Where another is faster\n\n");
    page.push_str(&lost(rows));
    page.push_str(
        "\n## Figures\n\nThe median of the rounds, and the lowest and the highest round. Bold: the best of a column.\n",
    );
    for workload in workloads(rows)
        .into_iter()
        .filter(|workload| !workload.starts_with("growth/"))
    {
        page.push_str(&table(workload, rows));
    }
    page.push_str("\n## Growth\n\n");
    for plot in plots {
        let _ = writeln!(page, "![{}](docs/benchmarks/{})\n", plot.title, plot.file);
    }
    for workload in workloads(rows)
        .into_iter()
        .filter(|workload| workload.starts_with("growth/"))
    {
        page.push_str(&table(workload, rows));
    }
    page
}

const METHOD: &str = "
Everybody talks to the same `redis-server` on loopback, stores the same values, and has its turn in every round after
one that warms up. larder is `Cache<FredBackend>` with its defaults (Postcard, Snappy from 1 KiB on, a prefix, a checksum
on every value); cached stores MessagePack by its asynchronous store with a connection manager; hitbox bincode;
multi-tier-cache JSON, with its Redis tier alone; oxcache JSON, in a process of its own, since no lock file holds both its
`regex` and hitbox's. \"shared runtime\" puts larder's client on the runtime of its callers instead of on a thread of its
own. \"bytes\" is a client whose reads are not decoded; `redis-benchmark` is the server's own limit over
one connection, with as many commands under way as others have tasks. cachet and foyer have no Redis. The maps
that multi-tier-cache and oxcache keep in the process are moka, which stands for them.
";

fn workloads(rows: &[Row]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.workload.as_str()) {
            names.push(&row.workload);
        }
    }
    names
}

/// Every case where somebody is better than larder, by how much, and why; a line for each workload and contender.
fn lost(rows: &[Row]) -> String {
    let notes = notes::all();
    let mut cases: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for row in rows.iter().filter(|row| !is_ours(row)) {
        let same = |other: &&Row| other.workload == row.workload && other.tasks == row.tasks;
        let ours = rows
            .iter()
            .filter(same)
            .filter(|other| other.contender.starts_with("larder"));
        let best = ours.reduce(|best, other| if other.speed_over(best) > 1.0 { other } else { best });
        let Some(times) = best.map(|best| row.speed_over(best)).filter(|times| *times > 1.0) else {
            continue;
        };
        let case = format!("{times:.2} times as good at {}", row.tasks);
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
    let mut lines = String::new();
    for (workload, contender, at) in cases {
        let why = notes::why(&notes, workload, contender).unwrap_or("Not explained yet.");
        let _ = writeln!(lines, "- **{workload}**, {contender}: {}. {why}", at.join(", "));
    }
    lines
}

/// No rival: larder, the limit, or the yardstick of a plot.
fn is_ours(row: &Row) -> bool {
    row.contender.starts_with("larder") || ["redis-benchmark", "tasks alone"].contains(&row.contender.as_str())
}

fn table(workload: &str, rows: &[Row]) -> String {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.workload == workload).collect();
    let mut columns: Vec<usize> = rows.iter().map(|row| row.tasks).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut contenders: Vec<&str> = Vec::new();
    for row in &rows {
        if !contenders.contains(&row.contender.as_str()) {
            contenders.push(&row.contender);
        }
    }
    let heads: Vec<String> = columns.iter().map(|tasks| head(workload, *tasks)).collect();
    let mut table = format!(
        "\n### {workload}, {}\n\n| |{}|\n|---|{}\n",
        rows[0].unit,
        heads.join("|"),
        "---|".repeat(heads.len())
    );
    for contender in contenders {
        let _ = write!(table, "| {contender} |");
        for tasks in &columns {
            let column = || rows.iter().filter(|row| row.tasks == *tasks);
            let cell = column().find(|row| row.contender == contender).map(|row| {
                let best = contender != "redis-benchmark"
                    && row.high.is_some()
                    && column()
                        .filter(|other| other.contender != "redis-benchmark")
                        .all(|other| row.contender == other.contender || row.speed_over(other) >= 1.0);
                if best && column().count() > 1 {
                    format!("**{}**", spread(row))
                } else {
                    spread(row)
                }
            });
            let _ = write!(table, " {} |", cell.as_deref().unwrap_or(""));
        }
        table.push('\n');
    }
    table
}

fn head(workload: &str, tasks: usize) -> String {
    let what = match workload.split('/').next() {
        Some("local") => "thread",
        Some("growth") => "key",
        _ => "task",
    };
    format!(" {tasks} {what}{} ", if tasks == 1 { "" } else { "s" })
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
            vec![rate * 0.5, rate, rate * 1.5],
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
        assert_eq!(lost.lines().count(), 1, "{lost}");
        assert!(
            lost.starts_with("- **get/10KiB**, fred, bytes: 1.50 times as good at 16. larder checks"),
            "{lost}"
        );
    }

    #[test]
    fn a_table_has_a_row_for_each_contender_and_marks_the_best() {
        let table = table("get/10KiB", &[row("larder", 100.0), row("slow", 50.0)]);
        assert!(table.contains("### get/10KiB, calls/s"), "{table}");
        assert!(table.contains("| larder | **100 (50.0 to 150)** |"), "{table}");
        assert!(table.contains("| slow | 50.0 (25.0 to 75.0) |"), "{table}");
    }
}
