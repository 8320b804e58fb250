//! How many tests passed and failed, read from the closing lines of the test runners.

use std::fmt;
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Adds up what `printed` says, be it by `cargo test` or by `cargo nextest`. `None`: it holds no summary.
    pub(crate) fn read(printed: &str) -> Option<Tally> {
        let plain = without_colour(printed);
        let nextest = plain.lines().rev().find_map(nextest_summary);
        nextest.or_else(|| {
            plain.lines().filter_map(libtest_summary).reduce(|mut sum, next| {
                sum += next;
                sum
            })
        })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// `Summary [   0.012s] 7/9 tests run: 4 passed (1 slow), 2 failed, 1 timed out, 0 skipped`
///
/// Whatever ran and did not pass has failed, whichever of its many names nextest gives it.
fn nextest_summary(line: &str) -> Option<Tally> {
    let (_, counts) = line.trim_start().strip_prefix("Summary [")?.split_once(']')?;
    let (run, outcomes) = counts.split_once(" run:")?;
    let run: u64 = run.split_whitespace().next()?.split('/').next()?.parse().ok()?;
    let passed = outcomes.split(',').find_map(|part| part.trim().split_once(" passed")).map_or("0", |(count, _)| count);
    let passed: u64 = passed.parse().ok()?;
    Some(Tally { passed, failed: run.checked_sub(passed)? })
}

/// `test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn libtest_summary(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| -> Option<u64> {
        counts.split(';').find_map(|part| part.trim().strip_suffix(word))?.trim_end().parse().ok()
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")? })
}

/// Takes out the escape sequences that colour a terminal.
fn without_colour(printed: &str) -> String {
    let mut parts = printed.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(printed: &str, expected: Option<(u64, u64)>) {
        assert_eq!(Tally::read(printed), expected.map(|(passed, failed)| Tally { passed, failed }), "{printed}");
    }

    #[test]
    fn cargo_test_is_summed_over_its_binaries() {
        let result = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        check(result, Some((3, 0)));
        check(
            &format!("{result}\n\n{}\n", result.replace("0 failed", "2 failed").replace("ok.", "FAILED.")),
            Some((6, 2)),
        );
    }

    #[test]
    fn nextest_counts_as_failed_all_that_did_not_pass() {
        check("     Summary [   0.005s] 3 tests run: 3 passed, 1 skipped", Some((3, 0)));
        check("     Summary [   0.005s] 1 test run: 0 passed, 1 failed, 0 skipped", Some((0, 1)));
        check(
            "  Summary [ 1.0s] 9 tests run: 5 passed (2 slow, 1 leaky), 1 failed, 2 timed out, 1 exec failed",
            Some((5, 4)),
        );
        check("  Summary [ 1.0s] 2/9 tests run: 1 passed, 1 failed, 0 skipped", Some((1, 1)));
        check(
            "\u{1b}[32;1m     Summary\u{1b}[0m [   0.005s] \u{1b}[1m3\u{1b}[0m tests run: \u{1b}[1m3\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m",
            Some((3, 0)),
        );
    }

    #[test]
    fn no_summary_is_no_result() {
        check("error: could not compile `cachekit`", None);
        check("", None);
    }
}
