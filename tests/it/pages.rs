//! What the guide says of the tests.

use std::{collections::BTreeSet, fs, path::Path};

/// The names of all functions in the sources beneath `dir`.
fn functions(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let names = source
                .split("fn ")
                .skip(1)
                .filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_page_on_outages_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for place in ["tests", "backends"] {
        functions(&root.join(place), &mut tests);
    }
    let page = fs::read_to_string(root.join("docs/outages.md")).unwrap();
    // What the head of a table puts before all names in its last column, and whether these are tests at all.
    let (mut prefix, mut names_tests, mut named) = (String::new(), false, 0);
    let mut before = "";
    for line in page.lines() {
        let is_row = line.starts_with('|');
        let last = line.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        if is_row && !before.starts_with('|') {
            names_tests = last.contains("shown by") || last.contains("test `");
            prefix = quoted(last).next().unwrap_or_default().trim_end_matches('.').to_owned();
        } else if is_row && names_tests && !line.starts_with("|---") {
            let mut is_shown = false;
            for name in quoted(last) {
                let name = format!("{prefix}{name}");
                assert!(
                    tests.contains(&name),
                    "docs/outages.md names the test {name}, which is not there"
                );
                is_shown = true;
                named += 1;
            }
            assert!(is_shown, "docs/outages.md names no test for: {line}");
        }
        before = line;
    }
    assert!(
        named > 50,
        "{named} names were found, so the page is not read as it is written"
    );
}
