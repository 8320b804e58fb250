//! The conformance suite of [`Serializer`]: what its contract asks, rule by rule.
//!
//! ```
//! use cachekit_serde::MessagePack;
//! use cachekit_testkit::conformance::serializer::SerializerFixture;
//!
//! cachekit_testkit::serializer_conformance!(SerializerFixture::new(MessagePack, vec!["a".to_owned(), String::new()]));
//! # fn main() {}
//! ```
//!
//! A stack that overflows and an allocation that fails end the whole test program: no harness can catch them. The name
//! of the test that was running says which rule they break.

mod hostile;
mod rules;
mod table;

use std::fmt::Debug;

use cachekit_core::Serializer;

use super::outcome::Outcome;
use super::part::{self, PartReport, PartRule};

/// A serializer, and values of one type to try it with.
#[derive(Debug)]
#[must_use]
pub struct SerializerFixture<S, T> {
    serializer: S,
    samples: Vec<T>,
    unholdable: Vec<(T, Option<String>)>,
    marked: Vec<(T, String)>,
    bombs: Vec<Vec<u8>>,
    seed: u64,
}

impl<S, T> SerializerFixture<S, T>
where
    S: Serializer<T>,
    T: Debug + PartialEq + Send + Sync + 'static,
{
    /// A serializer and values that it accepts. There should be small ones, for every bit of them is flipped, and the
    /// extremes of the type.
    ///
    /// # Panics
    /// If there are no samples: nothing could be tested.
    pub fn new(serializer: S, samples: Vec<T>) -> Self {
        assert!(!samples.is_empty(), "a serializer is tested with one sample or more");
        Self { serializer, samples, unholdable: Vec::new(), marked: Vec::new(), bombs: Vec::new(), seed: 0 }
    }

    /// With a value that the format cannot hold, and the path that the refusal names, where it is known.
    pub fn with_unholdable(mut self, value: T, path: Option<&str>) -> Self {
        self.unholdable.push((value, path.map(str::to_owned)));
        self
    }

    /// With an accepted value in which `secret` stands, which no error may show.
    pub fn with_secret(mut self, value: T, secret: &str) -> Self {
        self.marked.push((value, secret.to_owned()));
        self
    }

    /// With bytes that would be a document of the format, and one that `T` can be, if it were not nested so deeply.
    pub fn with_bomb(mut self, bytes: Vec<u8>) -> Self {
        self.bombs.push(bytes);
        self
    }
}

/// Every rule, in the order of the contract.
#[must_use]
pub fn rules() -> &'static [PartRule] {
    table::RULES
}

/// Runs all rules against fixtures that `make` makes, one for each. With `None` the seed is one that nobody chose.
pub async fn run<S, T>(name: &str, seed: Option<u64>, make: impl AsyncFn() -> SerializerFixture<S, T>) -> PartReport
where
    S: Serializer<T>,
    T: Debug + PartialEq + Send + Sync + 'static,
{
    run_matching(name, seed, "", make).await
}

/// [`run`], of those rules whose ids [match](PartRule::matches) `pattern`.
pub async fn run_matching<S, T>(
    name: &str,
    seed: Option<u64>,
    pattern: &str,
    make: impl AsyncFn() -> SerializerFixture<S, T>,
) -> PartReport
where
    S: Serializer<T>,
    T: Debug + PartialEq + Send + Sync + 'static,
{
    let seed = part::seed_or_any(seed);
    let mut findings = Vec::new();
    for rule in rules().iter().filter(|rule| rule.matches(pattern)) {
        let fixture = SerializerFixture { seed, ..make().await };
        findings.push(part::judge(rule, async { table::run(rule.id, &fixture) }).await);
    }
    PartReport { suite: "serializer", name: name.to_owned(), seed, findings }
}

/// Runs one rule as a test: what [`serializer_conformance!`](crate::serializer_conformance!) calls.
#[doc(hidden)]
pub fn test<S, T>(id: &str, seed: Option<u64>, make: impl AsyncFnOnce() -> SerializerFixture<S, T>)
where
    S: Serializer<T>,
    T: Debug + PartialEq + Send + Sync + 'static,
{
    let rule = rules().iter().find(|rule| rule.id == id).expect("the tests are made from the table");
    let seed = part::seed_or_any(seed);
    part::assert_kept(seed, async {
        let fixture = SerializerFixture { seed, ..make().await };
        part::judge(rule, async { table::run(rule.id, &fixture) }).await
    });
}

/// Makes a `#[test]` for each rule, run against a [`SerializerFixture`] that the expression makes anew for each.
///
/// With `, seed = 7` behind it the bytes of that seed are made up again, as a failure tells. A test fails if a MUST is
/// not kept; why a rule was skipped goes to the standard error.
#[macro_export]
macro_rules! serializer_conformance {
    ($fixture:expr $(,)?) => {
        $crate::__serializer_rules! { [$crate::__part_tests] [serializer (::core::option::Option::None) $fixture] }
    };
    ($fixture:expr, seed = $seed:expr $(,)?) => {
        $crate::__serializer_rules! { [$crate::__part_tests] [serializer (::core::option::Option::Some($seed)) $fixture] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __part_tests {
    ([$suite:ident $seed:tt $fixture:expr] $($id:literal $name:ident $level:ident [$($code:ident)*] $sentence:literal;)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::$suite::test($id, $seed, async || $fixture);
            }
        )*
    };
}
