//! [`Whole`]: what a run of all suites found, and that as JSON.

use std::time::Duration;

use cachekit_core::ErrorCode;
use cachekit_testkit::conformance::{Level, PartReport, Profile, Report, Rule, Status, key_provider, policy};
use cachekit_testkit::conformance::{rules, serializer};
use cachekit_testkit::drills::{DrillReport, DrillStatus};
use serde_json::{Value, json};

use crate::flags::Suite;

/// What a run found.
pub(crate) struct Whole {
    pub(crate) suites: Vec<Suite>,
    pub(crate) profile: Profile,
    pub(crate) seed: u64,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) drills: Vec<DrillReport>,
}

/// What was held to a contract.
pub(crate) struct Subject {
    pub(crate) suite: Suite,
    pub(crate) name: String,
    pub(crate) abilities: Vec<&'static str>,
    pub(crate) findings: Vec<Found>,
}

/// What one rule found.
pub(crate) struct Found {
    pub(crate) asked: Asked,
    pub(crate) status: Status,
    pub(crate) took: Duration,
}

/// A rule of any suite.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) id: &'static str,
    pub(crate) level: Level,
    pub(crate) codes: &'static [ErrorCode],
    pub(crate) sentence: &'static str,
    /// The clause of the contract, where it is at hand.
    pub(crate) clause: &'static str,
}

impl Asked {
    fn of(rule: &Rule) -> Self {
        let Rule { id, level, codes, sentence, .. } = *rule;
        Self { id, level, codes, sentence, clause: rule.clause() }
    }

    /// Every rule of `suite` that matches `pattern`; the drills are apart.
    pub(crate) fn all(suite: Suite, pattern: &str) -> Vec<Self> {
        let parts = match suite {
            Suite::Backend => {
                return rules().iter().filter(|rule| rule.matches(pattern)).map(Self::of).collect();
            }
            Suite::Serializer => serializer::rules(),
            Suite::KeyProvider => key_provider::rules(),
            Suite::Policy => policy::rules(),
            Suite::Errors => return Vec::new(),
        };
        let of = |rule: &cachekit_testkit::conformance::PartRule| Self {
            id: rule.id,
            level: rule.level,
            codes: rule.codes,
            sentence: rule.sentence,
            clause: "",
        };
        parts.iter().filter(|rule| rule.matches(pattern)).map(of).collect()
    }
}

impl Subject {
    /// A backend.
    pub(crate) fn backends(report: Report) -> impl Iterator<Item = Self> {
        report.backends.into_iter().map(|backend| {
            let found = |finding: cachekit_testkit::conformance::Finding| Found {
                asked: Asked::of(finding.rule),
                status: finding.status,
                took: finding.took,
            };
            let findings = backend.findings.into_iter().map(found).collect();
            Self { suite: Suite::Backend, name: backend.name, abilities: backend.abilities, findings }
        })
    }

    /// A serializer, a key provider or a policy.
    pub(crate) fn part(suite: Suite, report: PartReport) -> Self {
        let known = Asked::all(suite, "");
        let found = |finding: cachekit_testkit::conformance::PartFinding| {
            let asked = known.iter().copied().find(|asked| asked.id == finding.rule.id);
            Some(Found { asked: asked?, status: finding.status, took: finding.took })
        };
        let findings = report.findings.into_iter().filter_map(found).collect();
        Self { suite, name: report.name, abilities: Vec::new(), findings }
    }

    pub(crate) fn finding(&self, id: &str) -> Option<&Found> {
        self.findings.iter().find(|found| found.asked.id == id)
    }
}

impl Whole {
    /// Whether every MUST is kept, and no drill failed.
    pub(crate) fn passed(&self) -> bool {
        let broken = |found: &Found| found.asked.level == Level::Must && matches!(found.status, Status::Fail { .. });
        !self.findings().any(broken) && !self.drills.iter().any(|drill| drill.status == DrillStatus::Fail)
    }

    /// How many findings and drills have this status: "pass", "fail", "skip" or "pending".
    pub(crate) fn count(&self, status: &str) -> usize {
        self.findings().filter(|found| found.status.as_str() == status).count()
            + self.drills.iter().filter(|drill| drill.status.as_str() == status).count()
    }

    /// Those that were held to the contract of `suite`.
    pub(crate) fn of(&self, suite: Suite) -> Vec<&Subject> {
        self.subjects.iter().filter(|subject| subject.suite == suite).collect()
    }

    /// Whether there is anything to say of `suite`: a pattern may leave it without a rule.
    pub(crate) fn has_any(&self, suite: Suite) -> bool {
        match suite {
            Suite::Errors => !self.drills.is_empty(),
            suite => self.of(suite).iter().any(|subject| !subject.findings.is_empty()),
        }
    }

    fn findings(&self) -> impl Iterator<Item = &Found> {
        self.subjects.iter().flat_map(|subject| &subject.findings)
    }

    /// How to run one rule again.
    pub(crate) fn again(&self, suite: Suite, subject: Option<&str>, rule: &str) -> String {
        let (suite_name, profile, seed) = (suite.name(), self.profile.as_str(), self.seed);
        let backend = match (suite, subject) {
            (Suite::Backend, Some(name)) => format!(" --backend {name}"),
            _ => String::new(),
        };
        format!("cargo xtask conformance --suite {suite_name}{backend} --rule {rule} --profile {profile} --seed {seed}")
    }

    /// The report: `version`, `suite`, `profile`, `seed`, `backends`, `errors` and `summary`. Serializers, key providers and
    /// policies stand among the backends, without abilities: the ids of their rules tell them apart.
    pub(crate) fn to_json(&self) -> Value {
        let rule = |found: &Found| {
            json!({
                "id": found.asked.id,
                "level": found.asked.level.as_str(),
                "status": found.status.as_str(),
                "reason": found.status.reason(),
                "ms": u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX),
            })
        };
        let subject = |subject: &Subject| {
            json!({
                "name": subject.name,
                "abilities": subject.abilities,
                "rules": subject.findings.iter().map(rule).collect::<Vec<_>>(),
            })
        };
        json!({
            "version": Report::VERSION,
            "suite": self.suites.iter().map(|suite| suite.name()).collect::<Vec<_>>().join(","),
            "profile": self.profile.as_str(),
            "seed": self.seed,
            "backends": self.subjects.iter().map(subject).collect::<Vec<_>>(),
            "errors": self.drills,
            "summary": {
                "pass": self.count("pass"),
                "fail": self.count("fail"),
                "skip": self.count("skip"),
                "pending": self.count("pending"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::parts;

    fn keys(value: &Value) -> BTreeSet<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    fn whole() -> Whole {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let policy = parts::ALL.iter().find(|part| part.suite == Suite::Policy).unwrap();
        let report = runtime.block_on(policy.run(7, "policy.6.*"));
        Whole {
            suites: vec![Suite::Policy, Suite::Errors],
            profile: Profile::Fast,
            seed: 7,
            subjects: vec![Subject::part(Suite::Policy, report)],
            drills: cachekit_testkit::drills::run_matching("errors.E060.*", |_| {}),
        }
    }

    #[test]
    fn the_report_has_its_shape() {
        let json = whole().to_json();
        let expected = ["version", "suite", "profile", "seed", "backends", "errors", "summary"];
        assert_eq!(keys(&json), BTreeSet::from(expected));
        assert_eq!(keys(&json["backends"][0]), BTreeSet::from(["name", "abilities", "rules"]));
        assert_eq!(keys(&json["backends"][0]["rules"][0]), BTreeSet::from(["id", "level", "status", "reason", "ms"]));
        assert_eq!(keys(&json["errors"][0]), BTreeSet::from(["code", "drill", "status", "observed"]));
        assert_eq!(json["summary"], json!({ "pass": 3, "fail": 0, "skip": 0, "pending": 1 }));
    }

    #[test]
    fn a_failure_is_told_in_full_and_fails_the_run() {
        let mut whole = whole();
        assert!(whole.passed());
        whole.subjects[0].findings[0].status = Status::Fail { expected: "one line".into(), got: "two".into() };
        assert!(!whole.passed());
        let text = whole.to_string();
        let told = "failed policy.6.display-is-one-line-that-stays (MUST) of fake\n  \
                    rule       Display is one line, and the same before and after calls.\n  \
                    expected   one line\n  got        two\n  \
                    again      cargo xtask conformance --suite policy --rule policy.6.display-is-one-line-that-stays \
                    --profile fast --seed 7\n";
        assert!(text.contains(told), "{text}");
        assert!(text.ends_with("2 passed, 1 failed, 0 skipped, 1 pending"), "{text}");

        whole.subjects.clear();
        whole.drills[0].status = DrillStatus::Fail;
        assert!(!whole.passed());
    }
}
