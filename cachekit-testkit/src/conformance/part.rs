//! What the suites of a cache's smaller parts share: a serializer, a key provider and a policy are judged alike.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use cachekit_core::{Clock, ErrorCode, SystemClock};
use serde_json::{Value, json};

use super::outcome::{Outcome, Unmet};
use super::registry::Level;
use super::report::{Report, Status};

/// One thing that the contract of a part asks for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PartRule {
    /// The contract, the clause and what is asked: "serializer.3.bytes-that-follow-are-refused".
    pub id: &'static str,
    /// Whether it has to be kept.
    pub level: Level,
    /// The codes of the errors that it expects.
    pub codes: &'static [ErrorCode],
    /// What it asks, in one sentence.
    pub sentence: &'static str,
    /// The name of its function.
    #[doc(hidden)]
    pub name: &'static str,
}

impl PartRule {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        id: &'static str,
        level: Level,
        codes: &'static [ErrorCode],
        sentence: &'static str,
        name: &'static str,
    ) -> Self {
        Self { id, level, codes, sentence, name }
    }

    /// Whether its id is what `pattern` says: the whole of it where there are `*`, each of which stands for any text, and
    /// otherwise a part of it.
    #[must_use]
    pub fn matches(&self, pattern: &str) -> bool {
        super::registry::matches(self.id, pattern)
    }
}

/// What a run of a part's suite found.
///
/// `Display` is one line for each rule that was not kept or not tested, and the sum.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartReport {
    /// "serializer", "key-provider" or "policy".
    pub suite: &'static str,
    /// The name that the run was given.
    pub name: String,
    /// What made-up bytes and calls were made from.
    pub seed: u64,
    /// One for each rule, in the order of the contract.
    pub findings: Vec<PartFinding>,
}

/// What one rule found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartFinding {
    /// The rule.
    pub rule: &'static PartRule,
    /// Whether it is kept.
    pub status: Status,
    /// How long it took.
    pub took: Duration,
}

impl PartReport {
    /// Whether every MUST that was tested is kept.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.findings.iter().any(PartFinding::is_violation)
    }

    /// How many findings have this status: "pass", "fail" or "skip".
    #[must_use]
    pub fn count(&self, status: &str) -> usize {
        self.findings.iter().filter(|finding| finding.status.as_str() == status).count()
    }

    /// The ids of the rules with this status: "pass", "fail" or "skip".
    #[must_use]
    pub fn ids(&self, status: &str) -> Vec<&'static str> {
        let with = self.findings.iter().filter(|finding| finding.status.as_str() == status);
        with.map(|finding| finding.rule.id).collect()
    }

    /// The report as JSON, in the shape of [`Report::to_json`]; the part stands where a backend does, without abilities.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let rule = |finding: &PartFinding| {
            json!({
                "id": finding.rule.id,
                "level": finding.rule.level.as_str(),
                "status": finding.status.as_str(),
                "reason": finding.status.reason(),
                "ms": u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
            })
        };
        json!({
            "version": Report::VERSION,
            "suite": self.suite,
            "seed": self.seed,
            "backends": [{
                "name": self.name,
                "abilities": [],
                "rules": self.findings.iter().map(rule).collect::<Vec<_>>(),
            }],
            "errors": [],
            "summary": {
                "pass": self.count("pass"),
                "fail": self.count("fail"),
                "skip": self.count("skip"),
                "pending": 0,
            },
        })
    }
}

impl fmt::Display for PartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} conformance of {}, version {}, seed {}", self.suite, self.name, Report::VERSION, self.seed)?;
        for finding in self.findings.iter().filter(|finding| finding.status != Status::Pass) {
            writeln!(f, "{finding}")?;
        }
        write!(f, "{} pass, {} fail, {} skip", self.count("pass"), self.count("fail"), self.count("skip"))
    }
}

impl PartFinding {
    /// Whether a MUST is not kept.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        self.rule.level == Level::Must && matches!(self.status, Status::Fail { .. })
    }
}

impl fmt::Display for PartFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rule, status) = (self.rule, self.status.as_str());
        write!(f, "{status} {} {} ({}) {}", rule.level.as_str(), rule.id, rule.sentence, self.status.reason())
    }
}

/// Runs one rule; a panic breaks it.
pub(super) async fn judge(rule: &'static PartRule, running: impl Future<Output = Outcome>) -> PartFinding {
    let clock = SystemClock::precise();
    let began = clock.now();
    let mut running = pin!(running);
    let ended = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
        Ok(polled) => polled,
        Err(panic) => Poll::Ready(Err(Unmet::deviates("no panic", told(&*panic)))),
    });
    let status = ended.await.into();
    PartFinding { rule, status, took: clock.now().since(began) }
}

/// Runs `call`, which must not panic in the situation `when`.
pub(super) fn calm<T>(when: impl fmt::Display, call: impl FnOnce() -> T) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|panic| Unmet::deviates(format_args!("no panic, {when}"), format_args!("a panic: {}", told(&*panic))))
}

fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a text")
}

/// Runs `judging` as the test of one rule.
///
/// # Panics
/// If a MUST is not kept. What else is to be said goes to the standard error.
#[expect(clippy::print_stderr, reason = "a test runner shows what a test prints")]
pub(super) fn assert_kept(seed: u64, judging: impl Future<Output = PartFinding>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime can be made");
    let finding = runtime.block_on(judging);
    assert!(!finding.is_violation(), "{finding}; run it again with `, seed = {seed}`");
    if finding.status != Status::Pass {
        eprintln!("{finding}");
    }
}

/// The seed that was asked for, or one that nobody chose.
pub(super) fn seed_or_any(seed: Option<u64>) -> u64 {
    seed.unwrap_or_else(|| super::Suite::new().seed())
}
