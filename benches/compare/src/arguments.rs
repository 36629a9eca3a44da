//! The command line.

use std::{path::PathBuf, time::Duration};

use crate::race::Effort;

/// What is printed where the command line can not be read.
pub(crate) const USAGE: &str = "\
usage: larder-compare [filter] [--json FILE] [--write] [--from FILE] [--rounds N] [--seconds S]
workloads: get/100B get/10KiB set/100B get_many/100 set_many/100 remember/hit remember/stampede local/hit local/zipf
           outage growth/get_many growth/flights growth/patterns";

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arguments {
    /// Part of the names of the workloads to run; empty for all.
    pub(crate) filter: String,
    /// Where to write the rows.
    pub(crate) json: Option<PathBuf>,
    /// Renew BENCHMARKS.md.
    pub(crate) write: bool,
    /// Take the rows from a file instead of measuring.
    pub(crate) from: Option<PathBuf>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
}

impl Arguments {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            filter: String::new(),
            json: None,
            write: false,
            from: None,
            rounds: 5,
            seconds: 0.3,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .ok_or_else(|| format!("{word}: what follows it is missing"))
            };
            match word.as_str() {
                "--json" => arguments.json = Some(value()?.into()),
                "--from" => arguments.from = Some(value()?.into()),
                "--write" => arguments.write = true,
                "--rounds" => arguments.rounds = number(&word, &value()?, |rounds: &usize| *rounds > 0)?,
                "--seconds" => arguments.seconds = number(&word, &value()?, |s: &f64| *s > 0.0 && s.is_finite())?,
                _ if word.starts_with('-') => return Err(format!("{word:?}: there is no such option")),
                _ if arguments.filter.is_empty() => arguments.filter = word,
                _ => return Err(format!("{word:?}: there is a filter already, {:?}", arguments.filter)),
            }
        }
        if arguments.from.is_some() && !arguments.filter.is_empty() {
            return Err(format!(
                "--from takes every row of its file; leave the filter {:?} out",
                arguments.filter
            ));
        }
        if arguments.write && !arguments.filter.is_empty() {
            return Err(format!(
                "--write renews the whole page from one run; leave the filter {:?} out",
                arguments.filter
            ));
        }
        Ok(arguments)
    }

    pub(crate) fn effort(&self) -> Effort {
        Effort {
            rounds: self.rounds,
            turn: Duration::from_secs_f64(self.seconds),
            pieces: 1,
        }
    }
}

fn number<T: std::str::FromStr>(option: &str, word: &str, fits: impl Fn(&T) -> bool) -> Result<T, String> {
    let number = word.parse().ok().filter(fits);
    number.ok_or_else(|| format!("{option} {word:?}: not a number above zero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn a_filter_and_options_may_stand_in_any_order() {
        let arguments = parse("--rounds 7 get/ --json out.json --seconds 0.1").unwrap();
        assert_eq!((arguments.rounds, arguments.filter.as_str()), (7, "get/"));
        assert_eq!(arguments.json, Some("out.json".into()));
    }

    #[test]
    fn what_can_not_be_read_is_refused_and_quoted() {
        assert_eq!(
            parse("--rounds 0").unwrap_err(),
            "--rounds \"0\": not a number above zero"
        );
        assert_eq!(parse("--bogus").unwrap_err(), "\"--bogus\": there is no such option");
        assert_eq!(parse("--json").unwrap_err(), "--json: what follows it is missing");
        assert!(parse("get --write").unwrap_err().contains("\"get\""));
        assert!(parse("get --from rows.json").unwrap_err().contains("\"get\""));
    }

    #[test]
    fn the_usage_names_every_workload() {
        let named: Vec<&str> = USAGE.split_whitespace().collect();
        for (workload, _) in crate::plan::WORKLOADS {
            assert!(named.contains(&workload), "{workload}");
        }
    }
}
