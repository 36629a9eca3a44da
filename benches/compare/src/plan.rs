//! What a run measures, in which order.

/// Everything there is to measure, each with the tasks it is measured at; the keys, where a workload grows with them.
pub(crate) const WORKLOADS: [(&str, &[usize]); 13] = [
    ("get/100B", &[1, 16, 128, 1_024]),
    ("get/10KiB", &[1, 16, 128, 1_024]),
    ("set/100B", &[1, 16, 128, 1_024]),
    ("get_many/100", &[1, 16]),
    ("set_many/100", &[1, 16]),
    ("remember/hit", &[1, 16, 128]),
    ("remember/stampede", &[1_000]),
    ("local/hit", &[1, 2]),
    ("local/zipf", &[1, 2]),
    ("outage", &[1]),
    ("growth/get_many", &[10, 100, 1_000, 10_000]),
    ("growth/flights", &[1, 10, 100, 1_000, 10_000, 100_000]),
    ("growth/patterns", &[10_000, 100_000, 1_000_000]),
];

/// One workload at one number of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) workload: &'static str,
    pub(crate) tasks: usize,
}

impl Step {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.workload, counted(self.workload, self.tasks))
    }
}

/// The steps of the workloads whose names hold `filter`.
pub(crate) fn steps(filter: &str) -> Result<Vec<Step>, String> {
    let wanted = WORKLOADS.into_iter().filter(|(workload, _)| workload.contains(filter));
    let steps: Vec<Step> = wanted
        .flat_map(|(workload, tasks)| tasks.iter().map(move |&tasks| Step { workload, tasks }))
        .collect();
    if steps.is_empty() {
        return Err(format!("{filter:?}: no workload has that in its name"));
    }
    Ok(steps)
}

/// `128 tasks`, by what the workload counts.
pub(crate) fn counted(workload: &str, tasks: usize) -> String {
    let what = match workload.split('/').next() {
        Some("local") => "thread",
        Some("growth") => "key",
        _ => "task",
    };
    format!("{tasks} {what}{}", if tasks == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_every_workload_that_has_it_in_its_name() {
        let names: Vec<String> = steps("get_many").unwrap().iter().map(Step::name).collect();
        assert_eq!(
            names[..3],
            [
                "get_many/100 1 task",
                "get_many/100 16 tasks",
                "growth/get_many 10 keys"
            ]
        );
        let whole: usize = WORKLOADS.iter().map(|(_, tasks)| tasks.len()).sum();
        assert_eq!(steps("").unwrap().len(), whole);
    }

    #[test]
    fn a_filter_that_fits_nothing_is_refused_and_quoted() {
        let refused = steps("get/100KiB").unwrap_err();
        assert_eq!(refused, "\"get/100KiB\": no workload has that in its name");
    }
}
