//! [`Suite`]: runs rules against fixtures.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use cachekit_core::{Clock, SystemClock};
use tokio::task::JoinSet;

use super::case::Case;
use super::fixture::Fixture;
use super::outcome::{Outcome, Unmet};
use super::registry::{Level, Rule, rule, rules};
use super::report::{BackendReport, Finding, Report, Status};

/// Which rules are run, and how.
#[must_use]
pub struct Suite {
    pattern: String,
    seed: u64,
    at_once: usize,
    progress: Box<dyn Fn(&Finding) + Send>,
}

impl Suite {
    /// All rules, eight at once, with a seed that nobody chose.
    pub fn new() -> Self {
        Self {
            pattern: String::new(),
            // Not every reader of JSON holds more bits.
            seed: RandomState::new().hash_one("conformance") >> 11,
            at_once: 8,
            progress: Box::new(|_| {}),
        }
    }

    /// What the values are made up from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Only the rules whose ids [match](Rule::matches) `pattern`.
    pub fn with_rules(self, pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), ..self }
    }

    /// Makes up the values of another run again.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Runs so many rules at once, at least one.
    pub fn with_rules_at_once(self, count: usize) -> Self {
        Self { at_once: count.max(1), ..self }
    }

    /// Tells each finding as it is made.
    pub fn with_progress(self, progress: impl Fn(&Finding) + Send + 'static) -> Self {
        Self { progress: Box::new(progress), ..self }
    }

    /// Runs the rules against fixtures that `make` makes, one for each, and reports on the backend under `name`.
    ///
    /// It has to be called on a tokio runtime with time and whatever else the backend needs.
    ///
    /// # Cancellation
    /// Dropping the future ends the rules that are running; what they wrote may stay behind.
    pub async fn run<F, M>(&self, name: &str, make: M) -> Report
    where
        F: Fixture,
        M: AsyncFn() -> F,
    {
        let mut report = BackendReport { name: name.to_owned(), abilities: Vec::new(), findings: Vec::new() };
        let probe = make().await;
        let profile = probe.profile();
        report.abilities = probe.backend().await.abilities().names();
        drop(probe);

        let mut running = JoinSet::new();
        for rule in rules().iter().filter(|rule| rule.matches(&self.pattern)) {
            if running.len() >= self.at_once {
                self.take(&mut report, running.join_next().await);
            }
            let fixture = Box::new(make().await);
            running.spawn(judge(rule, fixture, self.seed));
        }
        while !running.is_empty() {
            self.take(&mut report, running.join_next().await);
        }
        let order = |finding: &Finding| rules().iter().position(|rule| rule.id == finding.rule.id);
        report.findings.sort_by_key(order);
        Report { profile, seed: self.seed, backends: vec![report] }
    }

    fn take(&self, report: &mut BackendReport, ended: Option<Result<Finding, tokio::task::JoinError>>) {
        let Some(ended) = ended else { return };
        // What a backend does runs in tasks of its own: only a fixture can panic here, and a test that cannot run fails.
        let finding = ended.expect("the fixture can be made ill and well, and gives handles");
        (self.progress)(&finding);
        report.findings.push(finding);
    }
}

impl Default for Suite {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite").field("pattern", &self.pattern).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// Runs all rules against fixtures that `make` makes: [`Suite::run`] with everything as it comes.
pub async fn run<F: Fixture>(name: &str, make: impl AsyncFn() -> F) -> Report {
    Suite::new().run(name, make).await
}

/// Runs one rule as a test: what [`conformance!`](crate::conformance!) calls.
///
/// # Panics
/// If a MUST is not kept, with all that there is to say. What else is to be said goes to the standard error.
#[doc(hidden)]
#[expect(clippy::print_stderr, reason = "a test runner shows what a test prints")]
pub fn test<F: Fixture>(id: &str, seed: Option<u64>, make: impl AsyncFnOnce() -> F) {
    let rule = rule(id).expect("the tests are made from the registry");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime can be made");
    let seed = seed.unwrap_or(Suite::new().seed);
    let finding = runtime.block_on(async {
        let fixture = make().await;
        let profile = fixture.profile();
        (judge(rule, Box::new(fixture), seed).await, profile)
    });
    let (finding, profile) = finding;
    match &finding.status {
        Status::Pass => {}
        Status::Fail { .. } if rule.level == Level::Must => {
            let again =
                format!("run this test again with `, seed = {seed}` in `conformance!`; profile {}", profile.as_str());
            panic!("{}", finding.explain(&again));
        }
        Status::Fail { .. } | Status::Skip { .. } => eprintln!("{finding}"),
    }
}

/// Runs one rule and cleans up after it.
async fn judge(rule: &'static Rule, fixture: Box<dyn Fixture>, seed: u64) -> Finding {
    let clock = SystemClock::precise();
    let began = clock.now();
    let case = Arc::new(Case::open(fixture, seed).await);
    // A task of its own: so a panic of the backend ends the rule and not the run.
    let running = Arc::clone(&case);
    let mut task = AbortOnDrop(tokio::spawn(async move { (rule.run)(&running).await }));
    let limit = case.patience() * PATIENCES;
    let outcome: Outcome = match tokio::time::timeout(limit, &mut task.0).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Unmet::deviates("no panic", panic)),
        Err(_) => {
            task.0.abort();
            Err(Unmet::deviates("every call to be answered in its time", format_args!("no end within {limit:?}")))
        }
    };
    // It too may panic. What it leaves behind ends by itself.
    let mut cleaning = AbortOnDrop(tokio::spawn(async move { case.clean().await }));
    let _ = (&mut cleaning.0).await;
    let took: Duration = clock.now().since(began);
    Finding { rule, took, status: outcome.into() }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How often in a row a rule may have to be patient.
const PATIENCES: u32 = 10;
