//! The conformance suite of [`KeyProvider`]: what its contract asks, rule by rule.
//!
//! ```
//! use cachekit_testkit::conformance::key_provider::KeyProviderFixture;
//! use cachekit_testkit::fakes::FakeKeyProvider;
//!
//! fn fixture() -> KeyProviderFixture {
//!     let fake = FakeKeyProvider::new();
//!     KeyProviderFixture::new(fake.clone()).with_rotation(move || {
//!         let fake = fake.clone();
//!         async move { fake.rotate() }
//!     })
//! }
//!
//! cachekit_testkit::key_provider_conformance!(fixture());
//! # fn main() {}
//! ```

mod rules;
mod table;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cachekit_core::KeyProvider;

use super::outcome::Outcome;
use super::part::{self, PartReport, PartRule};

/// A key provider, how to rotate its keys, and others of the same kind that lack what they need.
#[must_use]
pub struct KeyProviderFixture {
    provider: Arc<dyn KeyProvider>,
    rotate: Option<Rotate>,
    lacking: Vec<Arc<dyn KeyProvider>>,
    malformed: Vec<Arc<dyn KeyProvider>>,
    failing: Vec<Arc<dyn KeyProvider>>,
    secrets: Vec<String>,
    patience: Duration,
}

type Rotate = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl KeyProviderFixture {
    /// A provider whose keys are well, and rotate only when it is told.
    pub fn new(provider: impl KeyProvider) -> Self {
        Self {
            provider: Arc::new(provider),
            rotate: None,
            lacking: Vec::new(),
            malformed: Vec::new(),
            failing: Vec::new(),
            secrets: Vec::new(),
            patience: Duration::from_secs(10),
        }
    }

    /// With a way to make another key the current one.
    pub fn with_rotation<R>(mut self, rotate: impl Fn() -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = ()> + Send + 'static,
    {
        self.rotate = Some(Box::new(move || Box::pin(rotate())));
        self
    }

    /// With a provider of this kind that finds no key.
    pub fn with_lacking(mut self, provider: impl KeyProvider) -> Self {
        self.lacking.push(Arc::new(provider));
        self
    }

    /// With a provider of this kind whose key is malformed: too short, not in its encoding, empty, hostile.
    pub fn with_malformed(mut self, provider: impl KeyProvider) -> Self {
        self.malformed.push(Arc::new(provider));
        self
    }

    /// With a provider of this kind whose service fails.
    pub fn with_failing(mut self, provider: impl KeyProvider) -> Self {
        self.failing.push(Arc::new(provider));
        self
    }

    /// With a text that neither `Debug` nor an error may show: credentials, or what a malformed key was made from.
    ///
    /// # Panics
    /// If it is empty: that shows everywhere.
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        let secret = secret.into();
        assert!(!secret.is_empty(), "an empty secret shows everywhere");
        self.secrets.push(secret);
        self
    }

    /// With so much patience for one call, instead of ten seconds.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl std::fmt::Debug for KeyProviderFixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyProviderFixture").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// Every rule, in the order of the contract.
#[must_use]
pub fn rules() -> &'static [PartRule] {
    table::RULES
}

/// Runs all rules against fixtures that `make` makes, one for each. Nothing is made up, so the seed changes nothing.
///
/// # Cancellation
/// Dropping the future ends the rule that is running.
pub async fn run(name: &str, seed: Option<u64>, make: impl AsyncFn() -> KeyProviderFixture) -> PartReport {
    run_matching(name, seed, "", make).await
}

/// [`run`], of those rules whose ids [match](PartRule::matches) `pattern`.
pub async fn run_matching(
    name: &str,
    seed: Option<u64>,
    pattern: &str,
    make: impl AsyncFn() -> KeyProviderFixture,
) -> PartReport {
    let seed = part::seed_or_any(seed);
    let mut findings = Vec::new();
    for rule in rules().iter().filter(|rule| rule.matches(pattern)) {
        let fixture = make().await;
        findings.push(part::judge(rule, table::run(rule.id, &fixture)).await);
    }
    PartReport { suite: "key-provider", name: name.to_owned(), seed, findings }
}

/// Runs one rule as a test: what [`key_provider_conformance!`](crate::key_provider_conformance!) calls.
#[doc(hidden)]
pub fn test(id: &str, seed: Option<u64>, make: impl AsyncFnOnce() -> KeyProviderFixture) {
    let rule = rules().iter().find(|rule| rule.id == id).expect("the tests are made from the table");
    part::assert_kept(part::seed_or_any(seed), async {
        let fixture = make().await;
        part::judge(rule, table::run(rule.id, &fixture)).await
    });
}

/// Makes a `#[test]` for each rule, run against a [`KeyProviderFixture`] that the expression makes anew for each.
///
/// The expression is evaluated on a tokio runtime and may `.await`. A test fails if a MUST is not kept; why a rule was
/// skipped goes to the standard error.
#[macro_export]
macro_rules! key_provider_conformance {
    ($fixture:expr $(,)?) => {
        $crate::__key_provider_rules! { [$crate::__part_tests] [key_provider (::core::option::Option::None) $fixture] }
    };
}
