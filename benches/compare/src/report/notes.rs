//! Why a rival wins, kept by hand in notes.md.

/// One line of the notes: `- workload, contender: why`.
pub(crate) struct Note {
    workload: &'static str,
    contender: &'static str,
    why: &'static str,
}

/// The notes of the file, which the program holds.
pub(crate) fn all() -> Vec<Note> {
    parse(include_str!("../../notes.md"))
}

fn parse(text: &'static str) -> Vec<Note> {
    let entries = text.lines().filter_map(|line| {
        let (key, why) = line.strip_prefix("- `")?.split_once("`: ")?;
        let (workload, contender) = key.split_once(" | ")?;
        Some(Note {
            workload,
            contender,
            why,
        })
    });
    entries.collect()
}

/// Why `contender` wins `workload`; the note that names the longest part of the workload counts.
pub(crate) fn why(notes: &[Note], workload: &str, contender: &str) -> Option<&'static str> {
    let fitting = notes.iter().filter(|note| workload.starts_with(note.workload));
    let fitting = fitting.filter(|note| note.contender == "*" || note.contender == contender);
    fitting
        .max_by_key(|note| (note.workload.len(), note.contender != "*"))
        .map(|note| note.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_that_says_most_precisely_what_it_is_about_counts() {
        let notes = parse("- `get | *`: any\n- `get/10KiB | redis-rs`: large ones\nno note\n");
        assert_eq!(why(&notes, "get/10KiB", "redis-rs"), Some("large ones"));
        assert_eq!(why(&notes, "get/10KiB", "fred"), Some("any"));
        assert_eq!(why(&notes, "set/100B", "fred"), None);
    }

    #[test]
    fn every_note_of_the_file_is_read() {
        let lines = include_str!("../../notes.md")
            .lines()
            .filter(|line| line.starts_with("- "))
            .count();
        assert!(lines > 0);
        assert_eq!(all().len(), lines);
    }
}
