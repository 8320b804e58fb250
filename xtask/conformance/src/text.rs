//! A report as text: a matrix for each suite, then what failed, what was skipped and what is pending, and the sum.

use std::fmt;

use cachekit_testkit::conformance::{Report, Status};
use cachekit_testkit::drills::{DrillKind, DrillReport, DrillStatus};

use crate::flags::Suite;
use crate::whole::{Asked, Found, Subject, Whole};

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, profile, seed) = (Report::VERSION, self.profile.as_str(), self.seed);
        writeln!(f, "conformance suite {version}, profile {profile}, seed {seed}")?;
        for suite in self.suites.iter().copied().filter(|&suite| self.has_any(suite)) {
            match suite {
                Suite::Errors => self.drills(f)?,
                suite => self.rules(f, suite)?,
            }
        }
        for subject in &self.subjects {
            for found in &subject.findings {
                self.failure(f, subject, found)?;
            }
        }
        for drill in self.drills.iter().filter(|drill| drill.status == DrillStatus::Fail) {
            let id = drill_id(drill);
            writeln!(f, "\nfailed {id}\n  rule       {}\n  got        {}", drill.code.title(), drill.observed)?;
            writeln!(f, "  again      {}", self.again(Suite::Errors, None, &id))?;
        }
        let [pass, fail, skip, pending] = ["pass", "fail", "skip", "pending"].map(|status| self.count(status));
        write!(f, "\n{pass} passed, {fail} failed, {skip} skipped, {pending} pending")
    }
}

impl Whole {
    /// Rules by subjects, and why rules were skipped.
    fn rules(&self, f: &mut fmt::Formatter<'_>, suite: Suite) -> fmt::Result {
        let subjects = self.of(suite);
        let run = |asked: &Asked| subjects.iter().any(|subject| subject.finding(asked.id).is_some());
        let rules: Vec<Asked> = Asked::all(suite, "").into_iter().filter(run).collect();
        let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
        write!(f, "\n{:width$}  {:6}", suite.name(), "level")?;
        for subject in &subjects {
            write!(f, "  {:4}", subject.name)?;
        }
        writeln!(f)?;
        for rule in rules {
            write!(f, "{:width$}  {:6}", rule.id, rule.level.as_str())?;
            for subject in &subjects {
                let status = subject.finding(rule.id).map_or("", |found| found.status.as_str());
                write!(f, "  {status:column$}", column = subject.name.len().max(4))?;
            }
            writeln!(f)?;
        }
        for subject in subjects {
            if suite == Suite::Backend {
                let abilities = subject.abilities.join(", ");
                let abilities = if abilities.is_empty() { "no abilities" } else { &abilities };
                writeln!(f, "\n{} offers {abilities}", subject.name)?;
            }
            for found in &subject.findings {
                if let Status::Skip { reason } = &found.status {
                    writeln!(f, "  {} skipped {}: {reason}", subject.name, found.asked.id)?;
                }
            }
        }
        Ok(())
    }

    /// Codes by drills, with what was seen or is waited for.
    fn drills(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nerrors  fake     real     the code")?;
        let mut codes: Vec<_> = self.drills.iter().map(|drill| drill.code).collect();
        codes.dedup();
        for code in codes {
            let status = |kind| {
                let drill = self.drills.iter().find(|drill| drill.code == code && drill.drill == kind);
                drill.map_or("", |drill| drill.status.as_str())
            };
            let (fake, real) = (status(DrillKind::Fake), status(DrillKind::Real));
            writeln!(f, "{code}    {fake:7}  {real:7}  {}", code.title())?;
        }
        for drill in self.drills.iter().filter(|drill| drill.status == DrillStatus::Pending) {
            writeln!(f, "  pending {}: {}", drill_id(drill), drill.observed)?;
        }
        Ok(())
    }

    /// What failed, in full: rule, its sentence, expected, got, and how to see it again.
    fn failure(&self, f: &mut fmt::Formatter<'_>, subject: &Subject, found: &Found) -> fmt::Result {
        let Status::Fail { expected, got } = &found.status else { return Ok(()) };
        let Asked { id, level, codes, sentence, clause } = found.asked;
        writeln!(f, "\nfailed {id} ({}) of {}\n  rule       {sentence}", level.as_str(), subject.name)?;
        if !clause.is_empty() {
            writeln!(f, "  clause     {clause}")?;
        }
        writeln!(f, "  expected   {expected}\n  got        {got}")?;
        if !codes.is_empty() {
            let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
            writeln!(f, "  code       {}", codes.join(", "))?;
        }
        writeln!(f, "  again      {}", self.again(subject.suite, Some(&subject.name), id))
    }
}

/// The name of a drill among the rules.
pub(crate) fn drill_id(drill: &DrillReport) -> String {
    format!("errors.{}.{}", drill.code, drill.drill.as_str())
}
