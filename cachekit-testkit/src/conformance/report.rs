//! [`Report`]: what a run of the suite found, as text and as JSON.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::Profile;
use super::outcome::{Outcome, Unmet};
use super::registry::{Level, Rule};

/// What a run of the suite found.
///
/// `Display` is a page for people: a row for each rule and a column for each backend, then what failed and why, what was skipped
/// and why, and the sum.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// How much was tested.
    pub profile: Profile,
    /// What the values were made up from.
    pub seed: u64,
    /// One for each backend.
    pub backends: Vec<BackendReport>,
}

/// What was found of one backend.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackendReport {
    /// The name that the run was given.
    pub name: String,
    /// The names of the abilities that it offers.
    pub abilities: Vec<&'static str>,
    /// One finding for each rule that was run, in the order of the registry.
    pub findings: Vec<Finding>,
}

/// What one rule found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Whether it is kept.
    pub status: Status,
    /// How long it took.
    pub took: Duration,
}

/// Whether a rule is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Pass,
    /// It is not.
    Fail {
        /// What should have been, and in which situation.
        expected: String,
        /// What was.
        got: String,
    },
    /// It does not apply, or could not be shown.
    Skip {
        /// Why.
        reason: String,
    },
}

impl Status {
    /// "pass", "fail" or "skip".
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail { .. } => "fail",
            Self::Skip { .. } => "skip",
        }
    }

    /// Why it is neither kept nor broken, or what is broken; empty for what is kept.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Pass => String::new(),
            Self::Fail { expected, got } => format!("expected {expected}; got {got}"),
            Self::Skip { reason } => reason.clone(),
        }
    }
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Ok(()) => Self::Pass,
            Err(Unmet::Deviates { expected, got }) => Self::Fail { expected, got },
            Err(Unmet::Skipped(reason)) => Self::Skip { reason },
        }
    }
}

impl Report {
    /// The version of the suite: of its rules and of what they ask.
    pub const VERSION: &'static str = "0.1.0";

    /// Whether every MUST that was run is kept.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.findings().any(Finding::is_violation)
    }

    /// How many findings have this status: "pass", "fail" or "skip".
    #[must_use]
    pub fn count(&self, status: &str) -> usize {
        self.findings().filter(|finding| finding.status.as_str() == status).count()
    }

    /// The report as JSON: `version`, `suite`, `profile`, `seed`, `backends` with their `name`, `abilities` and `rules` (`id`,
    /// `level`, `status`, `reason`, `ms`), `errors` (none: this suite provokes no codes for their own sake) and `summary`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let rule = |finding: &Finding| {
            json!({
                "id": finding.rule.id,
                "level": finding.rule.level.as_str(),
                "status": finding.status.as_str(),
                "reason": finding.status.reason(),
                "ms": u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
            })
        };
        let backend = |backend: &BackendReport| {
            json!({
                "name": backend.name,
                "abilities": backend.abilities,
                "rules": backend.findings.iter().map(rule).collect::<Vec<_>>(),
            })
        };
        json!({
            "version": Self::VERSION,
            "suite": "backend",
            "profile": self.profile.as_str(),
            "seed": self.seed,
            "backends": self.backends.iter().map(backend).collect::<Vec<_>>(),
            "errors": [],
            "summary": {
                "pass": self.count("pass"),
                "fail": self.count("fail"),
                "skip": self.count("skip"),
                "pending": 0,
            },
        })
    }

    /// Every finding, backend by backend.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.backends.iter().flat_map(|backend| &backend.findings)
    }

    /// The rules that were run, each once, in the order of the registry.
    #[must_use]
    pub fn rules(&self) -> Vec<&'static Rule> {
        let run = |rule: &&Rule| self.findings().any(|finding| finding.rule.id == rule.id);
        super::registry::rules().iter().filter(run).collect()
    }
}

impl BackendReport {
    /// What was found of the rule with this id.
    #[must_use]
    pub fn finding(&self, id: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.rule.id == id)
    }
}

impl Finding {
    /// Whether a MUST is broken.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        self.rule.level == Level::Must && matches!(self.status, Status::Fail { .. })
    }

    /// The finding in full: rule, its sentence and clause, what was expected, what came, and `again`: how to see it again.
    #[must_use]
    pub fn explain(&self, again: &str) -> String {
        let Rule { id, level, sentence, .. } = self.rule;
        let mut lines = vec![
            format!("{id} ({})", level.as_str()),
            format!("  rule       {sentence}"),
            format!("  clause     {}", self.rule.clause()),
        ];
        match &self.status {
            Status::Pass => lines.push("  passed".into()),
            Status::Skip { reason } => lines.push(format!("  skipped    {reason}")),
            Status::Fail { expected, got } => {
                lines.extend([format!("  expected   {expected}"), format!("  got        {got}")]);
                if !self.rule.codes.is_empty() {
                    let codes: Vec<&str> = self.rule.codes.iter().map(|code| code.as_str()).collect();
                    lines.push(format!("  code       {}", codes.join(", ")));
                }
                lines.push(format!("  again      {again}"));
            }
        }
        lines.join("\n")
    }
}

impl fmt::Display for Finding {
    /// One line: what became of it, the rule, and the reason if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, status, took } = self;
        write!(f, "{} {} ({} ms)", status.as_str(), rule.id, took.as_millis())?;
        if *status == Status::Pass { Ok(()) } else { write!(f, ": {}", status.reason()) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, profile, seed) = (Self::VERSION, self.profile.as_str(), self.seed);
        writeln!(f, "conformance suite {version}, backends, profile {profile}, seed {seed}\n")?;
        let rules = self.rules();
        let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
        let columns: Vec<usize> = self.backends.iter().map(|backend| backend.name.len().max(4)).collect();
        write!(f, "{:width$}  {:6}", "rule", "level")?;
        for (backend, column) in self.backends.iter().zip(&columns) {
            write!(f, "  {:column$}", backend.name)?;
        }
        writeln!(f)?;
        for rule in rules {
            write!(f, "{:width$}  {:6}", rule.id, rule.level.as_str())?;
            for (backend, column) in self.backends.iter().zip(&columns) {
                write!(f, "  {:column$}", backend.finding(rule.id).map_or("", |found| found.status.as_str()))?;
            }
            writeln!(f)?;
        }
        for backend in &self.backends {
            let (name, abilities) = (&backend.name, backend.abilities.join(", "));
            let offers = if abilities.is_empty() { "no abilities" } else { &abilities };
            writeln!(f, "\n{name} offers {offers}")?;
            for finding in &backend.findings {
                match &finding.status {
                    Status::Pass => {}
                    Status::Skip { reason } => writeln!(f, "  skipped {}: {reason}", finding.rule.id)?,
                    Status::Fail { .. } => {
                        let again = format!("seed {seed}, profile {profile}, rule {}", finding.rule.id);
                        writeln!(f, "\n  failed {}", finding.explain(&again).replace('\n', "\n  "))?;
                    }
                }
            }
        }
        let [pass, fail, skip] = ["pass", "fail", "skip"].map(|status| self.count(status));
        write!(f, "\n{pass} passed, {fail} failed, {skip} skipped")
    }
}
