//! The conformance suite of [`ResiliencePolicy`]: what its contract asks, rule by rule, with numbers for time.
//!
//! ```
//! use cachekit_testkit::conformance::policy::PolicyFixture;
//! use cachekit_testkit::fakes::FakePolicy;
//!
//! cachekit_testkit::policy_conformance!(PolicyFixture::new(FakePolicy::new).with_setting("fake"));
//! # fn main() {}
//! ```

mod drive;
mod rules;
mod table;

use cachekit_core::ResiliencePolicy;

use super::outcome::Outcome;
use super::part::{self, PartReport, PartRule};

/// How a policy is made anew, always with the same settings.
#[must_use]
pub struct PolicyFixture {
    make: Box<dyn Fn() -> Box<dyn ResiliencePolicy> + Send + Sync>,
    settings: Vec<String>,
    seed: u64,
}

impl PolicyFixture {
    /// Policies as `make` makes them. What they decide must follow from what they are asked: some rules compare two.
    pub fn new<P: ResiliencePolicy>(make: impl Fn() -> P + Send + Sync + 'static) -> Self {
        Self { make: Box::new(move || Box::new(make())), settings: Vec::new(), seed: 0 }
    }

    /// With a text that `Display` has to show: the name, or a setting.
    pub fn with_setting(mut self, text: impl Into<String>) -> Self {
        self.settings.push(text.into());
        self
    }
}

impl std::fmt::Debug for PolicyFixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyFixture").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Every rule, in the order of the contract.
#[must_use]
pub fn rules() -> &'static [PartRule] {
    table::RULES
}

/// Runs all rules against fixtures that `make` makes, one for each. With `None` the seed is one that nobody chose.
pub async fn run(name: &str, seed: Option<u64>, make: impl AsyncFn() -> PolicyFixture) -> PartReport {
    run_matching(name, seed, "", make).await
}

/// [`run`], of those rules whose ids [match](PartRule::matches) `pattern`.
pub async fn run_matching(
    name: &str,
    seed: Option<u64>,
    pattern: &str,
    make: impl AsyncFn() -> PolicyFixture,
) -> PartReport {
    let seed = part::seed_or_any(seed);
    let mut findings = Vec::new();
    for rule in rules().iter().filter(|rule| rule.matches(pattern)) {
        let fixture = PolicyFixture { seed, ..make().await };
        findings.push(part::judge(rule, async { table::run(rule.id, &fixture) }).await);
    }
    PartReport { suite: "policy", name: name.to_owned(), seed, findings }
}

/// Runs one rule as a test: what [`policy_conformance!`](crate::policy_conformance!) calls.
#[doc(hidden)]
pub fn test(id: &str, seed: Option<u64>, make: impl AsyncFnOnce() -> PolicyFixture) {
    let rule = rules().iter().find(|rule| rule.id == id).expect("the tests are made from the table");
    let seed = part::seed_or_any(seed);
    part::assert_kept(seed, async {
        let fixture = PolicyFixture { seed, ..make().await };
        part::judge(rule, async { table::run(rule.id, &fixture) }).await
    });
}

/// Makes a `#[test]` for each rule, run against a [`PolicyFixture`] that the expression makes anew for each.
///
/// With `, seed = 7` behind it the calls of that seed are made again, as a failure tells. A test fails if a MUST is not
/// kept; why a rule was skipped goes to the standard error.
#[macro_export]
macro_rules! policy_conformance {
    ($fixture:expr $(,)?) => {
        $crate::__policy_rules! { [$crate::__part_tests] [policy (::core::option::Option::None) $fixture] }
    };
    ($fixture:expr, seed = $seed:expr $(,)?) => {
        $crate::__policy_rules! { [$crate::__part_tests] [policy (::core::option::Option::Some($seed)) $fixture] }
    };
}
