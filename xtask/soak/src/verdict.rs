//! [`Verdicts`]: what was promised, what was seen, and whether that is the same.

use std::fmt;

/// What was promised, what was seen, and whether that is the same.
#[derive(Debug, Default)]
pub(crate) struct Verdicts(Vec<Verdict>);

#[derive(Debug)]
struct Verdict {
    case: String,
    promise: String,
    seen: String,
    holds: bool,
}

impl Verdicts {
    pub(crate) fn add(&mut self, case: &str, promise: impl Into<String>, seen: impl fmt::Display, holds: bool) {
        let verdict = Verdict { case: case.to_owned(), promise: promise.into(), seen: seen.to_string(), holds };
        self.0.push(verdict);
    }

    pub(crate) fn passed(&self) -> bool {
        self.0.iter().all(|verdict| verdict.holds)
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut case = "";
        for verdict in &self.0 {
            if verdict.case != case {
                case = &verdict.case;
                writeln!(f, "\n  {case}")?;
            }
            let mark = if verdict.holds { "ok  " } else { "FAIL" };
            writeln!(f, "    {mark} {:<62} {}", verdict.promise, verdict.seen)?;
        }
        let broken = self.0.iter().filter(|verdict| !verdict.holds).count();
        write!(f, "\n{} promises, {broken} broken", self.0.len())
    }
}
