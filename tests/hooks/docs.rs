//! What `docs/` says of metrics, read.

use std::{collections::BTreeSet, fs, path::Path};

/// A metric as its row says it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Documented {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
}

/// What a query of the dashboard asks for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) metrics: BTreeSet<String>,
    pub(crate) labels: BTreeSet<String>,
    /// Labels with each value that they are compared to.
    pub(crate) values: BTreeSet<(String, String)>,
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The metrics of `docs/metrics.md` with their units.
pub(crate) fn documented() -> Vec<(Documented, String)> {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `larder_"));
    let rows = rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let bare = |cell: &str| cell.trim_matches('`').to_owned();
        let metric = Documented {
            name: bare(cells[0]),
            kind: cells[1].to_owned(),
            labels: cells[3].split(", ").map(bare).collect(),
        };
        (metric, cells[2].to_owned())
    });
    rows.collect()
}

/// The queries of the dashboard, with the titles of their panels.
pub(crate) fn panels() -> Vec<(String, Query)> {
    let dashboard: serde_json::Value = serde_json::from_str(&read("docs/grafana/larder.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(move |target| {
            let (expr, legend) = (&target["expr"], &target["legendFormat"]);
            (
                title.to_owned(),
                query(expr.as_str().unwrap(), legend.as_str().unwrap()),
            )
        })
    });
    queries.collect()
}

fn query(expr: &str, legend: &str) -> Query {
    let mut query = Query::default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for word in expr.split(|c: char| !is_name(c)) {
        if word.starts_with("larder_") {
            query.metrics.insert(word.to_owned());
        }
    }
    for matchers in expr.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()) {
        for matcher in matchers.split(", ") {
            let (label, value) = matcher.split_once('=').unwrap();
            query.labels.insert(label.to_owned());
            for value in value
                .trim_matches(['~', '"'])
                .split('|')
                .filter(|value| !value.starts_with('$'))
            {
                query.values.insert((label.to_owned(), value.to_owned()));
            }
        }
    }
    for grouped in expr.split("by (").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        query.labels.extend(grouped.split(", ").map(str::to_owned));
    }
    for shown in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
        query.labels.insert(shown.to_owned());
    }
    query
}

#[test]
fn metrics_queries_of_the_dashboard_are_read_with_their_names_labels_and_values() {
    let query = query(
        r#"sum by (le, cache) (rate(larder_x_bucket{cache=~"$cache", outcome=~"hit|miss"}[5m]))"#,
        "{{cache}} {{state}}",
    );
    assert_eq!(Vec::from_iter(query.metrics), ["larder_x_bucket"]);
    assert_eq!(Vec::from_iter(query.labels), ["cache", "le", "outcome", "state"]);
    let values = ["hit", "miss"].map(|value| ("outcome".to_owned(), value.to_owned()));
    assert_eq!(Vec::from_iter(query.values), values);
}
