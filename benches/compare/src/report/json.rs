//! Rows as a JSON array.

use std::{fs, path::Path};

use crate::measure::Row;

/// Writes the rows: `[{workload, tasks, contender, median, low, high, unit, rounds}, ..]`.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Result<(), String> {
    let text = serde_json::to_string_pretty(rows).expect("rows are plain data");
    fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads what [`write`] wrote.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
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
        write(&path, &rows).unwrap();
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
        assert_eq!(read(&path).unwrap(), rows);
        fs::remove_file(&path).unwrap();
    }
}
