//! What came of a run as a JSON array.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    measure::Row,
    race::{Failure, Results},
};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Row(Row),
    Failure(Failure),
}

/// Writes the rows, and then who failed:
/// `[{workload, tasks, contender, median, low, high, unit, rounds}, .., {workload, tasks, contender, failed}, ..]`.
///
/// Whoever reads the file meanwhile sees all that was there before or all that is there now.
pub(crate) fn write(path: &Path, results: &Results) -> Result<(), String> {
    let rows = results.rows.iter().cloned().map(Entry::Row);
    let entries: Vec<Entry> = rows
        .chain(results.failures.iter().cloned().map(Entry::Failure))
        .collect();
    let text = serde_json::to_string_pretty(&entries).expect("rows are plain data");
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = fs::write(&beside, text + "\n").and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads what [`write`] wrote.
pub(crate) fn read(path: &Path) -> Result<Results, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut results = Results::default();
    for entry in entries {
        match entry {
            Entry::Row(row) => results.rows.push(row),
            Entry::Failure(failure) => results.failures.push(failure),
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written_and_have_the_documented_fields() {
        let path = std::env::temp_dir().join(format!("larder-compare-{}.json", std::process::id()));
        let rows = vec![
            Row::of("get/100B", 16, "larder", "calls/s", vec![1.5, 2.5, 3.5]),
            Row::of("outage/first call", 1, "slow", "ms", vec![f64::INFINITY]),
        ];
        // What was not waited for is null and not infinity, which JSON does not have.
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|row| Row {
                median: row.median.min(9.0),
                low: row.low.min(9.0),
                ..row
            })
            .collect();
        let mut results = Results {
            rows,
            ..Results::default()
        };
        results.take("get/100B", 1, "cached", Err("it does not build".into()));
        write(&path, &results).unwrap();
        let value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut fields: Vec<&str> = value[0].as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "contender",
                "high",
                "low",
                "median",
                "rounds",
                "tasks",
                "unit",
                "workload"
            ]
        );
        assert!(value[1]["high"].is_null());
        assert_eq!(value[2]["failed"], "it does not build");
        assert_eq!(read(&path).unwrap(), results);
        fs::remove_file(&path).unwrap();
    }
}
