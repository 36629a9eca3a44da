//! BENCHMARKS.md.

use std::{fmt::Write as _, fs, path::Path};

use super::{goals, machine, plot, ratios, tables};
use crate::{measure::Row, race::Results};

/// Renews the page and its plots from what came of one run.
pub(crate) fn write(results: &Results, day: &str) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plots = plot::write(&root.join("docs/benchmarks"), &results.rows)?;
    let page = page(results, &plots, day);
    fs::write(root.join("BENCHMARKS.md"), page).map_err(|error| format!("BENCHMARKS.md: {error}"))
}

fn page(results: &Results, plots: &[plot::Plot], day: &str) -> String {
    let rows = &results.rows;
    let mut page = String::from(
        "# Benchmarks\n\nWritten by a run of `benches/compare`; not by hand. Only the ratios within this one run mean \
         anything on another machine.\n\n```sh\ncargo run --release --manifest-path benches/compare/Cargo.toml -- \
         --write\n```\n\n",
    );
    let _ = writeln!(page, "- Measured on {day}.\n- {}", machine::hardware());
    let _ = writeln!(page, "- {}.", machine::versions().join(", "));
    page.push_str(&method(rows));
    page.push_str("\n## Goals\n\n");
    page.push_str(&goals::table(rows));
    page.push_str(COUNTED);
    page.push_str("\n## Where another is faster\n\nThan `larder`: the default client, and `get` in the process.\n\n");
    page.push_str(&tables::lost(rows));
    page.push_str("\n## Ratios\n\nHow many times as good as each other one: above 1, larder is the better; in italics, the other.\n");
    page.push_str(&ratios::tables(rows));
    page.push_str(
        "\n## Figures\n\nThe median of the rounds, and the lowest and the highest round. Bold: the best of a column.\n",
    );
    let (growing, others): (Vec<&str>, Vec<&str>) = tables::workloads(results)
        .into_iter()
        .partition(|workload| workload.starts_with("growth/"));
    let plots_of = |page: &mut String, growth: bool| {
        for plot in plots.iter().filter(|plot| plot.is_growth() == growth) {
            let _ = writeln!(
                page,
                "\n![{}](docs/benchmarks/{})\n\n{}",
                plot.title, plot.file, plot.caption
            );
        }
    };
    plots_of(&mut page, false);
    for workload in others {
        page.push_str(&tables::table(workload, results));
    }
    page.push_str("\n## Growth\n");
    plots_of(&mut page, true);
    for workload in growing {
        page.push_str(&tables::table(workload, results));
    }
    page
}

fn method(rows: &[Row]) -> String {
    // Some workloads have fewer, and say so by having no spread.
    let rounds = rows.iter().filter(|row| !row.workload.starts_with("outage/"));
    let rounds = rounds.map(|row| row.rounds).max().unwrap_or(0);
    format!(
        "
## How it is measured

Everybody talks to the same `redis-server` on loopback, stores the same values, and has one turn in each round. The
first round warms up; {rounds} rounds count. A turn lasts as long for everybody and makes as many calls as it can. Turns of
`get`, `set`, `get_many`, `set_many`, `remember/hit` and `local/hit` are taken in pieces, each piece of a round in another
order by chance, so that what else the machine does meets all, and nobody always comes behind the same one: of some 5 ms
where one task calls, of 30 ms with 16 tasks, of 100 ms with more, of 40 ms on a local map, after each of its keys was read
once to have them back in the caches. All other turns are whole, those of `redis-benchmark` too, and each round begins with
another contender. Figures are the medians of the rounds. An outage takes servers of its own, one for each round; growth by
patterns has 3 rounds at most.
{CONTENDERS}"
    )
}

const CONTENDERS: &str = "
`larder` is `Cache<FredBackend>` with its defaults: Postcard, Snappy from 1 KiB on, a prefix, a checksum on every value,
the client on a thread of its own; \"shared runtime\" puts the client on the runtime of its callers. `larder-redis-rs` is
the same over `RedisRsBackend`, on a thread of its own. In the process it is `Cache<LocalBackend>`; \"get_shared\" reads a
value that is decoded once.

cached stores MessagePack by its asynchronous store with a connection manager; hitbox bincode; multi-tier-cache JSON, with
its Redis tier alone; oxcache JSON, in a process of its own, since no lock file holds both its `regex` and hitbox's.
\"bytes\" is a client whose reads are not decoded. fred is set up as its README shows it, without Nagle's algorithm, as larder
is too; \"fred, Nagle\" is what it does where nobody says so: on loopback the system then sends together what is written while
an answer is out, and over a network such a call waits up to a round trip longer. redis-rs and the rivals above it are as
they are where nobody says so, which is with Nagle's algorithm. `redis-benchmark` is the server's own limit over one
connection, with as many commands under way as others have tasks. cachet and foyer have no Redis. The maps that
multi-tier-cache and oxcache keep in the process are moka, which stands for them.
";

const COUNTED: &str = "
What calls allocate is counted and not measured, at every run of the tests (`tests/allocations`): nothing for a hit in the
process of a struct without heap fields, and over what fred itself allocates 1 for a Redis hit and 2 for a write (goal: at
most 3).
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_and_how_and_what_failed() {
        let mut results = Results {
            rows: vec![
                Row::of("get/100B", 16, "larder", "calls/s", vec![150.0]),
                Row::of("get/100B", 16, "fred, bytes", "calls/s", vec![100.0]),
            ],
            ..Results::default()
        };
        results.take("get/100B", 16, "hitbox", Err("no route".into()));
        let page = page(&results, &[], "2026-11-23");
        for text in [
            "Measured on 2026-11-23",
            " of memory",
            "rustc 1.",
            "1 rounds count",
            "| get/100B, 16 tasks | 1.50 x |",
            "| hitbox | failed: no route |",
        ] {
            assert!(page.contains(text), "{text}\n{page}");
        }
    }
}
