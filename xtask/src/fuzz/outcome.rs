//! [`Outcome`]: what a fuzz target did, read from what libFuzzer says.

use std::fmt::Write;

/// What a fuzz target did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    target: String,
    executions: u64,
    per_second: u64,
    /// How many edges of the program were seen.
    coverage: u64,
    /// How many inputs it found that reached something new.
    new: u64,
    /// The most memory that it used, in MiB.
    memory: u64,
    /// The input that failed.
    pub(super) artifact: Option<String>,
    /// The command that does it again, if something failed.
    pub(super) repeat: Option<String>,
    /// The end of what it said.
    pub(super) last_words: String,
}

impl Outcome {
    pub(super) fn read(target: &str, said: &str) -> Outcome {
        let stat = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        let lines: Vec<&str> = said.lines().collect();
        Outcome {
            target: target.to_owned(),
            executions: stat("number_of_executed_units"),
            per_second: stat("average_exec_per_sec"),
            coverage: said.lines().rev().find_map(coverage).unwrap_or(0),
            new: stat("new_units_added"),
            memory: stat("peak_rss_mb"),
            artifact: said.lines().rev().find_map(|line| Some(line.split_once("Test unit written to ")?.1.to_owned())),
            repeat: None,
            last_words: lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n"),
        }
    }
}

pub(super) fn table(outcomes: &[Outcome]) -> String {
    let mut out = format!(
        "{:<16}{:>14}{:>10}{:>10}{:>10}{:>10}{:>10}\n",
        "target", "executions", "exec/s", "edges", "new", "MiB", "crashes"
    );
    for outcome in outcomes {
        let Outcome { target, executions, per_second, coverage, new, memory, repeat, .. } = outcome;
        let crashes = u8::from(repeat.is_some());
        _ = writeln!(
            out,
            "{target:<16}{executions:>14}{per_second:>10}{coverage:>10}{new:>10}{memory:>10}{crashes:>10}"
        );
    }
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    let crashes = outcomes.iter().filter(|outcome| outcome.repeat.is_some()).count();
    let (executions, new) = (sum(|outcome| outcome.executions), sum(|outcome| outcome.new));
    _ = write!(out, "{:<16}{executions:>14}{:>10}{:>10}{new:>10}{:>10}{crashes:>10}", "all", "", "", "");
    out
}

/// `#2097152 DONE   cov: 512 ft: 1800 corp: 300/20Kb lim: 1024 exec/s: 50000 rss: 80Mb`
fn coverage(line: &str) -> Option<u64> {
    let (_, rest) = line.strip_prefix('#')?.split_once("cov: ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// As many lines as a panic and libFuzzer's own words about it take.
const LAST_WORDS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_held_is_read() {
        let said = "INFO: seed corpus: files: 9\n#9\tINITED cov: 300 ft: 320 corp: 9/1Kb exec/s: 0 rss: 40Mb\n\
            #5000\tDONE   cov: 512 ft: 1800 corp: 300/20Kb lim: 1024 exec/s: 2500 rss: 80Mb\nDone 5000 runs in 2 s\n\
            stat::number_of_executed_units: 5000\nstat::average_exec_per_sec:     2500\n\
            stat::new_units_added:          291\nstat::slowest_unit_time_sec:    0\nstat::peak_rss_mb:              81\n";
        let read = Outcome::read("json", said);
        assert_eq!(
            (read.executions, read.per_second, read.coverage, read.new, read.memory),
            (5000, 2500, 512, 291, 81)
        );
        assert_eq!((read.artifact, read.repeat), (None, None));
    }

    #[test]
    fn a_crash_names_its_input() {
        let said = "#12\tNEW    cov: 7 ft: 9\nthread '<unnamed>' panicked at lib.rs:7\n\
            artifact_prefix='/a/'; Test unit written to /a/crash-0af3\nBase64: AA==\n";
        let read = Outcome::read("json", said);
        assert_eq!(read.artifact.as_deref(), Some("/a/crash-0af3"));
        assert_eq!(read.coverage, 7);
        assert!(read.last_words.contains("panicked at lib.rs:7"));
    }
}
